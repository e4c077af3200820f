"""How is a foreign document got without trusting its server? One GET with a limit on everything."""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from connectors.transports.addresses import is_public
from schemas.settings import Connectors

USER_AGENT = "citysense/0.1"
_STEP = 64 * 1024
BOMB_RATIO = 200  # no feed packs so well: JSON and XML come down to a thirtieth
BOMB_BYTES = 4 * 1024 * 1024  # and below this it does not matter


class FetchFailed(Exception):
    """No document. `retry_after_s` is what the server asked for, if it did."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Cursor(msgspec.Struct, frozen=True):
    """What the server said about the version that we have."""

    etag: str = ""
    last_modified: str = ""


NO_CURSOR = Cursor()


class Fetched(msgspec.Struct, frozen=True):
    body: bytes | None  # None: not modified since the cursor
    cursor: Cursor
    content_type: str = ""


class _Host:
    """The connections for one name: two names at one address never share one, whose certificate is of the other."""

    def __init__(self, limits: Connectors, tls: ssl.SSLContext) -> None:
        self.turns = asyncio.Semaphore(limits.per_host_concurrency)
        self.http = httpx.AsyncClient(
            verify=tls,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s),
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=90.0),
        )


class Client:
    """The connections of one process to all polled hosts; so many at a time to each."""

    def __init__(self, limits: Connectors) -> None:
        self.limits = limits
        self._hosts: dict[str, _Host] = {}  # of the sources; what they redirect to is asked over theirs
        self._tls = httpx.create_ssl_context(trust_env=False)

    async def get(
        self,
        url: httpx.URL,
        headers: Mapping[str, str] = {},
        cursor: Cursor = NO_CURSOR,
        *,
        allow_private: bool = False,
    ) -> Fetched:
        """The document of `url`, decompressed. Raises FetchFailed with a reason for people."""
        asked = dict(headers)
        if cursor.etag:
            asked["If-None-Match"] = cursor.etag
        if cursor.last_modified:
            asked["If-Modified-Since"] = cursor.last_modified
        host = self._hosts.get(url.host)
        if host is None:
            host = self._hosts[url.host] = _Host(self.limits, self._tls)
        async with host.turns:
            try:
                async with asyncio.timeout(self.limits.total_timeout_s):
                    return await self._follow(host.http, url, asked, cursor, allow_private)
            except TimeoutError as error:
                raise FetchFailed(f"no whole answer within {self.limits.total_timeout_s:g} s") from error
            except httpx.TimeoutException as error:
                raise FetchFailed(f"{type(error).__name__}: too slow") from error
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise FetchFailed(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        for host in self._hosts.values():
            await host.http.aclose()

    async def _follow(
        self, http: httpx.AsyncClient, url: httpx.URL, headers: dict[str, str], cursor: Cursor, allow_private: bool
    ) -> Fetched:
        first = url
        for _ in range(self.limits.redirects + 1):
            if url.host != first.host:
                headers = {name: value for name, value in headers.items() if name.startswith("If-")}  # no secrets
            async with _Answer(http, url, headers, allow_private) as response:
                if not response.has_redirect_location:
                    return await self._document(response, cursor)
                target = url.join(response.headers["location"])
            if target.scheme not in ("http", "https") or (url.scheme == "https" and target.scheme == "http"):
                raise FetchFailed(f"a redirect from {url.scheme} to {target.scheme} is not followed")
            url = target
        raise FetchFailed(f"more than {self.limits.redirects} redirects")

    async def _document(self, response: httpx.Response, cursor: Cursor) -> Fetched:
        if response.status_code == 304:
            return Fetched(None, cursor)
        if response.status_code != 200:
            raise FetchFailed(f"HTTP {response.status_code}", retry_after_s(response))
        stated = response.headers.get("content-length", "")
        if stated.isdigit() and int(stated) > self.limits.body_limit_bytes:
            raise FetchFailed(f"the body has {stated} bytes, more than {self.limits.body_limit_bytes}")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        body = bytearray()
        async for piece in _plain(response, encoding, self.limits):
            body += piece
        newest = Cursor(response.headers.get("etag", ""), response.headers.get("last-modified", ""))
        return Fetched(bytes(body), newest, response.headers.get("content-type", ""))


class _Answer:
    """A response from an address that was looked at before the connection is made: no name can lead inside."""

    def __init__(self, http: httpx.AsyncClient, url: httpx.URL, headers: dict[str, str], allow_private: bool) -> None:
        self._http = http
        self._url = url
        self._headers = {
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
            **headers,
            "Host": url.netloc.decode("ascii"),
        }
        self._allow_private = allow_private
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        refused: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in await addresses(self._url.host, self._url.port, self._allow_private):
            request = self._http.build_request(
                "GET",
                self._url.copy_with(host=address),
                headers=self._headers,
                extensions={"sni_hostname": self._url.host},
            )
            try:
                self._response = await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error
                continue
            self._http.cookies.clear()
            return self._response
        raise refused or FetchFailed(f"{self._url.host} has no address")

    async def __aexit__(self, *_: Any) -> None:
        if self._response is not None:
            await self._response.aclose()


async def addresses(host: str, port: int | None, allow_private: bool) -> list[str]:
    """The addresses of a host, at most three. Raises FetchFailed when one of them is not public."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchFailed(f"{host} cannot be resolved: {error}") from error
    unique = list(dict.fromkeys(str(item[4][0]) for item in found))
    if not allow_private:
        for address in unique:
            if not is_public(address):
                raise FetchFailed(f"{host} is at {address}, no public address; allow_private_address would allow it")
    return unique[:3]


