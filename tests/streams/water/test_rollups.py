"""Sums of 5 minutes, hours and days are those of all readings, in whatever order these came."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import WATER_READINGS
from schemas.water import StationReading
from sql.connect import Connection, connect
from sql.registers import load_water
from streams.sweep_rollups import close, compute_next, roll
from streams.water.rollups import STEPS, closed_between, closed_of, end_of, start_of
from tests.conftest import Database
from tests.streams.logs import START, new_fences, tick
from tests.streams.water.river import T0, ZONE, flood, register
from tests.streams.water.test_readings import TOPIC, ledger, log_of, said

ENOUGH_S = 60.0
SUMS = "select series_id, step_min, bucket, n, sum, min, max, last_at, last, worst_flag from water_rollup"
WORDS = """
select distinct on (series_id, at) series_id, at, value, flag from (
    select series_id, at, received_at, value, flag, flags from water_reading
    union all select series_id, at, received_at, value, flag, flags from water_revision
) as said order by series_id, at, value is null, coalesce(flags, '') = 'coarse', received_at desc, value desc
"""

instants = st.timedeltas(timedelta(0), timedelta(days=7300)).map(lambda since: datetime(2015, 1, 1, tzinfo=UTC) + since)
zones = st.sampled_from(("Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns")).map(ZoneInfo)


@given(instants, zones, st.sampled_from(STEPS))
def test_a_reading_is_in_one_sum_of_each_step(at: datetime, zone: ZoneInfo, step_min: int) -> None:
    start = start_of(at, step_min, zone)
    assert start <= at < end_of(start, step_min, zone)
    assert start_of(start, step_min, zone) == start


@given(instants, st.timedeltas(timedelta(0), timedelta(days=3)), st.timedeltas(timedelta(0), timedelta(days=3)), zones)
def test_every_sum_closes_once(begin: datetime, first: timedelta, second: timedelta, zone: ZoneInfo) -> None:
    at_once = list(closed_between(begin, begin + first + second, zone))
    one_by_one = [
        *closed_between(begin, begin + first, zone),
        *closed_between(begin + first, begin + first + second, zone),
    ]
    assert sorted(one_by_one) == sorted(at_once)


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    new_fences(database.dsn("owner"), TOPIC)
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, register())
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def expected(connection: Connection, until: datetime) -> dict[tuple[int, int, datetime], tuple[Any, ...]]:
    """By plain counting: n, sum, min, max, last_at, last, worst flag of all closed buckets."""
    words: dict[tuple[int, int, datetime], list[tuple[datetime, float | None, int]]] = defaultdict(list)
    for series_id, at, value, flag in connection.execute(WORDS):
        for step_min, start in closed_of(at, until, ZONE):
            words[series_id, step_min, start].append((at, value, flag))
    found = {}
    for key, of_bucket in words.items():
        counted = [(at, value) for at, value, flag in sorted(of_bucket) if value is not None and flag != 4]
        values = [value for _, value in counted]
        worst = max(flag for _, _, flag in of_bucket)
        last_at, last = counted[-1] if counted else (None, None)
        total = pytest.approx(sum(values)) if values else None
        found[key] = (
            len(values), total, min(values, default=None), max(values, default=None), last_at, last, worst
        )  # fmt: skip
    return found


def sums(connection: Connection) -> dict[tuple[int, int, datetime], tuple[Any, ...]]:
    return {row[:3]: row[3:] for row in connection.execute(SUMS)}


def readings(dice: random.Random) -> list[StationReading]:
    """A day and a half: a flood with spikes and holes, a count beside it, words that are said again otherwise."""
    levels = [said(at, None if dice.random() < 0.03 else level) for at, level in flood(36, 5, 3, 2.8)]
    spiked = [said(200, 7.9), said(905, 7.7), said(400, 50.0)]
    again = [said(800, 1.99, 900, flags=("coarse",)), said(600, 0.4, 700), said(605, 0.41, 1500), said(605, None, 1600)]
    volts = [said(minute, 12.5 - minute / 1000, element="voltage_v") for minute in range(0, 2160, 30)]
    found = levels + spiked + again + volts
    for _ in range(40):  # some come late, up to a day
        found.append(found.pop(dice.randrange(len(found))))
    head = found[: len(found) // 2]
    dice.shuffle(head)
    return head + found[len(found) // 2 :]


@pytest.mark.stack
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_they_are_those_of_the_readings_whatever_came_when(database: Database, streams: Connection, seed: int) -> None:
    dice = random.Random(seed)
    log = log_of(readings(dice), size=9)
    ours = ledger(database)
    for place, record in enumerate(log):
        ours.apply([record])
        if place % 5 == seed:
            roll(streams, ZONE, budget_s=dice.choice((0.0, 0.01, ENOUGH_S)))
    now = T0 + timedelta(hours=37, minutes=2)
    ours.apply([tick(len(log), (now - START).total_seconds())])
    roll(streams, ZONE, ENOUGH_S)
    until = start_of(now, 5, ZONE)
    wanted = expected(streams, until)
    assert {key[1] for key in wanted} == set(STEPS)
    assert sums(streams) == wanted
    assert roll(streams, ZONE, ENOUGH_S) == 0


@pytest.mark.stack
def test_what_was_never_summed_is_summed(database: Database, streams: Connection) -> None:
    """Of a database that has readings from before."""
    log = log_of(readings(random.Random(4)), size=50)
    ledger(database).apply(log)
    roll(streams, ZONE, ENOUGH_S)
    clock = streams.execute("select clock from stream_fence where topic = %s", (TOPIC,)).fetchall()[0][0]
    assert sums(streams) == expected(streams, start_of(clock, 5, ZONE))


@pytest.mark.stack
def test_a_sum_outlives_its_readings(database: Database, streams: Connection) -> None:
    """A reading that comes when the others of its bucket were dropped as old does not stand for them."""
    ours = ledger(database)
    ours.apply(log_of([said(0, 0.3), said(1, 0.4), said(12, 0.31)], size=3))
    roll(streams, ZONE, ENOUGH_S)
    before = sums(streams)
    with connect(database.dsn("owner")) as owner:
        owner.execute("select drop_chunks('water_reading', older_than => %s)", (T0 + timedelta(days=2),))
    record = log_of([said(12, 0.31), said(2, 0.9, 13)], size=1)[1]
    ours.apply([record])
    roll(streams, ZONE, ENOUGH_S)
    assert sums(streams) == before
    assert [(key[1], of[0]) for key, of in before.items()] == [(5, 2)]


@pytest.mark.stack
def test_no_bucket_closes_while_a_take_is_under_way(database: Database, streams: Connection) -> None:
    ours = ledger(database)
    ours.apply(log_of([said(0, 0.3), said(12, 0.31)], size=2))
    progress = "select at from sweep_progress where sweep = 'rollups'"
    with connect(database.dsn("streams")) as take:
        take.execute("select clock from stream_fence where topic = %s for update", (TOPIC,))
        close(streams, ZONE)
        assert streams.execute(progress).fetchall() == [], "the take may bring readings of it"
    streams.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    close(streams, ZONE)
    assert streams.execute(progress).fetchall() == [(T0 + timedelta(minutes=10),)]


@pytest.mark.stack
def test_nothing_closes_before_every_partition_has_a_clock(database: Database, streams: Connection) -> None:
    with connect(database.dsn("owner")) as owner:
        owner.execute(
            "insert into stream_fence (topic, partition, topic_id, next_offset) values (%s, 1, 'log-1', 0)", (TOPIC,)
        )
    ledger(database).apply(log_of([said(0, 0.3), said(12, 0.31)], size=2))
    assert roll(streams, ZONE, ENOUGH_S) == 0
    assert compute_next(streams, ZONE) is None
    assert WATER_READINGS.name == TOPIC
