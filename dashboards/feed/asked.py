"""What does a query ask for? Instants, ranges and names of files as clients write them; a fault says how to mend it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

import msgspec

_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_LOST_PLUS = re.compile(r" (\d{2}:?\d{2})$")
_SNAPSHOT = re.compile(r"^(\d{4})-(\d{2})-(\d{2})T(\d{2})(\d{2})(?:([+\- ])(\d{2})(\d{2})|Z)\.json$", re.ASCII)
_DUMP = re.compile(r"^(\d{4})-(\d{2})-(\d{2})\.(csv|parquet)$", re.ASCII)
STAY_LIMIT = timedelta(days=7)


class BadRequest(ValueError):
    """The message is shown to the client."""


class NotThere(LookupError):
    """The message is shown to the client."""


class DumpName(msgspec.Struct, frozen=True):
    day: date
    kind: Literal["csv", "parquet"]


def instant(name: str, text: str) -> datetime:
    """RFC 3339 with an offset. A "+" that became a space on its way through a form is taken as the "+" it was.

    Raises BadRequest.
    """
    try:
        at = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text.strip()))
    except ValueError:
        raise BadRequest(f"{name}={text[:64]!r} is no time; write 2026-11-24T18:40+08:00 (%2B for the plus).") from None
    if at.tzinfo is None:
        raise BadRequest(f"{name}={text[:64]!r} has no offset; write 2026-11-24T18:40+08:00 (%2B for the plus).")
    if not _EARLIEST <= at < _LATEST:
        raise BadRequest(f"{name}={text[:64]!r} lies outside 2015 .. 2100.")
    return at.astimezone(UTC)


def stay(text: str) -> timedelta:
    """An ISO 8601 duration. Raises BadRequest."""
    try:
        found = msgspec.convert(text.strip().upper(), timedelta)
    except (msgspec.ValidationError, OverflowError):
        raise BadRequest(f"stay={text[:64]!r} is no duration; write PT2H or PT90M.") from None
    if not timedelta(0) <= found <= STAY_LIMIT:
        raise BadRequest("stay lies outside PT0S .. P7D.")
    return found


def snapshot_minute(name: str) -> datetime:
    """2026-11-24T1031+0800.json. Raises NotThere when the name is none."""
    found = _SNAPSHOT.match(name)
    if found is None:
        raise NotThere("Snapshots are called 2026-11-24T1031+0800.json: a minute with its offset.")
    year, month, day, hour, minute, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=timezone(offset))
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotThere(f"{name} names no minute.") from None


def snapshot_name(at: datetime) -> str:
    return f"{at.strftime('%Y-%m-%dT%H%M%z')}.json"


def dump_name(name: str) -> DumpName:
    """2026-11-23.csv or .parquet. Raises NotThere when the name is none."""
    found = _DUMP.match(name)
    try:
        if found is not None:
            kind: Literal["csv", "parquet"] = "csv" if found[4] == "csv" else "parquet"
            return DumpName(date(int(found[1]), int(found[2]), int(found[3])), kind)
    except ValueError:
        pass
    raise NotThere("Dumps are called 2026-11-23.csv or 2026-11-23.parquet: a day of the district's own time.")
