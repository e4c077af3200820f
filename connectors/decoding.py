"""What does a decoder get, and what does it give back? Values in, rows and rejects out; no clock, no I/O.

Rules that all decoders keep:
- One item is one pool of one lot. A row or a reject for each; a document that cannot be read is one reject.
- What stands where a number or a time should and is none ("490 (79%)", "yesterday") rejects its item: half a reading
  is not passed on as a whole one. The reject's raw holds the text.
- The raw of a reject is a document of the same format with that item alone: mended, it can be decoded again.
- An unknown word is never guessed: a pool keeps it as its name, a status is `unknown` with the flag `unknown_status`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas import batch, parking
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


def context_of(
    source: Source, received_at: datetime, future_limit_s: float = 120.0, rows_limit: int = 50_000
) -> SourceContext:
    return SourceContext(
        source=source.name,
        received_at=received_at,
        zone=ZoneInfo(source.time_zone),
        crs=source.crs,
        time_basis=source.time_basis or None,
        pools=source.pools,
        authoritative=source.authoritative,
        future_limit_s=future_limit_s,
        rows_limit=rows_limit,
        topic=source.topic,
        options=source.options,
    )


def raw_ref(payload: bytes) -> str:
    """The name of a payload in rows: the first 16 hex digits of its sha256."""
    return hashlib.sha256(payload).hexdigest()[:16]


def reject(source: SourceContext, raw: bytes | str | Any, reason: str, detail: str) -> Reject:
    """A reject of an item. `raw` is its bytes, its text, or the decoded JSON value of it."""
    data = _bytes_of(raw)
    digest = hashlib.sha256(data).hexdigest() if len(data) > RAW_LIMIT_BYTES else None
    text, encoding = _text_of(data[:RAW_LIMIT_BYTES], cut=digest is not None)
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


def _bytes_of(raw: bytes | str | Any) -> bytes:
    if isinstance(raw, bytes):
        return raw
    if isinstance(raw, str):
        return raw.encode(errors="replace")
    try:
        return msgspec.json.encode(raw)
    except (RecursionError, TypeError, ValueError, OverflowError):  # nearly too deep to decode, too deep to encode
        return shown(raw).encode()


def _text_of(data: bytes, cut: bool) -> tuple[str, str]:
    """The data as text where it is text, else base64. A cut may have split the last character: it is left out."""
    for end in range(len(data), max(-1, len(data) - 4), -1) if cut else (len(data),):
        try:
            text = data[:end].decode()
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text, "utf-8"
        break
    return base64.b64encode(data[: RAW_LIMIT_BYTES * 3 // 4]).decode(), "base64"


def shown(value: Any) -> str:
    """A foreign value in a message: short whatever it is, even where `repr` would be long or too deep."""
    if isinstance(value, str):
        return repr(value[:80])
    if isinstance(value, (list, dict)):
        return f"{'an array' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(value)[:80]


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
        return row_of(source, fields)
    except Unreadable as error:
        return reject(source, raw, error.reason, error.detail)


def row_of(source: SourceContext, fields: dict[str, Any]) -> Observation:
    """The observation of these fields and this source. Raises Unreadable contract."""
    fields["source"] = source.source
    fields["received_at"] = source.received_at
    try:
        row = msgspec.convert(fields, Observation)
        # The quick road: what can be printed has no control character. The full check costs more than all the decoding.
        plain = row.raw_text is None and all(map(str.isprintable, (row.ref, row.pool, *row.flags)))
        parking.check(row) if plain else batch.check(row)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable("contract", str(error)) from error
    return row
