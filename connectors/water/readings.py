"""Which reading do these fields make? What all water decoders share: the row, its time, its number in our units.

A quantity that has no word of ours is element `other` as it came and in its own unit; `code` is the source's word for
it and part of its series.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.decoding import SourceContext, Unreadable, shown
from connectors.times import instant
from schemas import batch, water
from schemas.fields import EARLIEST
from schemas.water import StationReading

FOOT_M = Decimal("0.3048")
LARGEST = Decimal(10**9)
FACTORS: dict[str, Decimal] = {  # from a source's unit to ours
    "m": Decimal(1), "mm": Decimal("0.001"), "cm": Decimal("0.01"), "ft": FOOT_M,
    "m3_s": Decimal(1), "m3/s": Decimal(1), "l_s": Decimal("0.001"), "ft^3/s": FOOT_M**3, "ft3/s": FOOT_M**3,
    "m/s": Decimal(1), "ft/s": FOOT_M, "ft/sec": FOOT_M, "degC": Decimal(1), "deg C": Decimal(1),
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,12})?([eE][+-]?\d{1,2})?", re.ASCII)


def reading_of(source: SourceContext, fields: dict[str, Any]) -> StationReading:
    """The reading of these fields and this source. Raises Unreadable contract."""
    fields = {"source": source.source, "received_at": source.received_at, **fields}
    try:
        row = msgspec.convert(fields, StationReading)
        plain = all(map(str.isprintable, (row.station, row.code or "", *row.flags)))
        water.check(row) if plain else batch.check(row)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable("contract", str(error)) from error
    return row


def observed_at(value: Any, source: SourceContext, *, form: str = "iso") -> datetime:
    """When a source says that it was. Raises Unreadable missing_time, bad_time, sentinel_time, future_time."""
    at = instant(value, form, source.zone)
    if at is None:
        raise Unreadable("missing_time", "a reading without a time")
    if at < EARLIEST:
        raise Unreadable("sentinel_time", f"{at.isoformat()} is before any of its readings")
    if at > source.received_at + timedelta(seconds=source.future_limit_s):
        ahead = (at - source.received_at).total_seconds()
        raise Unreadable("future_time", f"{at.isoformat()} is {ahead:.0f} s ahead of the receive time")
    return at


def scaled(value: Any, field: str, factor: Decimal = Decimal(1)) -> float | None:
    """A number in our unit, exact in decimal digits (1.59 ft is 0.484632 m); None for null and empty.

    Raises Unreadable bad_number.
    """
    if value is None or value == "":
        return None
    text = repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > 40 or not _NUMBER.fullmatch(text.strip()):
        raise Unreadable("bad_number", f"{field} is {shown(value)}")
    try:
        number = Decimal(text.strip()) * factor
    except InvalidOperation as error:
        raise Unreadable("bad_number", f"{field} is {shown(value)}") from error
    if abs(number) >= LARGEST:
        raise Unreadable("bad_number", f"{field} is {shown(value)}, larger than any reading")
    return float(number) + 0.0  # no minus zero


def words(*found: str | None) -> tuple[str, ...]:
    """The flags that are said, each once."""
    return tuple(dict.fromkeys(word for word in found if word))
