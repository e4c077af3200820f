"""Who answers a request for bytes that are ready? This protocol, before any application: one lookup and one write.

uvicorn's own HTTP/1.1 protocol with three things more. A request for a prepared body is answered when it is parsed,
without a task or an ASGI message (measured: five times the requests of a bare ASGI callable). The bytes of a request
that was answered in this second are remembered, so the next client that sends the same is not even parsed. And every
connection is watched: silence, half a request, a header without end or a reader that does not read ends it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dashboards.feed.answers import Answer, refusal, wire
from dashboards.feed.site import MEMO_LIMIT, Memo, Site

if TYPE_CHECKING:
    from dashboards.feed.app import Application

CONNECTIONS_LIMIT = 2_000
REQUEST_LIMIT_BYTES = 32 * 1024  # request line, headers and body together: the feed is for reading
REQUEST_TIMEOUT_S = 10.0
STALLED_WRITE_S = 30.0
WATCH_S = 5.0
WRITE_BUFFER_BYTES = 64 * 1024  # what a client that does not read may cost, beside one whole answer
_MEMO_REQUEST_BYTES = 2048
_JOINED = (b"accept-encoding", b"if-none-match", b"x-forwarded-for")


class Front(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site: Site = cast("Application", self.app).site
        self.bucket: Any = None
        self.watch: asyncio.TimerHandle | None = None
        self.direct: Answer | None = None
        self.is_partial = False
        self.are_headers_complete = False
        self.messages = 0  # begun in this read
        self.answered: Memo | None = None  # what a single message of this read was answered with
        self.received_bytes = 0
        self.begun_at = 0.0
        self.seen_at = 0.0
        self.stalled_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self.seen_at = self.loop.time()
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        address = self.client[0] if self.client else ""
        self.bucket = self.site.limiter.bucket(address, self.seen_at)
        self.watch = self.loop.call_later(WATCH_S, self._look)
        if len(self.connections) > CONNECTIONS_LIMIT:
            self._refuse(refusal(503, "Too many connections are open.", 10))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.watch is not None:
            self.watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.seen_at = now = self.loop.time()
        is_whole = not self.is_partial
        if is_whole and self._is_idle():
            memo = self.site.memo.get(data)
            if memo is not None:
                self._send_again(memo, now)
                return
        self.received_bytes = len(data) if is_whole else self.received_bytes + len(data)
        if not is_whole and self.received_bytes > REQUEST_LIMIT_BYTES:
            status = 413 if self.are_headers_complete else 431
            self._refuse(refusal(status, f"A request may have {REQUEST_LIMIT_BYTES} bytes in all."))
            return
        self.messages, self.answered = 0, None
        super().data_received(data)
        memo = self.answered
        if is_whole and not self.is_partial and self.messages == 1 and memo is not None:
            memos = self.site.memo
            if len(data) <= _MEMO_REQUEST_BYTES and len(memos) < MEMO_LIMIT:
                memos[data] = memo

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.is_partial = True
        self.are_headers_complete = False
        self.messages += 1
        self.begun_at = self.loop.time()

    def on_headers_complete(self) -> None:
        self.are_headers_complete = True
        headers = self._headers()
        address = self._forwarded(headers)
        found = self._limited(address) or self.site.respond(self.parser.get_method().decode(), self.url, headers)
        if found is None:
            super().on_headers_complete()
        elif self._is_idle():
            self.direct = found
        else:  # behind an answer that is not out yet: it takes its turn in uvicorn's queue
            app, self.app = self.app, _application(found)
            try:
                super().on_headers_complete()
            finally:
                self.app = app

    def on_body(self, body: bytes) -> None:
        if self.direct is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self.is_partial = False
        found, self.direct = self.direct, None
        if found is None:
            super().on_message_complete()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        raw = wire(found, self.server_state.default_headers, close=not keep_alive)
        self.site.served[found.status] += 1
        self.transport.write(raw)
        if not keep_alive or self.parser.should_upgrade():
            self.transport.close()
        elif found.status in (200, 304):
            self.answered = Memo(raw, self._forwarded(self._headers()), found.status)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stalled_at = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stalled_at = None

    def _is_idle(self) -> bool:
        """Nothing is being answered and the client reads what it got: an answer may be written at once."""
        cycle = self.cycle
        return (cycle is None or cycle.response_complete) and self.stalled_at is None

    def _send_again(self, memo: Memo, now: float) -> None:
        site = self.site
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        bucket = self.bucket if memo.address is None else site.limiter.bucket(memo.address, now)
        wait_s = site.limiter.wait_s(bucket, now)
        if wait_s > 0:
            site.served[429] += 1
            self.transport.write(wire(_too_many(wait_s), self.server_state.default_headers))
            return
        site.served[memo.status] += 1
        self.transport.write(memo.wire)

    def _headers(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for name, value in self.headers:
            found[name] = found[name] + b", " + value if name in _JOINED and name in found else value
        return found

    def _forwarded(self, headers: dict[bytes, bytes]) -> str | None:
        """The client's address as our own proxy wrote it: the last of the list."""
        if not self.site.settings.feed.trust_forwarded_for or b"x-forwarded-for" not in headers:
            return None
        return headers[b"x-forwarded-for"].rpartition(b",")[2].strip().decode("latin-1")[:64]

    def _limited(self, address: str | None) -> Answer | None:
        now = self.loop.time()
        limiter = self.site.limiter
        wait_s = limiter.wait_s(self.bucket if address is None else limiter.bucket(address, now), now)
        return _too_many(wait_s) if wait_s > 0 else None

    def _refuse(self, found: Answer) -> None:
        self.site.served[found.status] += 1
        self.transport.write(wire(found, self.server_state.default_headers, close=True))
        self.transport.close()

    def _look(self) -> None:
        """Ends a connection that is silent, sends half a request, or does not read."""
        if self.transport is None or self.transport.is_closing():
            if self.transport is not None:
                self.transport.abort()  # closing for a whole round: the peer does not take the rest
            return
        now = self.loop.time()
        if self.stalled_at is not None and now - self.stalled_at > STALLED_WRITE_S:
            self.transport.abort()
            return
        if self.is_partial and now - self.begun_at > REQUEST_TIMEOUT_S:
            self._refuse(refusal(408, "The request did not end in time."))
        elif not self.is_partial and self._is_idle() and now - self.seen_at > self.timeout_keep_alive:
            self.transport.close()
        self.watch = self.loop.call_later(WATCH_S, self._look)


def _too_many(wait_s: float) -> Answer:
    return refusal(429, "More requests than one client may send.", max(1, int(wait_s + 0.999)))


def _application(found: Answer) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in found.headers.items()]
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        await send({"type": "http.response.body", "body": found.body})

    return app
