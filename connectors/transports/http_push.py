"""How do vendors' messages come in? One server, a route per source, an answer only when the rows are safe.

A message is read within limits, its sender is checked, a repetition of what is safe already is answered and not
published again. Then it is a delivery, and the answer waits for what becomes of it: 200 in the vendor's words when
Kafka has confirmed every row, 503 when it has not, and the vendor sends again.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery, Holds
from connectors.transports.fetch import FetchFailed, Inflater
from schemas.settings import Connectors

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, str]  # status, body, content type

PREFIX = "/push/"
REMEMBERED = 50_000  # messages of one source that a repetition is known of


class Format(Protocol):
    """What a push route needs to know of its vendor; each in the words of the vendor's own document."""

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> str | None:
        """None, or the word for why the sender is not believed."""
        ...

    def replay_id(self, body: bytes) -> str | None: ...

    def answer(self, ok: bool, detail: str) -> Answer: ...


Told = Callable[[bytes, datetime, str], Awaitable[None]]


class PushRoute:
    """One source's side of the server: an async iterator of its deliveries."""

    def __init__(self, source: str, vendor: Format, holds: Holds, health: SourceHealth, turned_away: Told) -> None:
        self.source = source
        self._vendor = vendor
        self._holds = holds
        self._health = health
        self._turned_away = turned_away
        self._line: asyncio.Queue[Delivery] = asyncio.Queue()  # bounded by the server's concurrency
        self._safe: OrderedDict[str, None] = OrderedDict()  # messages that were answered with success
        self._first_seen: OrderedDict[str, datetime] = OrderedDict()  # of messages that were refused
        self._under_way: dict[str, asyncio.Future[str]] = {}

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            yield await self._line.get()

    def words(self, ok: bool, detail: str, status: int) -> Answer:
        """The vendor's answer; an error is an error in the status too, whatever the vendor's own words are."""
        told, body, content_type = self._vendor.answer(ok, detail)
        return (told if ok or told >= 400 else status), body, content_type

    def refused(self, detail: str) -> None:
        """A message that was not even read whole: too long, too slow, packed in a way that nobody knows."""
        self._health.polled()
        self._health.failed(detail)

    async def take(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Answer:
        self._health.polled()
        fault = self._vendor.verify(body, headers, now)
        if fault is not None:
            self._health.failed(fault)
            await self._turned_away(body, now, fault)
            return self.words(False, fault, 401)
        replay_id = self._vendor.replay_id(body)
        # a nonce that comes again with other content is no repetition: taken for one, the content would be lost
        name = f"{replay_id}:{hashlib.sha256(body).hexdigest()}"
        if name in self._safe:
            self._health.succeeded(now)
            return self.words(True, "", 200)
        outcome = self._under_way.get(name)
        if outcome is None:
            outcome = self._deliver(body, headers, now, name, is_known_again=replay_id is not None)
        refused = await asyncio.shield(outcome)
        if refused:
            return self.words(False, f"unavailable: {refused}", 503)
        return self.words(True, "", 200)

    def _deliver(
        self, body: bytes, headers: Mapping[str, str], now: datetime, name: str, *, is_known_again: bool
    ) -> asyncio.Future[str]:
        """Into the line; the future is the reason why it was refused, empty when it is safe."""
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        received_at = self._first_seen.get(name, now)
        release = self._holds.hold(now)  # not the first time of a repetition: see connectors/kafka.py
        if is_known_again:
            self._under_way[name] = outcome

        def settle(refused: str) -> None:
            release()
            self._under_way.pop(name, None)
            if not outcome.done():
                outcome.set_result(refused)

        async def acknowledge() -> None:
            self._first_seen.pop(name, None)
            if is_known_again:
                _remember(self._safe, name, None)
            self._health.succeeded(now)
            settle("")

        async def refuse(reason: str) -> None:
            _remember(self._first_seen, name, received_at)
            self._health.failed(reason)
            settle(reason)

        delivery = Delivery(payload=body, received_at=received_at, acknowledge=acknowledge, refuse=refuse, meta=headers)
        self._line.put_nowait(delivery)
        return outcome


def _remember(memory: OrderedDict[str, Any], name: str, value: Any) -> None:
    memory[name] = value
    memory.move_to_end(name)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


class Refusal(Exception):
    """The request ends here, with this status; the connection does too, what is left of the body is not read."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class PushServer:
    """The ASGI application: /push/<source>, /health."""

    def __init__(self, limits: Connectors, health: Callable[[], tuple[bool, Any]]) -> None:
        self._limits = limits
        self._health = health
        self._routes: dict[str, PushRoute] = {}
        self._active = 0

    def add(self, route: PushRoute) -> None:
        self._routes[route.source] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path == "/health":
            well, report = self._health()
            body = msgspec.json.encode(report)
            await _respond(send, 200 if well else 503, body, "application/json", close=False)
            return
        route = self._routes.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        if route is None:
            await _respond(send, 404, b"no such source\n", "text/plain", close=True)
        elif scope["method"] != "POST":
            await _respond(send, 405, b"POST\n", "text/plain", close=True, extra=[(b"allow", b"POST")])
        elif self._active >= self._limits.push_concurrency:
            answer = route.words(False, "too_many: try again", 503)
            await _respond(send, 503, answer[1], answer[2], close=True, extra=[(b"retry-after", b"1")])
        else:
            self._active += 1
            try:
                await self._push(route, scope, receive, send)
            finally:
                self._active -= 1

    async def _push(self, route: PushRoute, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await self._body(headers, receive)
        except Refusal as refusal:
            route.refused(refusal.detail)
            status, told, content_type = route.words(False, refusal.detail, refusal.status)
            await _respond(send, refusal.status, told, content_type, close=True)
            return
        if body is None:
            return  # the client is gone, and with it its message: it has no answer and sends again
        status, told, content_type = await route.take(body, headers, datetime.now(UTC))
        extra = [(b"retry-after", b"5")] if status == 503 else []
        await _respond(send, status, told, content_type, close=False, extra=extra)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes | None:
        """The plain body. None when the client went away before it was whole. Raises Refusal."""
        limit = self._limits.push_body_limit_bytes
        stated = headers.get("content-length", "")
        if stated.isdigit() and int(stated) > limit:
            raise Refusal(413, f"too_large: more than {limit} bytes")
        try:
            inflater = Inflater(headers.get("content-encoding", "").strip().lower(), limit)
        except FetchFailed as error:
            raise Refusal(415, str(error)) from error
        body, wire_bytes = bytearray(), 0
        try:
            async with asyncio.timeout(self._limits.push_body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk: bytes = message.get("body", b"")
                    wire_bytes += len(chunk)
                    if wire_bytes > limit:
                        raise Refusal(413, f"too_large: more than {limit} bytes")
                    for piece in inflater.feed(chunk):
                        body += piece
                    if not message.get("more_body", False):
                        if wire_bytes:
                            inflater.finish()
                        return bytes(body)
        except TimeoutError as error:
            raise Refusal(408, f"too slow: no whole body in {self._limits.push_body_timeout_s:g} s") from error
        except FetchFailed as error:
            too_large = "when decompressed" in str(error)
            raise Refusal(413 if too_large else 400, f"too_large: {error}" if too_large else str(error)) from error


async def _respond(
    send: Send,
    status: int,
    body: bytes,
    content_type: str,
    *,
    close: bool,
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *(extra or [])]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Flood:
    """How many of the messages of unknown senders are told one by one: so many a minute, the rest is counted."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._minute = -1
        self._told = 0

    def admits(self) -> bool:
        minute = int(self._monotonic() // 60)
        if minute != self._minute:
            self._minute, self._told = minute, 0
        self._told += 1
        return self._told <= self._per_minute
