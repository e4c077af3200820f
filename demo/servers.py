"""The operators' servers: one ASGI app that answers for all of them, with ETag, 304, gzip and a key where it needs one.

A document is made once a minute. Now and then a server is away for two minutes (503), as real ones are.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote

import msgspec

from demo.documents import document, lta_page, npr_lot
from demo.draws import draw
from demo.faults import PUBLISHED_BEFORE_S
from demo.occupancy import minute_of
from demo.operators import BY_SOURCE, OPERATORS, Operator
from demo.sources import secret_variable

Scope = dict[str, object]
Receive = Callable[[], Awaitable[Mapping[str, object]]]
Send = Callable[[dict[str, object]], Awaitable[None]]

_OUTAGE_SLOT_MIN = 8 * 60
_OUTAGE_MIN = 2


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def is_away(operator: Operator, minute: int) -> bool:
    """Two minutes in each third of a day for one operator in three. Never the first minutes after a full hour."""
    slot, into = divmod(minute, _OUTAGE_SLOT_MIN)
    if draw("outage", operator.source, slot) >= 0.33:
        return False
    begin = int(draw("outage begin", operator.source, slot) * (_OUTAGE_SLOT_MIN // 60)) * 60 + 37
    return begin <= into < begin + _OUTAGE_MIN


class Servers:
    """The documents of the minute that was asked for last, and the secrets that a client must show."""

    def __init__(self, environ: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._environ = environ
        self._now = now
        self._minute = -1
        self._made: dict[tuple[str, str], bytes | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        given = {name.decode().lower(): value.decode() for name, value in scope["headers"]}  # type: ignore[attr-defined]
        query = parse_qs(bytes(scope["query_string"]).decode())  # type: ignore[call-overload]
        method, path = str(scope["method"]), unquote(str(scope["path"]))
        found = self.answer(method, path, {name: values[0] for name, values in query.items()}, given)
        headers = [("content-type", found.content_type), ("content-length", str(len(found.body))), *found.headers]
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": found.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else found.body})

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if method not in ("GET", "HEAD"):
            return _refusal(405, "only GET and HEAD")
        if path in ("/", "/health"):
            return Answer(body=b'{"status":"ok"}')
        operator, ref = _asked(path)
        if operator is None:
            return _refusal(404, "nobody answers here")
        minute = minute_of(self._now() + timedelta(seconds=PUBLISHED_BEFORE_S))
        if is_away(operator, minute):
            return Answer(status=503, body=b"maintenance", content_type="text/plain", headers=(("retry-after", "30"),))
        if operator.decoder == "lta" and not self._has_key(operator, headers.get("accountkey", "")):
            return _refusal(401, "AccountKey is missing or wrong")
        body = self._document(operator, minute, query.get("$skip", "0"), ref)
        if body is None:
            return _refusal(404, "there is no such lot")
        return _representation(body, "xml" if operator.decoder == "datex2" else "json", headers)

    def _document(self, operator: Operator, minute: int, skip: str, ref: str) -> bytes | None:
        if minute != self._minute:
            self._minute, self._made = minute, {}
        part = ref or (skip if operator.decoder == "lta" and skip.isdecimal() and len(skip) < 9 else "0")
        key = (operator.source, part)
        if key not in self._made:
            if operator.decoder == "npr":
                self._made[key] = npr_lot(operator, minute, ref)
            elif operator.decoder == "lta":
                self._made[key] = lta_page(operator, minute, int(part))
            else:
                self._made[key] = document(operator, minute)
        return self._made[key]

    def _has_key(self, operator: Operator, given: str) -> bool:
        wanted = self._environ.get(secret_variable(operator.source), "")
        return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def _asked(path: str) -> tuple[Operator | None, str]:
    for operator in OPERATORS:
        if operator.pushes:
            continue
        stem, found, _ = operator.path.partition("{ref}")
        if found and path.startswith(stem) and len(path) < len(stem) + 64:
            return operator, path.removeprefix(stem)
        if path == operator.path:
            return operator, ""
    return None, ""


def _representation(body: bytes, kind: str, headers: Mapping[str, str]) -> Answer:
    """Strong validators: gzip has one of its own."""
    packed = "gzip" in headers.get("accept-encoding", "")
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}{"-gz" if packed else ""}"'
    told = [("etag", tag), ("vary", "Accept-Encoding"), ("cache-control", "max-age=30")]
    if headers.get("if-none-match") == tag:
        return Answer(status=304, content_type=f"application/{kind}", headers=tuple(told))
    if packed:
        body = gzip.compress(body, 6, mtime=0)
        told.append(("content-encoding", "gzip"))
    return Answer(body=body, content_type=f"application/{kind}; charset=utf-8", headers=tuple(told))


def _refusal(status: int, why: str) -> Answer:
    return Answer(status=status, body=why.encode(), content_type="text/plain")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


assert len(BY_SOURCE) == len(OPERATORS)  # noqa: S101 a source that stands twice would answer for another
