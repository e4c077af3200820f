"""How often does a lot move, counted by hand? What the database learns day by day must come to the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from streams.parking.movement import ENOUGH_OBSERVED_S, HOURS_OF_WEEK, LONGEST_STEP_S


def rates_of(points: Iterable[tuple[datetime, int]], zone: ZoneInfo) -> list[float | None]:
    """Changes an hour for each hour of the week, from the (time, count) history of a lot, oldest first."""
    changes = [0] * HOURS_OF_WEEK
    observed_s = [0.0] * HOURS_OF_WEEK
    before: tuple[datetime, int] | None = None
    for at, count in points:
        if before is not None and at > before[0] and at - before[0] <= timedelta(seconds=LONGEST_STEP_S):
            hour = at.astimezone(zone)
            index = hour.weekday() * 24 + hour.hour
            observed_s[index] += (at - before[0]).total_seconds()
            changes[index] += count != before[1]
        before = (at, count)
    return [
        None if seconds < ENOUGH_OBSERVED_S else number * 3600 / seconds
        for number, seconds in zip(changes, observed_s, strict=True)
    ]
