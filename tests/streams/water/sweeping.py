"""A district for tests of the sweep over rain: its log of one partition as it grows, applied, and swept by minutes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg

from schemas.batch import SCHEMA_OF, encode
from schemas.topics import WATER_READINGS
from schemas.water import StationReading
from schemas.water_registers import WaterRegister
from sql.connect import connect
from sql.registers import load_water, read_water
from streams.ledger import Ledger, Record
from streams.sweep_rain import Weather
from streams.water.readings import Readings
from tests.conftest import Database
from tests.streams.logs import TOPIC_ID, new_fences
from tests.streams.water.river import T0, ZONE

SUMS = "select subject, hours, mm, missing_share from rain_sum where is_areal = %s and at = %s order by 1, 2"
Samples = Sequence[tuple[float, float | None]]  # minute, value


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def steady(begin: int, end: int, start: float, per_min: float) -> list[tuple[float, float | None]]:
    """A value each minute that grows alike."""
    return [(when, round(start + per_min * (when - begin), 3)) for when in range(begin, end)]


class District:
    def __init__(self, database: Database, register: WaterRegister) -> None:
        new_fences(database.dsn("owner"), WATER_READINGS.name)
        with connect(database.dsn("owner"), autocommit=True) as owner:
            load_water(owner, register)
        self.database = database
        self.connection = connect(database.dsn("streams"), autocommit=True)
        self.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        plain = functools.partial(connect, database.dsn("streams"))
        self.ledger = Ledger(WATER_READINGS.name, TOPIC_ID, Readings(database.settings), plain)
        self.weather = Weather(ZONE)
        self.offset = 0

    def say(self, name: str, samples: Samples, heard: float | None = None, **more: Any) -> None:
        """Each is heard two seconds after its time, or all of them at a minute."""
        self.apply(
            [
                StationReading(
                    source="s", station=name, observed_at=at(when), value=value,
                    received_at=at(when if heard is None else heard) + timedelta(seconds=2),
                    **({"element": "rain_total_mm", "quality": "good"} | more),
                )
                for when, value in samples
            ]
        )  # fmt: skip

    def apply(self, rows: Sequence[StationReading]) -> None:
        self.ledger.apply([Record(0, self.offset, encode(SCHEMA_OF[StationReading], list(rows)))])
        self.offset += 1

    def sweep(self, minutes: float) -> None:
        with self.connection.transaction():
            register = read_water(self.connection)
            self.weather.rain_and_pipes(self.connection, at(minutes), register)
            self.weather.storm(self.connection, at(minutes), register)

    def ask(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), given).fetchall()

    def sums(self, minutes: float, areal: bool = False) -> dict[tuple[str, int], tuple[Any, Any]]:
        rows = self.ask(SUMS, areal, at(minutes))
        return {(subject, hours): (mm, round(share, 3)) for subject, hours, mm, share in rows}

    def alerts(self, *kinds: str) -> list[tuple[Any, ...]]:
        return self.ask(
            "select subject, kind, level, ended_at is null, sentence_zh from alert where kind = any(%s) "
            "order by raised_at, subject",
            list(kinds),
        )


@contextmanager
def district_of(database: Database, register: WaterRegister) -> Iterator[District]:
    made = District(database, register)
    try:
        yield made
    finally:
        made.connection.close()
