"""When was it, if the station's clock is believed? And is it to be believed?

A clock that was never set says 2059; one that is ahead would make tomorrow's values of today's. Such a time is
quarantined: the reading is taken as of when it came, flag `clock`. A clock behind cannot be told from a late message.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from schemas.fields import EARLIEST

AHEAD_LIMIT = timedelta(minutes=5)


@lru_cache(maxsize=8192)  # stations report the same minutes
def instant(digits: str, zone: tzinfo) -> datetime | None:
    """The UTC time of YYMMDDHHmm or YYMMDDHHmmSS in a zone; None when it is no time."""
    if not digits.isdecimal() or len(digits) not in (10, 12):
        return None
    year, month, day, hour, minute, second = (int(digits[at : at + 2] or 0) for at in range(0, 12, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_wrong(at: datetime | None, received_at: datetime) -> bool:
    return at is None or not EARLIEST <= at <= received_at + AHEAD_LIMIT


def off_s(sent: str, received_at: datetime, zone: tzinfo) -> float | None:
    """How far a station's clock is ahead, in seconds, by the time in a message; None when it is no time.

    Only a message that was not held back tells: a station that was offline sends old ones with their old times.
    """
    at = instant(sent, zone)
    return None if at is None else (at - received_at).total_seconds()
