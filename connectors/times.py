"""When was it true? One parser, driven by a table, for every way in which sources write a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.decoding import SourceContext, Unreadable
from schemas.fields import EARLIEST

_ISO = re.compile(
    r"^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(value: Any, form: str, zone: ZoneInfo) -> datetime | None:
    """The aware UTC time of a foreign value; None for null and empty.

    form: iso (any precision; `zone` where it has none), unix_s, unix_ms (numbers or digits in a string),
    s_since_2000 (local seconds, TfNSW). Raises Unreadable bad_time.
    """
    if value is None or value == "":
        return None
    try:
        return _FORMS[form](value, zone)
    except (ValueError, OverflowError, TypeError, OSError) as error:
        raise Unreadable("bad_time", f"{str(value)[:80]!r} is no {form} time") from error


def checked(at: datetime | None, source: SourceContext) -> tuple[datetime | None, tuple[str, ...]]:
    """The time that may travel, and flags. A sentinel (before 2015) becomes null with `sentinel_time`.

    Raises Unreadable future_time when it lies more than future_limit_s ahead of the receive time.
    """
    if at is None:
        return None, ()
    if at < EARLIEST:
        return None, ("sentinel_time",)
    if at > source.received_at + timedelta(seconds=source.future_limit_s):
        ahead = (at - source.received_at).total_seconds()
        raise Unreadable("future_time", f"{at.isoformat()} is {ahead:.0f} s ahead of the receive time")
    return at, ()


def _iso(value: Any, zone: ZoneInfo) -> datetime:
    match = _ISO.match(str(value).strip())
    if not match:
        raise ValueError(value)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micros, tzinfo=zone)
    if offset == "Z":
        return local.replace(tzinfo=UTC)
    if offset:
        sign = -1 if offset[0] == "-" else 1
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:])) * sign
        return local.replace(tzinfo=UTC) - shift
    return local.astimezone(UTC)


def _unix(value: Any, per_second: int) -> datetime:
    if isinstance(value, bool) or not re.match(r"^-?\d{1,16}$", str(value).strip(), re.ASCII):
        raise ValueError(value)
    return _EPOCH + timedelta(microseconds=int(str(value).strip()) * (1_000_000 // per_second))


def _since_2000(value: Any, zone: ZoneInfo) -> datetime:
    at = datetime(2000, 1, 1) + timedelta(seconds=int(str(value).strip()))  # noqa: DTZ001 local until the next line
    return at.replace(tzinfo=zone).astimezone(UTC)


_FORMS: dict[str, Callable[[Any, ZoneInfo], datetime]] = {
    "iso": _iso,
    "unix_s": lambda value, zone: _unix(value, 1),
    "unix_ms": lambda value, zone: _unix(value, 1000),
    "s_since_2000": _since_2000,
}
