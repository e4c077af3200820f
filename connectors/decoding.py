"""What does a decoder get, and what does it give back? Values in, rows and rejects out; no clock, no I/O."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.batch import Row
from schemas.parking import Observation, TimeBasis
from schemas.settings import Source
from schemas.source import RAW_LIMIT_BYTES, Reject


class SourceContext(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decoder may know besides the payload. Configuration, never a guess."""

    source: str
    received_at: datetime
    zone: ZoneInfo
    crs: str = "EPSG:4326"
    time_basis: TimeBasis | None = None  # None: as the format has it
    pools: Mapping[str, str] = {}
    authoritative: str = "free"
    future_limit_s: float = 120.0  # reference parking 5.1
    rows_limit: int = 50_000
    topic: str = "parking.observations"
    options: Mapping[str, Any] = {}


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a payload: items == len(rows) + len(rejects), where an item is one pool of one lot.

    A document that cannot be read at all is one item and one reject.
    """

    rows: list[Row]
    rejects: list[Reject]

    @property
    def items(self) -> int:
        return len(self.rows) + len(self.rejects)


class Unreadable(ValueError):
    """The reason why an item or a document is no row: `reason` is a word to count by, `detail` helps to mend it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def context_of(source: Source, received_at: datetime, future_limit_s: float = 120.0) -> SourceContext:
    return SourceContext(
        source=source.name,
        received_at=received_at,
        zone=ZoneInfo(source.time_zone),
        crs=source.crs,
        time_basis=source.time_basis or None,
        pools=source.pools,
        authoritative=source.authoritative,
        future_limit_s=future_limit_s,
        topic=source.topic,
        options=source.options,
    )


def raw_ref(payload: bytes) -> str:
    """The name of a payload in rows: the first 16 hex digits of its sha256."""
    return hashlib.sha256(payload).hexdigest()[:16]


def reject(source: SourceContext, raw: bytes | str | Any, reason: str, detail: str) -> Reject:
    """A reject of an item. `raw` is its bytes, its text, or the decoded JSON value of it."""
    data = raw if isinstance(raw, bytes) else raw.encode() if isinstance(raw, str) else msgspec.json.encode(raw)
    digest = hashlib.sha256(data).hexdigest() if len(data) > RAW_LIMIT_BYTES else None
    head = data[:RAW_LIMIT_BYTES]
    try:
        text, encoding = head.decode(), "utf-8"
        if "\x00" in text:
            raise ValueError
    except ValueError:
        text, encoding = base64.b64encode(head[: RAW_LIMIT_BYTES * 3 // 4]).decode(), "base64"
    return Reject(
        source=source.source,
        reason=reason,
        detail=detail.replace("\x00", "\\0")[:2000],
        raw=text,
        raw_encoding=encoding,
        raw_sha256=digest,
        topic=source.topic,
        received_at=source.received_at,
    )


def json_document(payload: bytes) -> Any:
    """The JSON value of a payload, with or without a byte order mark.

    Raises Unreadable: not_json (also NaN and Infinity, which JSON has not), too_deep.
    """
    data = payload[3:] if payload.startswith(b"\xef\xbb\xbf") else payload
    try:
        return msgspec.json.decode(data)
    except RecursionError as error:
        raise Unreadable("too_deep", "nested deeper than any feed is") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("not_json", str(error)) from error


def observation(source: SourceContext, raw: Any, **fields: Any) -> Observation | Reject:
    """An observation that keeps the contract, or the reject that says which rule it breaks."""
    try:
        made = Observation(source=source.source, received_at=source.received_at, **fields)
        return msgspec.convert(msgspec.structs.asdict(made), Observation)
    except (ValueError, TypeError) as error:
        return reject(source, raw, "contract", str(error))
