"""What does one pool of a car park offer this minute, and which of its sources says so?

Two sources of one pool meet here: the one with the lowest priority number leads while it is usable, else the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from schemas.minute import PoolMinute, Status
from schemas.parking import SourceStatus
from schemas.registers import Pool
from schemas.settings import Parking
from streams.parking.availability import REFUSALS
from streams.parking.freshness import LIVE, Age, freshness
from streams.parking.latest import Latest
from streams.parking.status import Thresholds, of_count, of_source

PROMPT = ("fresh", "aging")  # while the leader is slower than this, the next source may speak
WITHOUT_NUMBER = {"flag": "flag_only", "graded": "graded_only"}


class Spoken(msgspec.Struct, frozen=True):
    """Who speaks for a pool, how old that is, and whether the leading source had to be passed over."""

    newest: Latest | None
    age: Age
    is_fallback: bool = False


class Counted(msgspec.Struct, frozen=True):
    pool: Pool
    spoken: Spoken
    minute: PoolMinute
    overflow: int = 0


def speaker(candidates: Sequence[Latest], at: datetime, cadences: Mapping[str, float], limits: Parking) -> Spoken:
    """Of candidates in the order of their priority: the first prompt one, else the first live, else the newest."""
    if not candidates:
        return Spoken(None, freshness(None, at, limits.cadence_s, limits))
    ages = [freshness(newest, at, cadences.get(newest.source, limits.cadence_s), limits) for newest in candidates]
    for tiers in (PROMPT, LIVE):
        for place, (newest, age) in enumerate(zip(candidates, ages, strict=True)):
            if age.freshness in tiers and says_something(newest):
                return Spoken(newest, age, place > 0)
    place = max(range(len(candidates)), key=lambda n: (candidates[n].at, -n))
    return Spoken(candidates[place], ages[place], place > 0)


def says_something(newest: Latest) -> bool:
    if is_closed(newest):
        return True
    if "fault" in newest.flags:
        return False
    return (
        newest.available is not None
        or newest.available_max is not None
        or occupancy_said(newest) in ("open", "almost_full", "full")
    )


def occupancy_said(newest: Latest) -> SourceStatus | None:
    """The word of a source for how full it is. "open" where a count is missing says only that its gate is."""
    return None if newest.mode == "count" and newest.source_status == "open" else newest.source_status


def is_closed(newest: Latest) -> bool:
    return newest.mode == "closed" or newest.source_status == "closed"


def count(pool: Pool, spoken: Spoken, before: Status | None, limits: Thresholds, is_tz_suspect: bool) -> Counted:
    """The pool in this minute. What a source closed stays closed however old that is: closing is said once."""
    newest, age = spoken.newest, spoken.age
    if newest is None:
        return Counted(pool, spoken, _record(pool, spoken, pool.capacity, (), "unknown", reason=age.reason))
    capacity = newest.capacity_used if newest.capacity_used is not None else pool.capacity
    flags = newest.flags
    for is_found, flag in ((spoken.is_fallback, "fallback_source"), (is_tz_suspect, "tz_suspect")):
        if is_found:
            flags = (*flags, flag)
    if is_closed(newest):
        if newest.available:
            flags = (*flags, "closed_with_spaces")
        closed = _record(pool, spoken, capacity, flags, "closed", (0, 0, 0), "closed_by_source")
        return Counted(pool, spoken, closed)
    refused = _refusal(newest, age, is_tz_suspect)
    if refused is not None:
        return Counted(pool, spoken, _record(pool, spoken, capacity, flags, "unknown", reason=refused))
    if newest.available is None:
        status = of_source(occupancy_said(newest), newest.available_max, limits)
        bound = None if status == "unknown" else newest.available_max
        without: tuple[int | None, ...] = (
            None,
            None if bound is None else 0,
            bound if capacity is None or bound is None else min(bound, capacity),
        )
        is_mute = status == "unknown" and newest.available_max is None
        reason = "no_number" if is_mute else WITHOUT_NUMBER.get(newest.mode, "no_number")
        return Counted(pool, spoken, _record(pool, spoken, capacity, flags, status, without, reason))
    low, high = newest.available_min, newest.available_max
    available = newest.available
    numbers = _within(capacity, available, available if low is None else low, available if high is None else high)
    status = of_count(available, before, limits)
    return Counted(pool, spoken, _record(pool, spoken, capacity, flags, status, numbers), newest.overflow)


def _refusal(newest: Latest, age: Age, is_tz_suspect: bool) -> str | None:
    """Why what a series says cannot be published, or None."""
    if age.freshness not in LIVE:
        return "tz_suspect" if is_tz_suspect else age.reason
    if newest.available is None:
        return next((flag for flag in newest.flags if flag in REFUSALS), None)
    return None


def _within(capacity: int | None, *numbers: int) -> tuple[int, ...]:
    return numbers if capacity is None else tuple(min(number, capacity) for number in numbers)


def _record(
    pool: Pool,
    spoken: Spoken,
    capacity: int | None,
    flags: tuple[str, ...],
    status: Status,
    numbers: tuple[int | None, ...] = (None, None, None),
    reason: str | None = None,
) -> PoolMinute:
    newest = spoken.newest
    available = numbers[0]
    occupied = None
    if available is not None and newest is not None and status != "closed":
        occupied = newest.occupied if capacity is None else capacity - available + newest.overflow
    return PoolMinute(
        pool=pool.pool,
        vehicle=pool.vehicle,
        audience=pool.audience,
        exclusive=pool.exclusive,
        status=status,
        available=available,
        available_min=numbers[1],
        available_max=numbers[2],
        capacity=capacity,
        occupied=occupied,
        mode=None if newest is None else newest.mode,
        observed_at=None if newest is None else newest.observed_at,
        received_at=None if newest is None else newest.received_at,
        freshness=spoken.age.freshness,
        flags=flags,
        reason=reason,
        source=None if newest is None else newest.source,
    )
