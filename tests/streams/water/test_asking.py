"""A crossing that wants confirmation asks its station: a row, a question on the session, an answer, an alert."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.routes import plug
from connectors.run import run as run_connectors
from schemas.settings import Settings, Source
from schemas.water import Element, StationReading
from schemas.water_registers import Station, WaterRegister
from sql.connect import Connection, connect
from sql.registers import load_water
from streams.ledger import Ledger
from streams.water.readings import Readings
from tests.conftest import Database
from tests.connectors.water.stations import STATION, ZONE, free_port, heard, level, said, until
from tests.connectors.water.test_questions import connect as dial
from tests.processes import running, settings_file
from tests.streams.logs import TOPIC_ID, new_fences
from tests.streams.water import river
from tests.streams.water.river import T0, thresholds
from tests.streams.water.test_readings import TOPIC, log_of

pytestmark = pytest.mark.stack
ASKED = """select station, kind, params ->> 'doubt', params ->> 'level', params -> 'codes', expires_at
    from station_command order by params ->> 'since', id"""
SL651 = {
    "name": "river", "decoder": "sl651", "transport": "tcp", "topic": "water.readings", "port": 1, "secret": "river",
}  # fmt: skip


def station(**fields: Any) -> Station:
    known: dict[str, Any] = {"source": "river", "station": STATION, "may_query": True, "rate_limit_per_min": None}
    return msgspec.structs.replace(river.station(), **(known | fields))


def reading(
    minutes: float, value: float, heard_min: float | None = None, element: Element = "level_m"
) -> StationReading:
    observed_at = T0 + timedelta(minutes=minutes)
    received_at = T0 + timedelta(minutes=minutes if heard_min is None else heard_min, seconds=5)
    return StationReading(
        source="river", station=STATION, element=element, observed_at=observed_at, received_at=received_at, value=value
    )


def apply(
    database: Database, owner: Connection, readings: Sequence[StationReading], of: Station, decoder: str = "sl651"
) -> list[tuple[Any, ...]]:
    """What the readings ask, each a take of its own, when this station says them."""
    source = msgspec.convert(SL651 | {"decoder": decoder}, Source)
    settings = msgspec.structs.replace(database.settings, sources=(source,))
    own = (*thresholds(confirm_max_s=120), *thresholds(element="flow_m3s", confirm_max_s=120))
    load_water(owner, WaterRegister(stations=(of,), thresholds=own))
    new_fences(database.dsn("owner"), TOPIC)
    connection = functools.partial(connect, database.dsn("streams"))
    ledger = Ledger(TOPIC, TOPIC_ID, Readings(settings), connection)
    for record in log_of(readings, size=1):
        ledger.apply([record])
    return owner.execute(ASKED).fetchall()


@pytest.fixture
def owner(database: Database) -> Any:
    with connect(database.dsn("owner"), autocommit=True) as connection:
        yield connection


def test_a_crossing_is_asked_about_once(database: Database, owner: Connection) -> None:
    rows = [reading(0, 0.3), reading(5, 2.1), reading(5, 2.1), reading(5.5, 2.05), reading(6, 2.6), reading(6.2, 2.6)]
    found = apply(database, owner, rows, station())
    overdue = timedelta(seconds=120)
    assert found == [
        (STATION, "37", "crossing", "orange", None, T0 + timedelta(minutes=5) + overdue),
        (STATION, "37", "crossing", "red", None, T0 + timedelta(minutes=6) + overdue),
    ]


def test_a_jump_over_a_threshold_is_asked_about(database: Database, owner: Connection) -> None:
    found = apply(database, owner, [reading(0, 0.3), reading(5, 2.1)], station(rate_limit_per_min=0.2))
    assert [row[:4] for row in found] == [(STATION, "37", "jump", "orange")]


def test_another_element_than_the_stations_own_is_asked_for_by_name(database: Database, owner: Connection) -> None:
    rows = [reading(0, 0.3, element="flow_m3s"), reading(5, 1.2, element="flow_m3s")]
    assert [row[1:5] for row in apply(database, owner, rows, station())] == [("3A", "crossing", "blue", ["27"])]


@pytest.mark.parametrize(
    ("of", "decoder"),
    [({"may_query": False}, "sl651"), ({}, "hj212"), ({"withdrawn_at": T0}, "sl651")],
    ids=["not_allowed", "no_such_question", "withdrawn"],
)
def test_nobody_is_asked_who_may_not_or_cannot(
    database: Database, owner: Connection, of: dict[str, Any], decoder: str
) -> None:
    assert apply(database, owner, [reading(0, 0.3), reading(5, 2.1)], station(**of), decoder) == []


def test_old_data_ask_nothing(database: Database, owner: Connection) -> None:
    """Neither a sample that came late nor one that a log which is caught up has left behind."""
    late = [reading(0, 0.3), reading(5, 2.1, heard_min=12)]
    assert apply(database, owner, late, station()) == []


def test_a_log_that_is_caught_up_asks_nothing_of_what_is_over(database: Database, owner: Connection) -> None:
    source = msgspec.convert(SL651, Source)
    settings = msgspec.structs.replace(database.settings, sources=(source,))
    load_water(owner, WaterRegister(stations=(station(),), thresholds=thresholds(confirm=9)))
    new_fences(database.dsn("owner"), TOPIC)
    log = log_of([reading(at, 2.1 if at else 0.3) for at in range(0, 40, 5)], size=100)
    Ledger(TOPIC, TOPIC_ID, Readings(settings), functools.partial(connect, database.dsn("streams"))).apply(log)
    assert owner.execute(ASKED).fetchall() == []


def test_from_a_frame_to_the_question_to_the_alert(kafka: Settings, database: Database, tmp_path: Path) -> None:
    """A station that reports every 5 minutes is over red in one report. It is asked; its answer raises the alert."""
    table = SL651 | {"port": free_port()}
    settings = msgspec.structs.replace(database.settings, sources=(msgspec.convert(table, Source),))
    toml = "\n[[source]]\n" + "".join(f"{name} = {value!r}\n" for name, value in table.items())
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, WaterRegister(stations=(station(cadence_s=300.0),), thresholds=thresholds(confirm_max_s=120)))
        file = settings_file(database.settings, tmp_path, toml)

        def one(query: str) -> tuple[Any, ...]:
            return owner.execute(query.encode()).fetchone() or (None,)

        async def talk() -> None:
            stop = asyncio.Event()
            passwords = msgspec.json.encode({STATION: "03e8"}).decode()
            ours = asyncio.create_task(
                run_connectors(settings, plug(settings, [], lambda name: passwords), tmp_path, stop)
            )
            try:
                reader, writer = await dial(settings.sources[0])
                digits = datetime.now(ZONE).strftime("%y%m%d%H%M%S")
                writer.write(said(0x32, level(STATION, 2_900, digits[:10]), sent=digits))
                (answer,) = await heard(reader)
                await until(lambda: one("select state from station_command") == ("sent",), 60)
                (question,) = await heard(reader)
                assert (answer.frame.function, question.frame.function) == (0x32, 0x37)
                assert one("select kind, params ->> 'doubt', params ->> 'level' from station_command") == (
                    "37", "crossing", "red",
                )  # fmt: skip
                assert one("select count(*) from alert") == (0,)
                digits = (datetime.now(ZONE) + timedelta(seconds=2)).strftime("%y%m%d%H%M%S")
                writer.write(said(0x37, level(STATION, 2_910, digits[:10]), sent=digits))
                await until(lambda: one("select count(*) from alert where kind = 'flood'") == (1,), 60)
                await until(lambda: one("select state from station_command") == ("answered",))
            finally:
                stop.set()
                await asyncio.wait_for(ours, 30)

        with running(database.settings, file, "streams", "worker", "--metrics-port", "-1"):
            asyncio.run(talk())
        level_told, raised_at, first, confirmed = one(
            "select level, raised_at, (detail ->> 'observed_at')::timestamptz, (detail ->> 'confirmed_at')::timestamptz"
            " from alert where kind = 'flood'"
        )
    assert level_told == 4
    assert raised_at - first < timedelta(seconds=300)
    assert first < confirmed <= datetime.now(UTC) + timedelta(seconds=2)
