"""Which sums of readings are due? Those whose end the log's clock has passed, and those that changed after that.

What is closed is written down (`water_rollup_due`) while no take of readings is under way: every reading of a bucket is
there already, or comes in a take that sees how far the sums are and marks its own bucket, in its own transaction. So
the sums are those of all readings whenever no mark is left, in whatever order these came. Each step is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from time import monotonic

import psycopg

from schemas.topics import WATER_READINGS
from sql.connect import Connection
from sql.named import named
from streams.water.rollups import HOUR, STEP, Bucket, closed_between, closed_of, end_of, start_of

_SQL = named("rollups")
_SOURCES = named("sources")
SWEEP = "rollups"  # its progress: up to when sums are closed
SLICE = 5_000  # series of one step
MARKS = 1_000  # marks looked at for one step
BUDGET_S = 0.5  # of one turn: minutes of parking must not wait
LOCK_WAIT = "2s"


def roll(connection: Connection, zone: tzinfo, budget_s: float = BUDGET_S) -> int:
    """Close what is over and compute what is due, for as long as a turn may take; how many sums were computed."""
    began = monotonic()
    with _read_committed(connection):
        close(connection, zone)
        computed = 0
        while monotonic() - began < budget_s and (done := compute_next(connection, zone)) is not None:
            computed += done
    return computed


def close(connection: Connection, zone: tzinfo) -> None:
    """Write down what has closed since the last time."""
    with connection.transaction():
        since = _SOURCES.progress(connection, sweep=SWEEP)
        clocks = [row[3] for row in _SOURCES.clocks(connection, topics=[WATER_READINGS.name])]
    if not clocks or None in clocks or (since is not None and start_of(min(clocks), STEP, zone) <= since):
        return
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{LOCK_WAIT}'")
            clocks = [row[1] for row in _SQL.lock_clocks(connection, topic=WATER_READINGS.name)]
            until = start_of(min(clocks), STEP, zone)
            buckets = sorted(
                _never_summed(connection, until, zone) if since is None else closed_between(since, until, zone)
            )
            _SQL.add_due(connection, step_min=[b[0] for b in buckets], bucket=[b[1] for b in buckets], slice=SLICE)
            _SOURCES.put_progress(connection, sweep=SWEEP, at=until)
    except psycopg.errors.LockNotAvailable:
        return  # a long take: the next turn asks again


def compute_next(connection: Connection, zone: tzinfo) -> int | None:
    """The sums of the next bucket, of a bounded number of series; None: nothing is due."""
    with connection.transaction():
        due = list(_SQL.take_due(connection, at_most=MARKS))
        if not due:
            return None
        step_min, bucket = due[0][:2]
        first: list[int] = []
        last: list[int] = []
        series = 0
        for own_step, own_bucket, one, another in due:
            if (own_step, own_bucket) != (step_min, bucket) or (first and series + another - one >= SLICE):
                break
            first.append(one)
            last.append(another)
            series += another - one + 1
        _SQL.drop_due(connection, step_min=step_min, bucket=bucket, first=first, last=last)
        asked = {"bucket": bucket, "until": end_of(bucket, step_min, zone), "first": first, "last": last}
        if step_min == STEP:
            computed: int = _SQL.roll_readings(connection, **asked)
        else:
            finer_min = STEP if step_min == HOUR else HOUR
            computed = _SQL.roll_up(connection, step_min=step_min, finer_min=finer_min, **asked)
        return computed


def _never_summed(connection: Connection, until: datetime, zone: tzinfo) -> set[Bucket]:
    return {
        bucket for (start,) in _SQL.buckets_until(connection, until=until) for bucket in closed_of(start, until, zone)
    }


@contextmanager
def _read_committed(connection: Connection) -> Iterator[None]:
    """A statement must see what was committed while the one before it waited for a lock."""
    before, connection.isolation_level = connection.isolation_level, psycopg.IsolationLevel.READ_COMMITTED
    try:
        yield
    finally:
        if not connection.broken:
            connection.isolation_level = before
