"""Frames of a station whose battery is low, on the real database: what is said while nothing can be trusted?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from connectors.decoding import context_of
from connectors.formats import DECODERS
from schemas.settings import Source
from schemas.water import StationReading
from schemas.water_registers import Neighbour
from sql.registers import load_water
from tests.conftest import Database
from tests.connectors.water import stations as wire
from tests.connectors.water.stations import STATION, ZONE
from tests.streams.water.river import station, thresholds
from tests.streams.water.swept import City, at, every_five, register_of, said, wipe

pytestmark = pytest.mark.stack
KIND = "flood_unconfirmed"
RIVER = msgspec.convert(
    {"name": "river", "decoder": "sl651", "transport": "tcp", "topic": "water.readings", "port": 1}, Source
)
MAINS_OFF_BATTERY_LOW, GAUGE_FAULT = 0b11, 1 << 6


def frame(minute: float, level_m: float, bits: int = 0, heard: float | None = None) -> list[StationReading]:
    """What a report of a level and of the status of its station says, five seconds later or at `heard`."""
    measured = at(minute).astimezone(ZONE)
    body = wire.level(STATION, round(level_m * 1000), f"{measured:%y%m%d%H%M}") + bytes.fromhex(f"4520{bits:08X}")
    data = wire.said(0x33, body, sent=f"{measured:%y%m%d%H%M}02")
    received_at = at(minute) + timedelta(seconds=5) if heard is None else at(heard)
    found = DECODERS["sl651"](data.hex().upper().encode(), context_of(RIVER, received_at))
    assert not found.rejects
    return [row for row in found.rows if isinstance(row, StationReading)]


def log(*frames: Sequence[StationReading]) -> list[StationReading]:
    return [row for one in frames for row in one]


@pytest.fixture
def city(database: Database) -> Iterator[City]:
    """dm speaks SL 651 and may be asked, near is its neighbour; one good sample raises; everything is delivered."""
    yield from _city(database)


def _city(database: Database) -> Iterator[City]:
    found = City(database)
    found.water.askable = ["river"]
    speaks = msgspec.structs.replace(station("dm", rate=None), source="river", station=STATION, may_query=True)
    register = register_of(
        ["dm", "near"],
        stations=(speaks, station("near", rate=None)),
        neighbours=(Neighbour(station_id="dm", neighbour_id="near", kind="near"),),
        thresholds=(*thresholds("dm", confirm=0), *thresholds("near", confirm=0)),
    )
    load_water(found.owner, msgspec.structs.replace(register, basins=()))
    found.owner.execute(
        "insert into endpoint (endpoint_id, name, url, added_by)"
        " values ('00000000-0000-0000-0000-000000000001', 'authority', 'https://water.invalid/', 'ops')"
        " on conflict do nothing"
    )
    yield found
    found.close()


def told(city: City, kind: str = KIND) -> list[tuple[Any, ...]]:
    return [row[:4] for row in city.events(kind)]


def test_a_river_over_red_whose_battery_is_low_is_told_and_ends_as_confirmed(city: City) -> None:
    storm = log(frame(0, 0.5), frame(5, 2.6, MAINS_OFF_BATTERY_LOW), frame(10, 2.7, MAINS_OFF_BATTERY_LOW))
    city.live(storm, 12)
    assert told(city) == [(6, "raised", 1, 4)]
    assert city.ask("select subject, level, certainty, ended_at from alert") == [("dm", 4, "possible", None)]
    zh, en = city.ask("select sentence_zh, sentence_en from alert")[0]
    assert "待核实（红色）" in zh and "水位 2.60 米" in zh and "设备自报电池电压低" in zh
    assert "Not confirmed (red)" in en and "battery low" in en
    queued = "select revision, notice ->> 'kind', notice ->> 'certainty', notice ->> 'change' from delivery order by at"
    assert city.ask(queued) == [(1, KIND, "possible", "raised")]
    asked = "select station, kind, params ->> 'doubt', params ->> 'level' from station_command"
    assert city.ask(asked) == [(STATION, "37", "device", "red")]

    city.live(log(frame(15, 2.75)), 17)
    assert [row[1:4] for row in city.events("flood")] == [("raised", 1, 4)]
    assert told(city) == [(6, "raised", 1, 4), (16, "ended", 2, 4)]
    end = "select detail -> 'is_confirmed', sentence_en from alert where kind = 'flood_unconfirmed'"
    [(is_confirmed, sentence)] = city.ask(end)
    assert is_confirmed is True and "confirmed, see its alert" in sentence
    changes = "select notice ->> 'kind', notice ->> 'certainty', notice ->> 'change' from delivery order by 1, revision"
    assert city.ask(changes) == [
        ("flood", "observed", "raised"), (KIND, "possible", "raised"), (KIND, "possible", "ended"),
    ]  # fmt: skip


def test_a_good_sample_below_the_lines_does_not_bear_it_out(city: City) -> None:
    city.live(log(frame(0, 0.5), frame(5, 2.6, GAUGE_FAULT), frame(10, 0.6)), 12)
    assert told(city) == [(6, "raised", 1, 4), (11, "ended", 2, 4)]
    assert city.ask("select detail -> 'is_confirmed' from alert") == [(False,)]
    assert city.events("flood") == []


def test_it_ends_when_the_doubted_samples_are_below_all_lines_and_not_in_silence(city: City) -> None:
    city.live(log(frame(0, 0.5), frame(5, 2.6, GAUGE_FAULT)), 90)
    assert told(city) == [(6, "raised", 1, 4)]
    city.live(log(frame(95, 0.5, GAUGE_FAULT)), 97)
    assert told(city) == [(6, "raised", 1, 4), (96, "ended", 2, 4)]


def test_what_failed_or_is_missing_tells_nothing_and_ends_nothing(city: City) -> None:
    city.live(log(frame(0, 0.5), frame(5, 9.5, GAUGE_FAULT)), 7)  # its physical range ends at 8 m
    assert told(city) == []
    city.live(log(frame(10, 2.6, GAUGE_FAULT), frame(15, 9.5, GAUGE_FAULT)), 17)
    gone = [msgspec.structs.replace(row, value=None, quality="missing") for row in frame(20, 2.6)[:1]]
    city.live(gone, 22)
    assert told(city) == [(11, "raised", 1, 4)]


def test_a_neighbour_in_danger_makes_it_likely(city: City) -> None:
    readings = [*every_five(["near"], 0, 0), said("near", 4, 1.2), *frame(0, 0.5), *frame(5, 2.6, GAUGE_FAULT)]
    city.live(readings, 7)
    assert city.ask("select certainty from alert where kind = 'flood_unconfirmed'") == [("likely",)]


def test_what_the_source_calls_suspect_is_told_too_and_a_jump_that_failed_is_not(city: City) -> None:
    doubtful = msgspec.structs.replace(said("near", 5, 2.6), quality="suspect", flags=("eqp",))
    city.live([said("near", 0, 0.5), doubtful], 7)
    assert city.ask("select subject, certainty, detail -> 'flags' from alert") == [("near", "possible", ["eqp"])]


def test_a_second_word_about_the_same_time_counts(city: City) -> None:
    mended = [msgspec.structs.replace(row, quality="good") for row in frame(5, 0.7, heard=8)]
    city.live(log(frame(0, 0.5), frame(5, 2.6, GAUGE_FAULT), mended), 10)
    assert told(city) == [(6, "raised", 1, 4), (8, "ended", 2, 4)]


def test_it_is_told_beside_a_lower_danger_that_stands(city: City) -> None:
    city.live(log(frame(0, 1.2), frame(5, 1.25, GAUGE_FAULT), frame(10, 2.1, GAUGE_FAULT)), 12)
    assert [row[1:4] for row in city.events("flood")] == [("raised", 1, 1)]
    assert told(city) == [(11, "raised", 1, 3)]


def test_minutes_that_are_judged_late_say_the_same(city: City, database: Database) -> None:
    """However the log is cut into takes: a doubt is found from what had been received up to the minute."""
    readings = log(
        frame(0, 0.5), frame(5, 2.1, GAUGE_FAULT), frame(10, 2.6, MAINS_OFF_BATTERY_LOW), frame(15, 0.7),
        frame(20, 2.6, GAUGE_FAULT, heard=31), frame(25, 1.7, GAUGE_FAULT), frame(32, 2.8),
    )  # fmt: skip
    city.live(readings, 40)
    live = told(city), city.ask("select alert_id, level, detail, ended_at from alert order by raised_at, kind")
    assert [row[1:] for row in live[0]] == [
        ("raised", 1, 3), ("updated", 2, 4), ("ended", 3, 4), ("raised", 1, 2), ("ended", 2, 2),
    ]  # fmt: skip
    wipe(city)
    city.owner.execute("truncate water_doubt, station_command")
    for again in _city(database):
        again.late(readings, 40)
        late = told(again), again.ask("select alert_id, level, detail, ended_at from alert order by raised_at, kind")
        assert late[0] == live[0]
        assert [row[:2] for row in late[1]] == [row[:2] for row in live[1]]
