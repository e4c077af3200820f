"""What is learned from published minutes: how lively a car park is, and how good its forecasts were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from schemas.minute import LotMinute
from sql.connect import Connection, connect
from streams.parking import forecast_store, minute_store, movement_store
from streams.parking.forecast import Score, Settled
from tests.conftest import Database
from tests.streams.parking.rates import rates_of
from tests.streams.parking.test_minute_store import lot, run

pytestmark = pytest.mark.stack
LUOHU = ZoneInfo("Asia/Shanghai")
FIRST_DAY = date(2026, 11, 2)  # a Monday


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LUOHU).astimezone(UTC)


def published(connection: Connection, lots: list[LotMinute]) -> None:
    """Minutes as they would have been written: one run for each."""
    by_minute: dict[datetime, list[LotMinute]] = {}
    for one in lots:
        by_minute.setdefault(one.minute, []).append(one)
    with connection.transaction():
        for minute, of_minute in by_minute.items():
            minute_store.write(connection, msgspec.structs.replace(run(), minute=minute), of_minute)


def counted(minute: datetime, available: int, lot_id: str = "lh-1", observed_at: datetime | None = None) -> LotMinute:
    return msgspec.structs.replace(
        lot(lot_id),
        minute=minute,
        mode="count",
        available=available,
        occupied=50 - available,
        observed_at=observed_at or minute - timedelta(seconds=20),
    )


def test_rates_learned_day_by_day_are_those_of_the_whole_history(streams: Connection) -> None:
    """An hour of each day for three weeks, with lost minutes and repeated observations; against the pure rule."""
    dice = random.Random(5)
    lots: list[LotMinute] = []
    for day in range(23):
        start = midnight(FIRST_DAY + timedelta(days=day)) + timedelta(hours=9)
        available, observed_at = 25, start
        for minute in range(61):
            if dice.random() < 0.8:  # else the source repeats itself
                observed_at = start + timedelta(minutes=minute, seconds=-20)
                available = dice.randrange(20, 30) if dice.random() < 0.3 else available
            if dice.random() > 0.1:  # else it was not counted
                lots.append(counted(start + timedelta(minutes=minute), available, observed_at=observed_at))
    published(streams, lots)
    today = FIRST_DAY + timedelta(days=25)
    learned = 0
    with streams.transaction():
        while movement_store.learn(streams, today, LUOHU):
            learned += 1
    assert learned == 24, "every day but the last two, the empty one too"
    points = sorted({one.observed_at or one.minute: one.available or 0 for one in lots}.items())
    expected = rates_of(points, LUOHU)
    found = movement_store.load_rates(streams, today)["lh-1"]
    assert found == pytest.approx(expected)
    assert sum(rate is not None for rate in found) == 7, "nine o'clock of each weekday"


def test_days_are_learned_once_and_the_last_two_rest(streams: Connection) -> None:
    published(streams, [counted(midnight(FIRST_DAY) + timedelta(minutes=m), m % 7) for m in range(0, 60, 5)])
    with streams.transaction():
        assert not movement_store.learn(streams, FIRST_DAY + timedelta(days=1), LUOHU), "yesterday rests"
        assert movement_store.learn(streams, FIRST_DAY + timedelta(days=2), LUOHU)
        assert not movement_store.learn(streams, FIRST_DAY + timedelta(days=2), LUOHU)
    ((observed_s, changes),) = streams.execute("select observed_s, changes from parking_movement").fetchall()
    assert (observed_s, changes) == (55 * 60.0, 11)
    assert movement_store.load_rates(streams, FIRST_DAY + timedelta(days=2)) == {}, "a week of days is needed"


def test_a_forecast_looks_back_on_the_same_time_of_three_weeks(streams: Connection) -> None:
    at = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    times = [at - timedelta(weeks=week) + timedelta(minutes=m) for week in range(4) for m in range(-130, 75, 5)]
    published(streams, [counted(minute, minute.minute // 5) for minute in times])
    with streams.transaction():
        revised = msgspec.structs.replace(counted(at - timedelta(weeks=1), 40), revision=2)
        again = msgspec.structs.replace(run(2), minute=revised.minute)
        minute_store.write(streams, again, [revised])
    given = forecast_store.load_inputs(streams, at, at.date())["lh-1"]
    assert sorted(given.weeks[0]) == list(range(-120, 0, 15)), "this week up to now; now is what is being computed"
    assert all(sorted(given.weeks[week]) == list(range(-120, 61, 15)) for week in (1, 2, 3))
    assert given.weeks[1][0] == 10, "the newest revision"
    assert given.weeks[2][30] == 50 - 6
    assert given.scores == {}


def test_scores_add_up_and_a_day_counts_when_it_is_over(streams: Connection) -> None:
    day = date(2026, 11, 24)
    settled = [Settled("lh-1", 15, day, 2.0, 4.0, True), Settled("lh-1", 15, day, 1.0, 4.0, False)]
    forecast_store.write_scores(streams, settled)
    forecast_store.write_scores(streams, [Settled("lh-1", 15, day, 3.0, 2.0, True)])
    forecast_store.write_scores(streams, [])
    assert forecast_store.load_scores(streams, day) == {}
    tomorrow = forecast_store.load_scores(streams, day + timedelta(days=1))
    assert tomorrow == {"lh-1": {15: Score(3, 6.0, 10.0, 2)}}
    assert forecast_store.load_scores(streams, day + timedelta(days=14)) == tomorrow
    assert forecast_store.load_scores(streams, day + timedelta(days=15)) == {}
