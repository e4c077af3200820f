"""A city whose log is applied and swept on the real database: what the tests of sweeps over water speak about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg

from schemas.batch import SCHEMA_OF, encode
from schemas.source import Tick
from schemas.topics import WATER_READINGS
from schemas.water import StationReading
from schemas.water_registers import Basin, WaterRegister
from sql.connect import Connection, connect
from streams.ledger import Ledger, Record
from streams.sweep_water import Water, judge_next
from streams.water.readings import Readings
from tests.conftest import Database
from tests.streams.logs import TOPIC_ID, new_fences
from tests.streams.water.river import T0, station, thresholds

TOPIC = WATER_READINGS.name
NAMES = [f"s{number}" for number in range(6)]


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def said(name: str, minute: float, value: float | None = 0.5, heard: float | None = None) -> StationReading:
    """Heard two seconds after it was true, or at `heard`."""
    received_at = at(minute) + timedelta(seconds=2) if heard is None else at(heard)
    return StationReading(
        source="s", station=name, element="level_m", observed_at=at(minute), received_at=received_at, value=value
    )


class City:
    """Its log, applied by a worker, and the sweep over it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.water = Water(database.settings)
        self.sweep = connect(database.dsn("streams"), autocommit=True)
        self.sweep.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self.owner = connect(database.dsn("owner"), autocommit=True)
        new_fences(database.dsn("owner"), TOPIC)
        self._ledger = Ledger(TOPIC, TOPIC_ID, Readings(database.settings), self._connect)
        self._offset = 0

    def _connect(self) -> Connection:
        return connect(self.database.dsn("streams"))

    def hear(self, *readings: StationReading) -> None:
        self._apply(list(readings))

    def tick(self, minute: float) -> None:
        """The log goes on to this time, to the millisecond after it."""
        self._apply([Tick(received_at=at(minute) + timedelta(milliseconds=1), connector="c1")])

    def _apply(self, rows: Sequence[Any]) -> None:
        record = Record(0, self._offset, encode(SCHEMA_OF[type(rows[0])], list(rows)))
        assert self._ledger.apply([record]).dead == 0
        self._offset += 1

    def judge(self) -> list[datetime]:
        judged = []
        while (minute := judge_next(self.sweep, self.water)) is not None:
            judged.append(minute)
        return judged

    def live(self, readings: Iterable[StationReading], until: float) -> None:
        """Minute by minute: what is received, and then the sweep."""
        waiting = sorted(readings, key=lambda each: each.received_at)
        for minute in range(round(until) + 1):
            heard = [each for each in waiting if each.received_at <= at(minute)]
            waiting = waiting[len(heard) :]
            if heard:
                self.hear(*heard)
            self.tick(minute)
            self.judge()

    def late(self, readings: Iterable[StationReading], until: float, together: int = 10) -> None:
        """The whole log first, in takes of so many readings, the sweep afterwards."""
        waiting = sorted(readings, key=lambda each: each.received_at)
        for first in range(0, len(waiting), together):
            self.hear(*waiting[first : first + together])
        self.tick(until)
        self.judge()

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.owner.execute(query.encode()).fetchall()

    def alerts(self) -> list[tuple[Any, ...]]:
        return self.ask("select kind, subject, level, ended_at is null from alert order by raised_at, 1, 2")

    def events(self, *kinds: str) -> list[tuple[Any, ...]]:
        """(minute, change, revision, level, reminder)"""
        found = self.owner.execute(
            "select e.at, e.change, e.revision, e.level, (e.detail ->> 'reminder')::int from alert_event as e"
            " join alert as a using (alert_id) where a.kind = any(%s) order by e.at, e.revision",
            (list(kinds),),
        )
        return [((row[0] - T0) / timedelta(minutes=1), *row[1:]) for row in found]

    def knowledge(self) -> dict[str, str]:
        return dict(self.ask("select station_id, knowledge from water_hazard"))

    def close(self) -> None:
        self._ledger.close()
        self.sweep.close()
        self.owner.close()


def register_of(names: Sequence[str], **fields: Any) -> WaterRegister:
    """Rivers that report each five minutes; two basins."""
    own = [
        msgspec.structs.replace(station(name), basin_id="even" if place % 2 == 0 else "odd")
        for place, name in enumerate(names)
    ]
    basins = (Basin(basin_id="even", name_zh="双", name_en="Even"), Basin(basin_id="odd", name_zh="单", name_en="Odd"))
    known: dict[str, Any] = {
        "stations": tuple(own),
        "thresholds": tuple(each for name in names for each in thresholds(name, confirm=0)),
        "basins": basins,
    }
    return WaterRegister(**(known | fields))


def every_five(names: Iterable[str], since: float, until: float, value: float = 0.5) -> list[StationReading]:
    steps = range(int(since), int(until) + 1, 5)
    return [said(name, minute, value + (minute % 10) / 1000) for minute in steps for name in names]


def wipe(city: City) -> None:
    city.owner.execute("truncate water_reading, water_revision, water_series, water_state, water_hazard, stream_fence")
    city.owner.execute("truncate alert, alert_event, sweep_progress, delivery, delivery_lane cascade")
