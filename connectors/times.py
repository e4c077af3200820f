"""When was it true? One parser, driven by a table, for every way in which sources write a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from connectors.decoding import SourceContext, Unreadable, shown
from schemas.fields import EARLIEST
from schemas.parking import TimeBasis

_ISO = re.compile(
    r"^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$",
    re.ASCII,
)
_WHOLE = re.compile(r"^-?\d{1,16}$", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 64  # characters of a time, however it is written


def observed(
    value: Any, source: SourceContext, *, form: str = "iso", basis: TimeBasis = "lot", zone: tzinfo | None = None
) -> tuple[datetime | None, TimeBasis, tuple[str, ...]]:
    """observed_at, time_basis and flags of a row whose format says its time in `value`.

    `basis` is the format's, unless the source is configured otherwise; without a time it is `ingest`.
    A local time that the end of summer time has twice is the later one, unless that is still to come; it is flagged.
    Raises Unreadable bad_time, future_time.
    """
    basis = source.time_basis or basis
    if basis == "ingest":
        return None, "ingest", ()
    first, second = _read(value, form, zone or source.zone)
    if first is None:
        return None, "ingest", ()
    if second is None:
        at, flags = checked(first, source)
        return at, basis, flags
    latest = source.received_at + timedelta(seconds=source.future_limit_s)
    at, flags = checked(second if second <= latest else first, source)
    return at, basis, (*flags, "ambiguous_time")


def instant(value: Any, form: str, zone: tzinfo) -> datetime | None:
    """The aware UTC time of a foreign value; None for null and empty.

    form: iso (any precision; `zone` where it has none), unix_s, unix_ms (numbers or digits in a string),
    s_since_2000 (local seconds, TfNSW). Raises Unreadable bad_time.
    """
    return _read(value, form, zone)[0]


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


_Times = tuple[datetime, datetime | None]  # and the second time when the clock showed the same, if there is one


def _read(value: Any, form: str, zone: tzinfo) -> _Times | tuple[None, None]:
    if value is None or value == "":
        return None, None
    try:
        text = value if isinstance(value, str) else _digits(value)
        if len(text) > _LONGEST:
            raise ValueError(form)
        return _FORMS[form](text.strip(), zone)
    except (ValueError, OverflowError) as error:
        raise Unreadable("bad_time", f"{shown(value)} is no {form} time") from error


def _digits(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("neither text nor a whole number")
    return str(value)


@lru_cache(maxsize=4096)  # one stamp for all lots, or the same minute for most, is what feeds do
def _iso(text: str, zone: tzinfo) -> _Times:
    match = _ISO.match(text)
    if not match:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    parts = (int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micros)
    if offset and offset != "Z":
        sign = -1 if offset[0] == "-" else 1
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:])) * sign
        return datetime(*parts, tzinfo=UTC) - shift, None
    local = datetime(*parts, tzinfo=UTC if offset else zone)
    first, second_time = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    return first, second_time if second_time > first else None


def _unix(text: str, per_second: int) -> _Times:
    if not _WHOLE.match(text):
        raise ValueError(text)
    return _EPOCH + timedelta(microseconds=int(text) * (1_000_000 // per_second)), None


def _since_2000(text: str, zone: tzinfo) -> _Times:
    if not _WHOLE.match(text):
        raise ValueError(text)
    at = datetime(2000, 1, 1, tzinfo=zone) + timedelta(seconds=int(text))  # wall clock, so the sum is local too
    return at.astimezone(UTC), None


_FORMS: dict[str, Callable[[str, tzinfo], _Times]] = {
    "iso": _iso,
    "unix_s": lambda text, zone: _unix(text, 1),
    "unix_ms": lambda text, zone: _unix(text, 1000),
    "s_since_2000": _since_2000,
}
