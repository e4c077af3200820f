"""Questions to stations: asked on their sessions, answered in their rows, only where the register lets."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from connectors.routes import plug
from connectors.run import run as run_connectors
from connectors.transports.tcp import NoSession
from connectors.water.dialogues import Unsayable
from connectors.water.stations import StationFacts
from connectors.water.upkeep import Upkeep, after_message, after_readings
from schemas import settings as tables
from schemas.settings import Settings, Source
from schemas.topics import REJECTS, WATER_READINGS, WATER_TESTS
from schemas.water import StationReading
from tests.conftest import Database
from tests.connectors import log
from tests.connectors.water.stations import NOW, STATION, free_port, heard, level, post, said, until


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(limited())


def test_a_question_is_answered_when_its_readings_are_safe() -> None:
    async def work() -> None:
        facts = {STATION: StationFacts(centre=5, may_query=True)}
        async with post(facts=facts) as ours:
            with pytest.raises(NoSession):
                await ours.server.ask(STATION, "37", {})
            reader, writer = await ours.connect()
            writer.write(said(0x2F))
            await until(lambda: ours.server.is_connected(STATION))
            with pytest.raises(Unsayable):
                await ours.server.ask(STATION, "38", {"since": "yesterday"})
            asking = asyncio.create_task(ours.server.ask(STATION, "37", {}))
            (question,) = await heard(reader)
            assert (question.frame.function, question.frame.station, question.frame.password) == (0x37, STATION, "03E8")
            assert ours.server.is_busy(STATION)
            writer.write(said(0x37, level(STATION, 11_001)))
            delivery, decoded = await ours.next()
            (row,) = decoded.rows
            assert isinstance(row, StationReading) and (row.value, row.flags) == (11.001, ("queried",))
            assert not asking.done()
            await delivery.acknowledge()
            assert await asking == {"rows": 1, "rejects": 0}
            asking = asyncio.create_task(ours.server.ask(STATION, "37", {}))
            await heard(reader)
            writer.close()
            with pytest.raises(NoSession):
                await asking

    run(work)


def test_a_gap_is_asked_for_and_a_clock_that_is_off_twice_is_set() -> None:
    async def work() -> None:
        facts = {STATION: StationFacts(may_query=True, may_set_clock=True, cadence_s=300.0)}
        async with post(facts=facts) as ours:
            _, writer = await ours.connect()
            for observed in ("1707181000", "1707181005", "1707181055"):
                writer.write(said(0x32, level(STATION, 10_000, observed)))
                delivery, _ = await ours.next()
                await delivery.acknowledge()
            ((station, wish),) = ours.wishes
            assert (station, wish.kind) == (STATION, "38")
            assert wish.params == {
                "since": "2017-07-18T02:05:00+00:00", "until": "2017-07-18T02:55:00+00:00", "code": "39", "why": "gap",
            }  # fmt: skip
            ours.wishes.clear()
            writer.write(said(0x2F, sent="170718110216"))  # two minutes ahead
            writer.write(said(0x2F, sent="170718105916"))  # a minute behind: not alike
            writer.write(said(0x2F, sent="170718110246"))
            writer.write(said(0x2F, sent="170718110248"))
            writer.write(said(0x2F, sent="170718110249"))
            await until(lambda: bool(ours.wishes))
            assert [wish.kind for _, wish in ours.wishes] == ["4A"]

    run(work)


def test_a_station_whose_switches_are_off_is_asked_nothing() -> None:
    def asked(facts: StationFacts) -> list[str]:
        state, kinds = Upkeep(newest_at=NOW - timedelta(hours=3)), list[str]()
        row = StationReading(
            source="river", station=STATION, element="level_m", observed_at=NOW, received_at=NOW, value=1.0
        )
        state, wishes = after_readings(state, facts, [row], NOW, timedelta(days=7))
        kinds += [wish.kind for wish in wishes]
        for _ in range(3):
            state, wishes = after_message(state, facts, 120.0, NOW)
            kinds += [wish.kind for wish in wishes]
        return kinds

    assert asked(StationFacts()) == []
    assert asked(StationFacts(may_query=True)) == ["38"]
    assert asked(StationFacts(may_set_clock=True)) == ["4A"]


def test_the_value_of_now_is_of_the_second_in_which_it_was_sent() -> None:
    """A report of the same minute came already: that was the sample to confirm."""

    async def work() -> None:
        async with post(facts={STATION: StationFacts(may_query=True)}) as ours:
            _, writer = await ours.connect()
            for function in (0x32, 0x37, 0x3A):
                writer.write(said(function, level(STATION, 10_490), sent="170718110016"))
                delivery, decoded = await ours.next()
                (row,) = decoded.rows
                assert isinstance(row, StationReading)
                seconds = 0 if function == 0x32 else 16
                assert row.observed_at == NOW.replace(second=seconds)
                await delivery.acknowledge()

    run(work)


def test_upkeep_says_until_when_a_question_is_worth_asking() -> None:
    facts = StationFacts(may_set_clock=True)
    state, wishes = Upkeep(), []
    for _ in range(5):
        state, more = after_message(state, facts, 300.0, NOW)
        wishes += more
    assert [(wish.kind, wish.expires_at) for wish in wishes] == [("4A", NOW + timedelta(hours=1))]


SENT = "261124103000"
OBSERVED = "2611241030"
PUT = "insert into station_command (id, source, station, kind, params, expires_at) values (%s, 'river', %s, %s, %s, {})"
LATER = PUT.format("now() + interval '1 hour'")
PAST = PUT.format("now() - interval '1 s'")
STATE = "select state, attempts, result from station_command where id = %s"


@contextlib.asynccontextmanager
async def connector(settings: Settings, spool: Path, facts: dict[str, Any]) -> AsyncIterator[Source]:
    """A connector process with one source of stations, as `connectors run` makes it."""
    table = {
        "name": "river", "decoder": "sl651", "transport": "tcp", "topic": "water.readings", "port": free_port(),
        "secret": "river", "options": {"stations": {STATION: facts}},
    }  # fmt: skip
    source = msgspec.convert(table, Source)
    settings = msgspec.structs.replace(settings, sources=(source,))
    stop = asyncio.Event()
    running = asyncio.create_task(
        run_connectors(settings, plug(settings, [], lambda name: '{"0011223344": "03e8"}'), spool, stop)
    )
    try:
        yield source
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)


async def connect(source: Source) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ConnectionError):
                return await asyncio.open_connection("127.0.0.1", source.port)
            await asyncio.sleep(0.05)


@pytest.mark.stack
def test_from_a_row_to_a_station_and_back_into_the_row(kafka: Settings, database: Database, tmp_path: Path) -> None:
    asked, expired, forbidden = (uuid.uuid4() for _ in range(3))

    async def work() -> None:
        with psycopg.connect(database.dsn("streams"), autocommit=True) as streams:
            async with connector(database.settings, tmp_path, {"may_query": True, "centre": 5}) as source:
                reader, writer = await connect(source)
                writer.write(said(0x32, level(STATION, 10_490, OBSERVED), sent=SENT))
                (answer,) = await heard(reader)
                assert answer.frame.function == 0x32
                writer.write(said(0x30, level(STATION, 1, OBSERVED), sent=SENT))
                await heard(reader)
                period = {"since": "2026-11-24T01:00:00Z", "until": "2026-11-24T02:00:00Z", "code": "39"}
                for row in [(asked, "38", period), (forbidden, "4A", {})]:
                    streams.execute(LATER, (row[0], STATION, row[1], msgspec.json.encode(row[2]).decode()))
                streams.execute(PAST, (expired, STATION, "37", "{}"))
                (question,) = await heard(reader)
                assert question.frame.function == 0x38
                assert question.content[8:16] == bytes.fromhex("2611240926112410")  # Beijing hours
                assert streams.execute(STATE, (asked,)).fetchone() == ("sent", 1, None)
                body = bytes.fromhex(f"F1F1{STATION}48F0F0{OBSERVED}04180000053923" + "00010480" + "00010470")
                writer.write(said(0x38, body, sent=SENT))
                await until(lambda: (streams.execute(STATE, (asked,)).fetchone() or "")[0] == "answered")
                await until(lambda: (streams.execute(STATE, (forbidden,)).fetchone() or "")[0] == "failed")
                assert (streams.execute(STATE, (expired,)).fetchone() or "")[0] == "expired"
                found = streams.execute(STATE, (forbidden,)).fetchone()
                assert found is not None and found[2]["reason"] == "not_allowed"
                result = streams.execute(STATE, (asked,)).fetchone()
                assert result is not None and result[2]["rows"] >= 1

    run(work)
    rows: list[StationReading] = log.rows(kafka, WATER_READINGS)
    assert {row.flags for row in rows} == {(), ("backfill",)}
    assert [row.elements for row in log.rows(kafka, WATER_TESTS)] == [{"level_m": 0.001}]


@pytest.mark.stack
def test_strangers_are_told_and_stations_are_known_without_a_database(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    """The register stays on the disk; without Kafka nobody is answered."""
    nowhere = tables.Database(name="no_such_database")

    async def first() -> None:
        async with connector(database.settings, tmp_path, {}) as source:
            _, writer = await connect(source)
            writer.write(said(0x32, level(STATION, 1, OBSERVED), sent=SENT, password="0000"))
            await until(lambda: len(log.rows(kafka, REJECTS)) == 1)

    async def without_database() -> None:
        async with connector(msgspec.structs.replace(database.settings, database=nowhere), tmp_path, {}) as source:
            reader, writer = await connect(source)
            writer.write(said(0x32, level(STATION, 10_490, OBSERVED), sent=SENT))
            assert [answer.frame.function for answer in await heard(reader)] == [0x32]

    async def without_kafka() -> None:
        broker = tables.Kafka(bootstrap=f"127.0.0.1:{free_port()}")
        limits = msgspec.structs.replace(database.settings.connectors, stop_timeout_s=1.0)
        away = msgspec.structs.replace(database.settings, kafka=broker, instance="main", connectors=limits)
        away = msgspec.structs.replace(away, publisher=tables.Publisher(delivery_timeout_ms=1_000), database=nowhere)
        async with connector(away, tmp_path, {}) as source:
            reader, writer = await connect(source)
            writer.write(said(0x32, level(STATION, 10_490, OBSERVED), sent=SENT))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.0):
                    await reader.readexactly(1)

    for work in (first, without_database, without_kafka):
        run(work)
    (reject,) = log.rows(kafka, REJECTS)
    assert reject.reason == "wrong_password"
    assert len(log.rows(kafka, WATER_READINGS)) == 1
