"""Into which sums does a reading go, and which of them are closed? Steps of 5 minutes, an hour and a local day.

A sum is computed when the log's clock has passed its end, and again whenever one of its readings comes after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

STEP: Final = 5
HOUR: Final = 60
DAY: Final = 1440
STEPS: Final = (STEP, HOUR, DAY)  # minutes; each is made of the one before
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Bucket = tuple[int, datetime]  # its step in minutes and its start


def start_of(at: datetime, step_min: int, zone: tzinfo) -> datetime:
    if step_min == STEP:
        return EPOCH + (at - EPOCH) // timedelta(minutes=STEP) * timedelta(minutes=STEP)
    local = at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    return (local.replace(hour=0, fold=0) if step_min == DAY else local).astimezone(UTC)


def end_of(start: datetime, step_min: int, zone: tzinfo) -> datetime:
    if step_min == DAY:  # a day may have 23 hours
        tomorrow = start.astimezone(zone).date() + timedelta(days=1)
        return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).astimezone(UTC)
    return start + timedelta(minutes=step_min)


def closed_between(since: datetime, until: datetime, zone: tzinfo) -> Iterator[Bucket]:
    """The sums that end after `since` and not after `until`."""
    for step_min in STEPS:
        start = start_of(since, step_min, zone)
        while (end := end_of(start, step_min, zone)) <= until:
            if end > since:
                yield step_min, start
            start = end


def closed_of(at: datetime, until: datetime, zone: tzinfo) -> Iterator[Bucket]:
    """The sums that a reading of this time goes into, of those that ended by `until`."""
    for step_min in STEPS:
        start = start_of(at, step_min, zone)
        if end_of(start, step_min, zone) > until:
            return
        yield step_min, start
