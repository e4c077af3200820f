"""When may minute M be computed? The one place where the wall clock has a say, and only about when, never about what.

M is computed when every clock of the log has passed it, or at M + grace by the wall, and is late then. A clock that is
far behind and runs is a backlog being applied (after an outage): such a minute waits a little for it, so that the
missed minutes come out right at once instead of late and then revised.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

MINUTE = timedelta(minutes=1)
BACKLOG = timedelta(seconds=15)  # further behind than ticks and takes explain
RUNS = timedelta(seconds=3)  # the clock moved within this: the backlog is being applied
HOLE = timedelta(hours=2)  # missed and without a word in the log: such minutes are jumped, shorter holes are computed
LISTEN = timedelta(seconds=30)  # how long the log gets to speak after such a time, before its silence is believed
PATIENCE = timedelta(seconds=10)  # how long one minute waits for a backlog; slower than 6 x real time is late

Due = Literal["wait", "on_time", "late"]


class Clocks(msgspec.Struct, frozen=True):
    """How far the log is applied: the fences and clocks of all partitions that a minute needs."""

    least: datetime | None  # None: a partition has no clock yet
    fences: Mapping[str, int]  # "topic/partition" -> next offset


class Pace(msgspec.Struct, frozen=True):
    """What was seen of the least clock so far."""

    least: datetime | None = None
    moved_at: datetime | None = None  # by the wall
    waited_for: datetime | None = None  # the minute that is overdue
    waited_since: datetime | None = None  # by the wall


def floor_minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def ceil_minute(instant: datetime) -> datetime:
    floor = floor_minute(instant)
    return floor if floor == instant else floor + MINUTE


def next_minute(
    last: datetime | None, first: datetime | None, wall: datetime, bound: timedelta
) -> tuple[datetime, datetime | None]:
    """The minute to compute next; and, when more was missed than the bound allows, the first of those jumped.

    `last`: the newest computed. `first`: when anything was first heard; the first minute is the first after it.
    """
    if last is not None:
        wanted = last + MINUTE
    else:
        wanted = floor_minute(wall) if first is None else min(ceil_minute(first), floor_minute(wall))
    earliest = ceil_minute(wall - bound)
    return (wanted, None) if wanted >= earliest else (earliest, wanted)


def beyond_hole(wanted: datetime, heard: datetime | None, pace: Pace, wall: datetime) -> datetime | None:
    """The minute to go on with when more than HOLE was missed; None: listen a little longer.

    `heard`: when the log first speaks again from `wanted` on. A weekend in which everything was off is a hole, an
    outage of the database alone is none: what connectors heard meanwhile is in Kafka and comes.
    """
    if wall - wanted <= HOLE:
        return wanted
    if heard is not None:
        return wanted if heard - wanted <= HOLE else floor_minute(heard)
    has_listened = pace.waited_for == wanted and pace.waited_since is not None and wall - pace.waited_since >= LISTEN
    return floor_minute(wall) if has_listened else None


def watch(pace: Pace, clocks: Clocks, minute: datetime, wall: datetime) -> Pace:
    """The pace after one more look at the clocks."""
    moved = clocks.least is not None and clocks.least != pace.least
    return Pace(
        least=clocks.least,
        moved_at=wall if moved or pace.moved_at is None else pace.moved_at,
        waited_for=minute,
        waited_since=pace.waited_since if pace.waited_for == minute else wall,
    )


def due(minute: datetime, pace: Pace, wall: datetime, grace: timedelta) -> Due:
    """`on_time` needs every clock beyond the minute, for what was received at M belongs to M."""
    if wall < minute:
        return "wait"  # a connector whose clock is ahead does not make the future
    if has_passed(pace.least, minute):
        return "on_time"
    if wall < minute + grace:
        return "wait"
    return "wait" if _backlog_is_applied(pace, wall) else "late"


def has_passed(least: datetime | None, minute: datetime) -> bool:
    return least is not None and least > minute


def _backlog_is_applied(pace: Pace, wall: datetime) -> bool:
    if pace.least is None or pace.moved_at is None or pace.waited_since is None:
        return False
    is_behind = wall - pace.least > BACKLOG
    return is_behind and wall - pace.moved_at <= RUNS and wall - pace.waited_since <= PATIENCE
