"""How is one message handed over without trusting the receiver? One POST to an address that was looked at first.

No redirects, no proxies, a limit on time and on what is read of the answer. Every failure is an answer, none is raised.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from connectors.transports.addresses import IPNetwork, is_allowed, is_listed
from connectors.transports.fetch import USER_AGENT, retry_after_s
from connectors.webhooks.schedule import Answer

ANSWER_LIMIT_BYTES = 64 * 1024  # beyond this the connection is cut; the status counts
DETAIL_BYTES = 200
ADDRESSES_LIMIT = 3
RESOLVERS = 2


class Refused(Exception):
    """We do not connect there. The message says why, for people."""


class Wire:
    """The connections to one endpoint. Its name is looked up in threads of its own: a dead DNS delays nobody else."""

    def __init__(self, allowed: Sequence[str], ca_pem: str | None) -> None:
        self._allowed: tuple[IPNetwork, ...] = tuple(ipaddress.ip_network(one) for one in allowed)
        self._ca_pem = ca_pem
        self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")
        self._clients: dict[tuple[str, str], httpx.AsyncClient] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """2xx or not, within `timeout_s` from name to last byte."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(httpx.URL(url), headers, body, timeout_s)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(detail=f"no answer within {timeout_s:g} s")
        except Refused as error:
            return Answer(detail=str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Answer(detail=f"{type(error).__name__}: {error}"[:500])

    async def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            await client.aclose()

    async def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        client = self._client(url)
        addresses = await self._addresses(url)
        sent = {
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            **headers,
            "Host": url.netloc.decode("ascii"),
        }
        refused: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in addresses:
            request = client.build_request(
                "POST",
                url.copy_with(host=address),
                headers=sent,
                content=body,
                extensions={"sni_hostname": url.host},
                timeout=httpx.Timeout(timeout_s, connect=timeout_s / len(addresses)),
            )
            try:
                response = await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error
                continue
            try:
                return await _answer(response)
            finally:
                await response.aclose()
                client.cookies.clear()
        raise refused or Refused(f"{url.host} has no address")

    def _client(self, url: httpx.URL) -> httpx.AsyncClient:
        """One for each host: a connection that was made for one name is never used for another."""
        if url.scheme not in ("https", "http") or not url.host or url.userinfo:
            raise Refused(f"{url.scheme}://{url.host} is no address for webhooks")
        key = (url.scheme, url.netloc.decode("ascii"))
        if key not in self._clients:
            trust = ssl.create_default_context(cadata=self._ca_pem) if url.scheme == "https" else False
            self._clients[key] = httpx.AsyncClient(
                verify=trust,
                trust_env=False,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=90.0),
            )
        return self._clients[key]

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """All addresses of the name, looked at. Raises Refused when one of them is not for us to connect to."""
        loop = asyncio.get_running_loop()
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await loop.run_in_executor(
                self._resolvers, lambda: socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as error:
            raise Refused(f"{url.host} cannot be resolved: {error}") from error
        unique = list(dict.fromkeys(str(item[4][0]) for item in found))
        for address in unique:
            if url.scheme == "http" and not is_listed(address, self._allowed):
                raise Refused(f"{url.host} is at {address}: without TLS only networks that the endpoint allows")
            if not is_allowed(address, self._allowed):
                raise Refused(f"{url.host} is at {address}, which is not public and not allowed for this endpoint")
        return unique[:ADDRESSES_LIMIT]


async def _answer(response: httpx.Response) -> Answer:
    """The status, and the beginning of what was said. Too long an answer is cut: the status counts."""
    said = bytearray()
    async for piece in response.aiter_raw():
        said += piece
        if len(said) > ANSWER_LIMIT_BYTES:
            break
    detail = said[:DETAIL_BYTES].decode("utf-8", "backslashreplace").replace("\x00", "")
    if 300 <= response.status_code < 400:
        detail = "a redirect, which is not followed"
    elif 200 <= response.status_code < 300:
        detail = ""
    return Answer(status=response.status_code, detail=detail, retry_after_s=retry_after_s(response))
