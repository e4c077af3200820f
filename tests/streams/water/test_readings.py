"""The slice of water on the real database: readings, flags and alerts, whatever fails and whoever goes on."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from schemas.batch import SCHEMA_OF, encode
from schemas.topics import WATER_READINGS, partition_of, series_key
from schemas.water import StationReading
from sql.connect import Connection, connect
from sql.registers import load_water
from streams.ledger import Ledger, Record
from streams.water.readings import Readings
from streams.water.replay import replay
from tests.conftest import Database
from tests.streams.logs import TOPIC_ID, new_fences, tick
from tests.streams.test_ledger import Faults, breaking
from tests.streams.water.river import T0, ZONE, flood, register

pytestmark = pytest.mark.stack
TOPIC = WATER_READINGS.name
CONTENT = {
    "readings": """select s.source, s.station, s.element, s.code, r.at, r.received_at, r.value, r.flag, r.tests, r.flags
        from water_reading as r join water_series as s using (series_id) order by 1, 2, 3, 4, 5""",
    "revisions": """select s.station, r.at, r.received_at, r.value from water_revision as r
        join water_series as s using (series_id) order by 1, 2, 3, 4""",
    "alerts": "select alert_id, kind, subject, level, raised_at, ended_at, revision, sentence_en from alert order by 1",
    "events": "select alert_id, at, revision, change, level from alert_event order by 1, 3, 2",
    "fences": "select partition, next_offset, clock from stream_fence where topic = 'water.readings' order by 1",
}


def said(minutes: float, value: float | None, heard: float | None = None, **fields: Any) -> StationReading:
    at = T0 + timedelta(minutes=minutes)
    known: dict[str, Any] = {"source": "s", "station": "dm", "element": "level_m", "quality": "good"}
    received_at = T0 + timedelta(minutes=minutes if heard is None else heard, seconds=2)
    return StationReading(observed_at=at, received_at=received_at, value=value, **(known | fields))


def log_of(readings: Sequence[StationReading], size: int = 7) -> list[Record]:
    cuts = range(0, len(readings), size)
    schema = SCHEMA_OF[StationReading]
    return [Record(0, number, encode(schema, list(readings[cut : cut + size]))) for number, cut in enumerate(cuts)]


def storm() -> list[StationReading]:
    """A flood over three levels, with spikes, holes, late and repeated readings, and what no rule is about."""
    dice = random.Random(7)
    readings = [said(at, level) for at, level in flood(24, 5, 3, 2.8)]
    places = sorted(dice.sample(range(10, len(readings) - 20), 8))
    late = [readings[place] for place in places]
    readings = [row for place, row in enumerate(readings) if place not in places or place % 2 == 0]
    spiked = next(place for place, row in enumerate(readings) if row.observed_at == T0 + timedelta(minutes=200))
    readings[spiked] = said(200, 7.9)  # a spike
    readings += [said(24 * 60 + 5, 0.3), said(24 * 60 + 5, 0.3), said(24 * 60 + 5, 0.4), said(24 * 60 + 10, None)]
    readings += [said(24 * 60 + n, 12.0 - n / 10, element="voltage_v") for n in range(5)]
    readings += [said(24 * 60, 3.0, element="other", code="w01009"), said(24 * 60, 4.0, element="other", code="w01010")]
    heard = 24 * 60 + 15.0
    readings += [
        said((row.observed_at - T0) / timedelta(minutes=1), row.value, heard) for row in late if row.value is not None
    ]
    return readings


def ledger(database: Database, open_connection: Callable[[], Connection] | None = None) -> Ledger:
    plain = functools.partial(connect, database.dsn("streams"))
    return Ledger(TOPIC, TOPIC_ID, Readings(database.settings), open_connection or plain)


@pytest.fixture
def observer(database: Database) -> Iterator[Connection]:
    new_fences(database.dsn("owner"), TOPIC)
    with connect(database.dsn("owner"), autocommit=True) as connection:
        load_water(connection, register())
        yield connection


def content(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {name: connection.execute(query.encode()).fetchall() for name, query in CONTENT.items()}


def wipe(connection: Connection, database: Database) -> None:
    connection.execute("truncate water_reading, water_revision, water_series, water_state, stream_fence")
    connection.execute("truncate alert, alert_event, dead_letter, delivery, delivery_lane cascade")
    new_fences(database.dsn("owner"), TOPIC)


def test_a_flood_becomes_readings_flags_and_alerts(database: Database, observer: Connection) -> None:
    readings = storm()
    applied = ledger(database).apply([*log_of(readings), tick(len(log_of(readings)), 1e5)])
    assert applied.dead == 0
    found = content(observer)
    levels = [row for row in found["readings"] if row[2] == "level_m"]
    assert len(levels) == len({row.observed_at for row in readings if row.element == "level_m"})
    flags = {row[4]: row[7] for row in levels}
    assert flags[T0 + timedelta(minutes=200)] == 4  # the spike
    assert flags[T0 + timedelta(minutes=24 * 60 + 10)] == 9  # the station said that it has no value
    assert {row[3] for row in found["readings"] if row[2] == "other"} == {"w01009", "w01010"}
    assert (T0 + timedelta(minutes=24 * 60 + 5), 0.4) in [(row[1], row[3]) for row in found["revisions"]]
    floods = sorted((row for row in found["alerts"] if row[1] == "flood"), key=lambda row: row[4])
    assert [(row[2], row[3]) for row in floods] == [("dm", 4), ("dm", 2)]
    assert all(row[5] is not None for row in floods)
    assert {row[3] for row in found["events"]} >= {"raised", "updated", "ended"}


def test_the_alerts_are_those_of_the_pure_replay(database: Database, observer: Connection) -> None:
    readings = storm()
    ledger(database).apply(log_of(readings))
    told = replay(readings, register(), ZONE, take=7)
    said = [change.alert for change in told.changes] + [change.alert for change in told.forecasts]
    newest = {alert.alert_id: alert for alert in said}
    stored = {row[0]: (row[3], row[5]) for row in content(observer)["alerts"]}
    assert stored == {alert_id: (alert.level, alert.ended_at) for alert_id, alert in newest.items()}


@pytest.mark.parametrize("every", [1, 5, 13])
def test_another_worker_goes_on_where_one_stopped(database: Database, observer: Connection, every: int) -> None:
    log = log_of(storm())
    ours = ledger(database)
    for record in log:
        ours.apply([record])
    once = content(observer)
    wipe(observer, database)
    for number, record in enumerate(log):
        if number % every == 0:
            ours = ledger(database)
        ours.apply(log[max(0, number - 1) : number + 1])
        assert record.offset == number
    again = content(observer)
    assert again["readings"] == once["readings"]
    assert again["revisions"] == once["revisions"]
    assert again["alerts"] == once["alerts"]
    assert again["events"] == once["events"]


def test_frames_of_one_row_come_to_the_same_in_one_take_as_one_by_one(database: Database, observer: Connection) -> None:
    log = log_of(storm(), size=1)
    ours = ledger(database)
    for record in log:
        ours.apply([record])
    once = content(observer)
    wipe(observer, database)
    ledger(database).apply(log)
    assert content(observer) == once


def test_of_many_frames_only_the_row_at_fault_is_dead(database: Database, observer: Connection) -> None:
    observer.execute("alter table water_reading add constraint no_thirteen check (value is distinct from 13.25)")
    readings = [said(n, 13.25 if n == 133 else 1.0 + n % 3 / 100) for n in range(200)]
    applied = ledger(database).apply(log_of(readings, size=1))
    assert (applied.records, applied.rows, applied.dead) == (200, 199, 1)
    assert observer.execute("select kafka_offset, row_index, reason from dead_letter").fetchall() == [
        (133, 0, "sqlstate_23514")
    ]
    stored = [(row[4], row[6]) for row in content(observer)["readings"]]
    assert stored == [(row.observed_at, row.value) for row in readings if row.value != 13.25]


def test_a_fault_at_any_statement_leaves_no_trace(database: Database, observer: Connection) -> None:
    log = log_of(storm()[:70], size=35)
    counter = Faults(-1, after=False)
    ledger(database, functools.partial(breaking, database.dsn("streams"), counter)).apply(log)
    expected = content(observer)
    assert counter.seen > 12
    for at in range(0, counter.seen, 2):
        for after in (False, True):
            wipe(observer, database)
            faults = Faults(at, after)
            ours = ledger(database, functools.partial(breaking, database.dsn("streams"), faults))
            with pytest.raises(psycopg.OperationalError):
                ours.apply(log)
            ours.apply(log)
            assert content(observer) == expected, f"statement {at}, {'after' if after else 'before'}"


def taken_back_and_corrected() -> list[StationReading]:
    """A level over yellow that its source takes back, one that it corrects upward, and values after their own end."""
    return [
        said(0, 0.3), said(5, 0.4), said(10, 0.5), said(15, 0.6), said(20, 0.7),
        said(20, 1.7, heard=21), said(25, 1.7), said(30, 1.8), said(30, 9.0, heard=31, quality="fail"),
        said(35, 1.7), said(40, 9.0, heard=41, quality="fail"), said(40, 2.4, heard=40.5), said(45, 2.1), said(50, 0.4),
        said(85, 0.4), said(85, 9.0, heard=86, quality="suspect"), said(90, 0.4),
    ]  # fmt: skip


def test_a_worker_that_starts_knows_what_was_taken_back_and_corrected(database: Database, observer: Connection) -> None:
    log = log_of(taken_back_and_corrected(), size=1)
    ours = ledger(database)
    for record in log:
        ours.apply([record])
    once = content(observer)
    raised = {row[4]: row[3] for row in once["alerts"] if row[1] == "flood"}
    assert raised == {T0 + timedelta(minutes=25, seconds=2): 2}  # 20 was corrected to yellow, 40 was never orange
    wipe(observer, database)
    for record in log:
        ledger(database).apply([record])
    assert content(observer) == once


@pytest.mark.parametrize("restarts", [(), (2,), (3,), (2, 3, 4)])
@pytest.mark.parametrize("is_fine_first", [True, False])
def test_a_coarse_word_stays_behind_a_fine_one_through_restarts(
    database: Database, observer: Connection, is_fine_first: bool, restarts: tuple[int, ...]
) -> None:
    """With the 1.0 of the hourly report two samples in a row would be over the line of 1.0."""
    fine, coarse = said(5, 0.996, 5), said(5, 1.0, 9, flags=("coarse",))
    words = [fine, coarse] if is_fine_first else [coarse, fine]
    ours = ledger(database)
    for place, record in enumerate(log_of([said(0, 0.9), *words, said(10, 1.1), said(15, 0.9)], size=1)):
        if place in restarts:
            ours = ledger(database)
        ours.apply([record])
    assert content(observer)["alerts"] == []


def test_a_series_that_another_worker_met_is_known_when_its_partition_comes_here(
    database: Database, observer: Connection
) -> None:
    names = (f"st-{number}" for number in range(1000))
    elsewhere = next(name for name in names if partition_of(series_key("s", name), WATER_READINGS.partitions) == 1)
    observer.execute("truncate stream_fence")
    new_fences(database.dsn("owner"), TOPIC, partitions=2)
    here, there = ledger(database), ledger(database)
    here.apply(log_of([said(0, 0.3)]))  # reads which series there are
    first = [said(0, 0.5, station=elsewhere), said(5, 0.6, station=elsewhere)]
    there.apply([Record(1, 0, encode(SCHEMA_OF[StationReading], first))])
    second = [said(5, 0.6, station=elsewhere), said(10, 0.7, station=elsewhere)]
    applied = here.apply([Record(1, 1, encode(SCHEMA_OF[StationReading], second))])
    assert applied.dead == 0
    stored = [row[6] for row in content(observer)["readings"] if row[1] == elsewhere]
    assert stored == [0.5, 0.6, 0.7]
    assert not content(observer)["revisions"]
