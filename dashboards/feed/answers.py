"""Which answer does a request for a prepared body get? HTTP semantics (RFC 9110, 9111), pure: time is an argument."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

import msgspec

from dashboards.feed import page, problems
from dashboards.feed.encodings import Prepared, chosen, matches

METHODS = "GET, HEAD, OPTIONS"
EXPOSED = "ETag, Last-Modified, Content-Length, Retry-After, X-Next-Update, X-Data-Stale, X-Stale-Since, Warning"
PUBLISH_WITHIN_S = 5  # a minute is out this long after its tick at the latest
STATIC_MAX_AGE_S = 300
STALE_MAX_AGE_S = 5
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """What the clock says about the edition. stale_since: since when it should have been followed by another."""

    now: datetime
    next_tick: datetime  # in the district's offset: it is shown
    stale_since: datetime | None = None


def answer(method: str, headers: Mapping[bytes, bytes], found: Prepared, freshness: Freshness) -> Answer:
    """GET and HEAD of a prepared body; anything else is told so."""
    if method == "OPTIONS":
        return options()
    if method not in ("GET", "HEAD"):
        return refusal(405, f"{method} is not possible here.", Allow=METHODS)
    encoding = chosen(headers.get(b"accept-encoding"), tuple(found.variants))
    if encoding is None:
        return refusal(406, "The request accepts none of the encodings gzip, br and identity.", Vary="Accept-Encoding")
    variant = found.variants[encoding]
    fields = {
        "ETag": variant.etag,
        "Last-Modified": format_datetime(found.modified_at.astimezone(UTC), usegmt=True),
        "Vary": "Accept-Encoding",
        **cors(),
        **caching(found, freshness),
    }
    if _is_current(headers, variant.etag, found.modified_at):
        return Answer(304, fields, b"")
    fields["Content-Type"] = found.media_type
    fields["X-Content-Type-Options"] = "nosniff"
    if found.media_type.startswith("text/html"):
        fields.update(page.HEADERS)
    if encoding != "identity":
        fields["Content-Encoding"] = encoding
    fields["Content-Length"] = str(len(variant.body))
    return Answer(200, fields, b"" if method == "HEAD" else variant.body)


def caching(found: Prepared, freshness: Freshness) -> dict[str, str]:
    if found.policy == "immutable":
        return {"Cache-Control": "public, max-age=31536000, immutable"}
    if found.policy == "static":
        return {"Cache-Control": f"public, max-age={STATIC_MAX_AGE_S}"}
    if freshness.stale_since is not None:
        return {
            "Cache-Control": f"public, max-age={STALE_MAX_AGE_S}, stale-if-error=300",
            "X-Data-Stale": "true",
            "X-Stale-Since": freshness.stale_since.isoformat(timespec="seconds"),
            "Warning": '110 - "Response is Stale"',
        }
    left_s = int((freshness.next_tick - freshness.now).total_seconds())
    # clients that ask in different seconds are sent to different seconds, not all to the tick
    jitter_s = PUBLISH_WITHIN_S + zlib.crc32(str(left_s).encode()) % PUBLISH_WITHIN_S
    at = freshness.next_tick + timedelta(seconds=jitter_s)
    return {
        "Cache-Control": f"public, max-age={max(1, left_s)}, stale-while-revalidate=15, stale-if-error=300",
        "X-Next-Update": at.isoformat(timespec="seconds"),
    }


def cors() -> dict[str, str]:
    return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}


def options() -> Answer:
    fields = {
        "Allow": METHODS,
        **cors(),
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": "If-None-Match, If-Modified-Since, Last-Event-ID, Cache-Control, Accept",
        "Access-Control-Max-Age": "86400",
    }
    return Answer(204, fields, b"")


def refusal(status: int, detail: str, retry_after_s: int | None = None, **more: str) -> Answer:
    body = problems.problem(status, detail)
    fields = {**problems.headers(retry_after_s, **more), **cors(), "Content-Length": str(len(body))}
    return Answer(status, fields, body)


def wire(found: Answer, defaults: list[tuple[bytes, bytes]], *, close: bool = False) -> bytes:
    """The answer as it goes over an HTTP/1.1 connection."""
    lines = [f"HTTP/1.1 {found.status} {_PHRASES[found.status]}\r\n".encode("latin-1")]
    lines.extend(name + b": " + value + b"\r\n" for name, value in defaults)
    lines.extend(f"{name}: {value}\r\n".encode("latin-1") for name, value in found.headers.items())
    if close:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    lines.append(found.body)
    return b"".join(lines)


def _is_current(headers: Mapping[bytes, bytes], etag: str, modified_at: datetime) -> bool:
    wanted = headers.get(b"if-none-match")
    if wanted is not None:
        return matches(wanted, etag)
    since = headers.get(b"if-modified-since")
    if since is None:
        return False
    try:
        at = parsedate_to_datetime(since.decode("latin-1"))
    except (ValueError, TypeError):
        return False  # a date that is none is ignored (RFC 9110 13.1.3)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return modified_at.replace(microsecond=0) <= at
