"""njytb: in which windows may a shared bay be used? Rows for `registers.changes`, one for each window of one bay.

parkingType 5, hourly share: startTime and endTime bound the entry of one car (entry_only). parkingType 8, monthly
share: they are the period, and timeSegments[] the windows of its weeks (`weekly`, 1-7 = Monday-Sunday, or `daily`);
without segments it is the whole day. Clock times come un-padded ("8:30") and without a zone: the source's.

A window is one bay, so `spaces` is 1, and the windows of different bays add up. window_id is `<bay>:<digest>` of the
source, lot, bay, type, period and segment, never of the plate: two cars that share one bay in the same window use one
space between them, not two. Without a bay nobody can tell how many spaces there are: that is a reject. A message is
the same window whenever it comes, so it is version 1 for ever; a changed period is another window. The documents show
no message that withdraws one.

Signature and token are as in lpr.py; the vendor's own were not visible.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref, shown
from connectors.numbers import whole
from connectors.parking import plates, signing
from connectors.parking.answers import Answer, json_answer
from connectors.parking.messages import Message, decoded, objects, stripped
from connectors.times import instant
from connectors.words import ident
from schemas.batch import Row, check
from schemas.fields import EARLIEST
from schemas.registers import ShareWindowChange
from schemas.source import Reject

TOPIC = "registers.changes"
_HOURLY, _MONTHLY = 5, 8
_CLOCK = re.compile(r"^\s*(\d{1,2}):(\d{2})(?::00)?\s*$", re.ASCII)
_SEGMENTS = 64  # windows of one message


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    ref: str
    bay: str
    product: Literal["hourly", "monthly"]
    valid_from: datetime
    valid_to: datetime
    weekdays: tuple[int, ...] = ()
    start: str
    end: str


def decode(payload: bytes, source: SourceContext) -> Decoded:
    name = raw_ref(payload)
    return decoded(payload, source, lambda message: _windows(message, source, name))


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    now: datetime,
    window_s: int,
    options: Mapping[str, Any] = signing.NO_OPTIONS,
) -> str | None:
    """None, or the reason word why this is not, or not lately, from the vendor."""
    return signing.stamped_header_verdict(body, headers, secret, now, window_s, options)


def replay_id(body: bytes) -> str | None:
    return signing.body_identity(body)


def answer(ok: bool, detail: str) -> Answer:
    return json_answer(ok, detail, {"code": 0 if ok else 1, "message": "success" if ok else detail})


def _windows(message: Message, source: SourceContext, name: str) -> Iterator[Row | Reject]:
    kind = whole(message.get("parkingType"), "parkingType")
    if kind not in (_HOURLY, _MONTHLY):
        raise Unreadable("unknown_type", f"parkingType {shown(message.get('parkingType'))} is no share")
    ref = ident(message.get("parkingLotId"), "parkingLotId")
    bay = ident(message.get("parkingCode"), "parkingCode")
    begin, end = _period(message, source)
    if kind == _HOURLY:
        yield _row(_hourly(ref, bay, begin, end, source), message, source, name)
        return
    segments = objects(message.get("timeSegments"), "timeSegments", _SEGMENTS)
    whole_day = {"repeatType": "daily", "startTime": "0:00", "endTime": "24:00"}
    for segment in segments or [whole_day]:
        raw = {**message, "timeSegments": [segment]}
        try:
            weekdays, start, finish = _segment(stripped(segment))
        except Unreadable as error:
            yield plates.reject(source, raw, error.reason, error.detail)
            continue
        window = _Window(
            ref=ref,
            bay=bay,
            product="monthly",
            valid_from=begin,
            valid_to=end,
            weekdays=weekdays,
            start=start,
            end=finish,
        )
        yield _row(window, raw, source, name)


def _period(message: Message, source: SourceContext) -> tuple[datetime, datetime]:
    begin = instant(message.get("startTime"), "iso", source.zone)
    end = instant(message.get("endTime"), "iso", source.zone)
    if begin is None or end is None:
        raise Unreadable("bad_time", "startTime or endTime is missing")
    if begin >= end or begin < EARLIEST:
        raise Unreadable("bad_period", f"{begin.isoformat()} to {end.isoformat()} is no period")
    return begin, end


def _hourly(ref: str, bay: str, begin: datetime, end: datetime, source: SourceContext) -> _Window:
    is_long = end - begin > timedelta(days=1)  # clock times cannot say it: the period alone bounds it
    start = "00:00" if is_long else begin.astimezone(source.zone).strftime("%H:%M")
    finish = "24:00" if is_long else _finish(end.astimezone(source.zone).strftime("%H:%M"))
    return _Window(ref=ref, bay=bay, product="hourly", valid_from=begin, valid_to=end, start=start, end=finish)


def _segment(segment: Message) -> tuple[tuple[int, ...], str, str]:
    repeat = segment.get("repeatType")
    if repeat not in ("weekly", "daily"):
        raise Unreadable("unknown_repeat", f"repeatType is {shown(repeat)}")
    days: set[int | None] = set()
    if repeat == "weekly":
        days = {whole(day, "repeatData") for day in objects(segment.get("repeatData"), "repeatData", _SEGMENTS)}
        if not days or not days <= {1, 2, 3, 4, 5, 6, 7}:
            raise Unreadable("bad_weekday", f"repeatData is {shown(segment.get('repeatData'))}, not of 1-7")
    start, end = _clock(segment.get("startTime"), "startTime"), _clock(segment.get("endTime"), "endTime")
    weekdays = tuple(sorted(day for day in days if day is not None))
    return weekdays, "00:00" if start == "24:00" else start, _finish(end)


def _finish(clock: str) -> str:
    """Midnight as an end is 24:00, however it is written: one window has one id."""
    return "24:00" if clock == "00:00" else clock


def _clock(value: Any, field: str) -> str:
    match = _CLOCK.match(value) if isinstance(value, str) and len(value) <= 16 else None
    hour, minute = (int(match[1]), int(match[2])) if match else (99, 99)
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise Unreadable("bad_time", f"{field} is {shown(value)}, no time of day")
    return f"{hour:02d}:{minute:02d}"


def _row(window: _Window, raw: Any, source: SourceContext, name: str) -> Row | Reject:
    if plates.names_a_car_or_person(window.ref) or plates.names_a_car_or_person(window.bay):
        return plates.reject(source, raw, "personal", "the lot or the bay names a car or a person")
    if len(window.bay) > 64:
        return plates.reject(source, raw, "contract", f"parkingCode has {len(window.bay)} characters")
    digest = hashlib.sha256(msgspec.json.encode((source.source, window))).hexdigest()[:24]
    fields = msgspec.structs.asdict(window)
    fields |= {
        "source": source.source,
        "window_id": f"{fields.pop('bay')}:{digest}",
        "spaces": 1,
        "entry_only": window.product == "hourly",
        "received_at": source.received_at,
        "raw_ref": name,
    }
    try:
        row = msgspec.convert(fields, ShareWindowChange)
        check(row)
    except (ValueError, TypeError) as error:
        return plates.reject(source, raw, "contract", str(error))
    return row
