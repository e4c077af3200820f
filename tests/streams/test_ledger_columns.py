"""The ledger and a record of columns: folded as columns, and still only the place at fault becomes a dead letter."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from schemas.batch import SCHEMA_OF, encode
from schemas.topics import WATER_READINGS
from schemas.water import StationReading, WaterReadings
from sql.connect import connect
from streams.ledger import Ledger, Record
from tests.conftest import Database
from tests.streams.logs import START, TOPIC_ID, new_fences, tick

pytestmark = pytest.mark.stack


def reading(station: str, second: float, value: float | None) -> StationReading:
    at = START + timedelta(seconds=second)
    received_at = at + timedelta(seconds=2)
    return StationReading(
        source="river", station=station, element="level_m", observed_at=at, received_at=received_at, value=value
    )


class Divided:
    """A slice that stores 1/value of each reading in a table of its own: zero is what the database cannot store."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, float | None]] = []

    def forget(self) -> None:
        self.waiting.clear()

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        return

    def streaming(self, cursor: psycopg.Cursor[Any]) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    def fold(self, partition: int, offset: int, schema: str, rows: Any) -> None:
        assert isinstance(rows, WaterReadings)
        self.waiting += zip(rows.station, rows.value, strict=True)

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.executemany("insert into divided values (%s, 1 / %s::float)", self.waiting)
        self.waiting.clear()


@pytest.fixture
def owner(database: Database) -> Iterator[Any]:
    new_fences(database.dsn("owner"), WATER_READINGS.name)
    with connect(database.dsn("owner"), autocommit=True) as connection:
        connection.execute("create table divided (station text, value float)")
        connection.execute("grant insert on divided to citysense_streams")
        yield connection


def test_columns_are_folded_as_columns_and_a_bad_place_is_dead_alone(database: Database, owner: Any) -> None:
    said = [reading("a", 0, 2.0), reading("b", 0, 4.0), reading("c", 60, 0.0), reading("d", 0, None)]
    broken = msgspec.json.decode(encode(SCHEMA_OF[StationReading], said))
    broken["rows"]["element"][1] = "no element"
    ledger = Ledger(WATER_READINGS.name, TOPIC_ID, Divided(), functools.partial(connect, database.dsn("streams")))
    applied = ledger.apply([Record(0, 0, msgspec.json.encode(broken)), tick(1, 70)])
    assert (applied.records, applied.rows, applied.dead) == (2, 2, 2)
    assert owner.execute("select * from divided order by station").fetchall() == [("a", 0.5), ("d", None)]
    dead = owner.execute("select row_index, source, reason, raw from dead_letter order by row_index").fetchall()
    assert [letter[:3] for letter in dead] == [(1, None, "contract"), (2, "river", "sqlstate_22012")]
    assert msgspec.json.decode(dead[1][3], type=StationReading) == said[2]
    clock = owner.execute("select clock from stream_fence where topic = %s", (WATER_READINGS.name,)).fetchone()
    assert clock == (START + timedelta(seconds=70),)
