"""Stuck sensors on the real database: a log in, flags of its readings out, however it is cut and whoever folds it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.batch import SCHEMA_OF, encode
from schemas.source import Tick
from schemas.topics import WATER_READINGS, partition_of, series_key
from schemas.water import StationReading
from schemas.water_registers import Neighbour, RainWeight, WaterRegister
from sql.connect import connect
from sql.registers import load_water
from streams.ledger import Ledger, Record
from streams.sweep_water import Water
from streams.water import store
from streams.water.columns import Requalified
from streams.water.qartod import FAIL, GOOD, SUSPECT, UNKNOWN
from streams.water.quality import FLAT_LINE, RATE_OF_CHANGE, SPIKE
from streams.water.readings import Readings
from tests.conftest import Database
from tests.streams.logs import TOPIC_ID, new_fences
from tests.streams.water.river import minute, station
from tests.streams.water.swept import TOPIC, City, at, register_of, said, wipe

pytestmark = pytest.mark.stack
UNTIL = 130
PARTITIONS = WATER_READINGS.partitions
FLAGS = """select s.station, s.element, o.at, o.value, o.flag, o.tests
    from water_reading as o join water_series as s using (series_id) order by 1, 2, 3"""
STATES = """select station_id, state -> 'line', state -> 'stuck_zh', state -> 'stuck_en'
    from water_hazard order by station_id"""


def town() -> WaterRegister:
    """s0 and s1 are neighbours; over s2 a gauge counts the rain; s3 is alone."""
    rivers = register_of(["s0", "s1", "s2", "s3"])
    gauge = station("g", "rain", element="rain_total_mm")
    basins = {"s2": "even", "s0": None, "s1": None, "s3": None}
    own = [msgspec.structs.replace(each, basin_id=basins[each.station_id]) for each in rivers.stations]
    return msgspec.structs.replace(
        rivers,
        stations=(*own, gauge),
        neighbours=(Neighbour(station_id="s0", neighbour_id="s1", kind="downstream"),),
        rain_weights=(RainWeight(basin_id="even", station_id="g", weight=1.0),),
    )


def rain(when: float, mm: float) -> StationReading:
    return msgspec.structs.replace(said("g", when, mm), element="rain_total_mm")


def storm(until: int = UNTIL) -> list[StationReading]:
    """s1 rises and it rains, while s0, s2 and s3 stand still."""
    found = []
    for when in range(0, until + 1, 5):
        found += [said("s0", when, 0.5), said("s1", when, 0.5 + when / 1000), said("s2", when, 0.4)]
        found += [said("s3", when, 0.6), rain(when, 100 + when / 5)]
    return found


@pytest.fixture
def city(database: Database) -> Iterator[City]:
    found = City(database)
    load_water(found.owner, town())
    yield found
    found.close()


def flat(city: City) -> dict[str, list[float]]:
    """The minutes of the readings that say a flat line."""
    found: dict[str, list[float]] = {}
    for name, _, when, _, flag, tests in city.ask(FLAGS):
        if tests & FLAT_LINE:
            assert flag == SUSPECT
            found.setdefault(name, []).append((when - at(0)) / timedelta(minutes=1))
    return found


def test_who_stands_still_in_a_storm_is_suspect_and_who_is_alone_is_not(city: City) -> None:
    city.live(storm(), 111)
    assert flat(city) == {"s0": [*range(60, 111, 5)], "s2": [*range(60, 111, 5)]}
    assert city.knowledge() == {"g": "ok", "s0": "suspect", "s1": "ok", "s2": "suspect", "s3": "ok"}
    rows = dict(city.ask("select station_id, knowledge_since from water_hazard"))
    assert rows["s0"] == at(60)
    reasons = {name: (zh, en) for name, _, zh, en in city.ask(STATES) if zh is not None}
    assert reasons["s0"][0].startswith("水位 0.50 米，自 08:00 起未变，而相邻的东门站至 08:35 已变化 +0.03")
    assert "11.0 mm of rain fell in the hour up to 09:00" in reasons["s2"][1]
    assert {row[3] for row in city.ask(FLAGS) if row[0] == "s0"} == {0.5}, "the value stays as it was said"
    city.live([each for each in storm() if each.observed_at > at(110)], UNTIL)
    assert city.knowledge()["s0"] == "stale", "nothing good is known of it for an hour"


def test_who_moves_again_is_believed_again(city: City) -> None:
    city.live([*storm(100), *(said("s0", 105 + n, 0.6 + n / 100) for n in range(10))], 116)
    assert flat(city)["s0"] == [*range(60, 101, 5)]
    assert city.knowledge()["s0"] == "ok"
    assert city.ask("select state ? 'stuck_en' from water_hazard where station_id = 's0'") == [(False,)]


def test_a_line_that_is_flat_in_dry_weather_is_good(city: City) -> None:
    city.live([said("s0", when, 0.5) for when in range(0, UNTIL, 5)], UNTIL)
    assert flat(city) == {}
    assert {row[4] for row in city.ask(FLAGS)} == {GOOD}


def test_sums_that_are_closed_are_due_again(city: City) -> None:
    city.live(storm(), 59)
    city.owner.execute("insert into sweep_progress (sweep, at) values ('rollups', %s)", (at(UNTIL),))
    city.owner.execute("truncate water_rollup_due")
    city.live(storm()[12 * 5 :], 63)
    due = city.ask(
        "select distinct d.step_min, d.bucket from water_rollup_due as d join water_series as s"
        " on s.series_id = d.first_series where s.station = 's0' and d.bucket >= '2026-06-01T00:00Z' order by 1, 2"
    )
    assert (5, at(60)) in due


def test_what_the_fold_judges_anew_stays_a_flat_line(city: City) -> None:
    """Of two verdicts the worse flag holds, and both tests are named; a worker that starts sees its own."""
    city.live(storm(), UNTIL)
    (number,) = city.ask("select series_id from water_series where station = 's0'")[0]
    places = [(60, UNKNOWN, RATE_OF_CHANGE), (65, FAIL, SPIKE), (70, GOOD, 0)]
    with connect(city.database.dsn("streams")) as connection, connection.cursor() as cursor:
        store.requalify(cursor, [(number, Requalified(0, minute(when), flag, tests)) for when, flag, tests in places])
        points = {each.at: each.flag for each in store.load_points(cursor, [(number, at(50), 100)])[number]}
    rows = {row[2]: row[4:] for row in city.ask(FLAGS) if row[0] == "s0"}
    assert [rows[at(when)] for when, _, _ in places] == [
        (SUSPECT, RATE_OF_CHANGE | FLAT_LINE),
        (FAIL, SPIKE | FLAT_LINE),
        (SUSPECT, FLAT_LINE),
    ]
    assert [points[minute(when)] for when, _, _ in places] == [UNKNOWN, FAIL, GOOD]


def drawn(dice: random.Random) -> list[StationReading]:
    """A storm in which s0 moves for once, s1 spikes, and some words come twice or late."""
    found = []
    moves, spike = dice.choice((30, 60, 95)), dice.choice((25, 70))
    for each in storm():
        when = (each.observed_at - at(0)) / timedelta(minutes=1)
        value = each.value
        if each.station == "s0" and when >= moves:
            value = 0.53
        if each.station == "s1" and when == spike:
            value = 1.9
        late = timedelta(minutes=dice.uniform(0, 40)) if dice.random() < 0.1 else timedelta()
        told = msgspec.structs.replace(each, value=value, received_at=each.received_at + late)
        found.append(told)
        if dice.random() < 0.05:
            found.append(msgspec.structs.replace(told, received_at=told.received_at + timedelta(minutes=3)))
    return sorted(found, key=lambda each: each.received_at)


def lived(database: Database, log: Sequence[StationReading], dice: random.Random) -> list[list[tuple[Any, ...]]]:
    """The log in pieces, folded by some workers that restart at times, swept now and then by one that does too."""
    city = City.__new__(City)
    city.database, city.water = database, Water(database.settings)
    city.owner = connect(database.dsn("owner"), autocommit=True)
    city.sweep = connect(database.dsn("streams"), autocommit=True)
    city.sweep.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    new_fences(database.dsn("owner"), TOPIC, PARTITIONS)
    workers = [
        Ledger(TOPIC, TOPIC_ID, Readings(database.settings), lambda: connect(database.dsn("streams")))
        for _ in range(dice.randint(1, 3))
    ]
    whose = [dice.choice(workers) for _ in range(PARTITIONS)]
    offsets = [0] * PARTITIONS

    def records(rows: Sequence[Any], partition: int) -> list[Record]:
        if not rows:
            return []
        offsets[partition] += 1
        return [Record(partition, offsets[partition] - 1, encode(SCHEMA_OF[type(rows[0])], list(rows)))]

    begin, longest = 0, dice.choice((5, 40, 400))
    while begin < len(log):
        piece = log[begin : begin + dice.randint(1, longest)]
        begin += len(piece)
        clock = piece[-1].received_at if begin < len(log) else at(200)
        takes: dict[int, list[Record]] = {}
        for partition in range(PARTITIONS):
            own = [row for row in piece if partition_of(series_key(row.source, row.station), PARTITIONS) == partition]
            takes.setdefault(workers.index(whose[partition]), []).extend(
                [*records(own, partition), *records([Tick(received_at=clock, connector="c1")], partition)]
            )
        for place, take in takes.items():
            workers[place].apply(take)
        if dice.random() < 0.1:
            dice.choice(workers).reset()
        if dice.random() < 0.1:
            city.water = Water(database.settings)
        if dice.random() < 0.5:
            city.judge()
    city.judge()
    found = [city.ask(FLAGS), city.ask(STATES)]
    for each in workers:
        each.close()
    wipe(city)
    city.owner.execute("truncate rain_sum, water_doubt, water_rollup, water_rollup_due")
    city.owner.close()
    city.sweep.close()
    return found


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_flags_do_not_depend_on_takes_workers_or_restarts(database: Database, of_log: int, of_life: int) -> None:
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, town())
    log, dice = drawn(random.Random(of_log)), random.Random(of_life)
    one, other = lived(database, log, dice), lived(database, log, dice)
    assert one == other
    assert {row[0] for row in one[0] if row[5] & FLAT_LINE} >= {"s2"}