class Inflater:
    """Decompresses gzip or zlib in steps and stops at a limit, and long before at what no feed can be: a bomb."""

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise FetchFailed(f"content-encoding {encoding[:40]!r} was not asked for")
        self._wbits = 0 if encoding in ("", "identity") else 15 if encoding == "deflate" else 31
        self._left = limit_bytes
        self._limit = limit_bytes
        self._fed = 0
        self._inflate = zlib.decompressobj(self._wbits) if self._wbits else None

    def feed(self, data: bytes) -> list[bytes]:
        """The plain bytes of `data`. Raises FetchFailed."""
        self._fed += len(data)
        if self._inflate is None:
            return [self._take(data)]
        pieces: list[bytes] = []
        try:
            while data:
                if self._inflate.eof:  # gzip may have several members
                    self._inflate = zlib.decompressobj(self._wbits)
                pieces.append(self._take(self._inflate.decompress(data, _STEP)))
                data = self._inflate.unconsumed_tail or self._inflate.unused_data
        except zlib.error as error:
            raise FetchFailed(f"not {'gzip' if self._wbits == 31 else 'deflate'}: {error}") from error
        return pieces

    def finish(self) -> None:
        """Raises FetchFailed when the compressed stream is not whole."""
        if self._inflate is not None and not self._inflate.eof:
            raise FetchFailed("the compressed body ends in its middle")

    def _take(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise FetchFailed(f"more than {self._limit} bytes when decompressed")
        plain = self._limit - self._left
        if plain > BOMB_BYTES and plain > BOMB_RATIO * self._fed:
            raise FetchFailed(f"more than {BOMB_RATIO} times as long when decompressed: a bomb")
        return piece


async def _plain(response: httpx.Response, encoding: str, limits: Connectors) -> AsyncIterator[bytes]:
    inflater = Inflater(encoding, limits.decompressed_limit_bytes)
    wire_bytes = 0
    async for chunk in response.aiter_raw():
        wire_bytes += len(chunk)
        if wire_bytes > limits.body_limit_bytes:
            raise FetchFailed(f"the body has more than {limits.body_limit_bytes} bytes")
        for piece in inflater.feed(chunk):
            yield piece
    inflater.finish()


def retry_after_s(response: httpx.Response) -> float | None:
    said = response.headers.get("retry-after", "").strip()
    if said.isdigit():
        return float(min(int(said), 3600))
    try:
        from_date = parsedate_to_datetime(said)
        sent = parsedate_to_datetime(response.headers.get("date", ""))
        return min(max((from_date - sent).total_seconds(), 0.0), 3600.0)
    except (ValueError, TypeError):
        return None
