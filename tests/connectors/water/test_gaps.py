"""What a station missed to send is asked for once, whichever process hears it again, and whoever was away meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from connectors.commands import Commands
from connectors.water.stations import StationFacts
from connectors.water.upkeep import CODES, Upkeep, after_readings, after_recall
from deploy.local import database as server
from schemas.settings import Connectors
from schemas.water import Element, StationReading
from tests.conftest import Database
from tests.connectors.water.stations import NOW, STATION, Post, heard, level, post, said, until

WEEK = timedelta(days=7)
FACTS = StationFacts(may_query=True, cadence_s=300.0)
STORE = """
with series as (
    insert into water_series (source, station, element, first_seen) values ('river', %s, %s, %s)
    on conflict (source, station, element, code) do update set source = excluded.source returning series_id
)
insert into water_reading (series_id, at, received_at, value, quality_source, flag, tests, flags)
select series_id, %s, %s, 1.0, 2, 1, 0, %s from series
"""
NEWEST = "select station, newest_at from station_newest(%s::jsonb, %s, %s) order by station"
QUESTIONS = """
select station, params ->> 'code', (params ->> 'since')::timestamptz, (params ->> 'until')::timestamptz
from station_command where kind = '38' order by 1, 2, 3
"""


def at(minutes: float) -> datetime:
    """Before the whole minute of the first frame."""
    return NOW.replace(second=0) - timedelta(minutes=minutes)


def reading(
    observed_at: datetime, *, element: Element = "level_m", flags: tuple[str, ...] = (), received_at: datetime = NOW
) -> StationReading:
    return StationReading(
        source="river", station=STATION, element=element, observed_at=observed_at, received_at=received_at, value=0.0,
        flags=flags,
    )  # fmt: skip


def asked(reports: Sequence[datetime], restarts: Iterable[int]) -> list[tuple[datetime, datetime]]:
    """The periods that are asked for when the process dies before these reports, and all that it got is stored."""
    state, found, names = Upkeep(), list[tuple[datetime, datetime]](), set[str]()
    for place, one in enumerate(reports):
        if place in restarts:
            state = Upkeep()
        state, wishes = after_readings(state, FACTS, [reading(one)], NOW, WEEK)
        if state.first is not None:
            stored = max((old for old in reports[:place] if old < state.first.oldest_at), default=None)
            state, wishes = after_recall(state, FACTS, stored, NOW, WEEK)
        for wish in wishes:
            assert wish.name not in names
            names.add(wish.name)
            found.append((datetime.fromisoformat(wish.params["since"]), datetime.fromisoformat(wish.params["until"])))
    return found


@given(
    steps=st.lists(st.sampled_from([1, 5, 10, 15, 16, 60, 1_000, 20_000]), min_size=1, max_size=20),
    restarts=st.sets(st.integers(0, 20)),
)
def test_who_was_restarted_asks_what_it_would_have_asked(steps: list[int], restarts: set[int]) -> None:
    reports = [at(0) + timedelta(minutes=minute) for minute in itertools.accumulate(steps)]
    periods = asked(reports, restarts)
    assert periods == asked(reports, ())
    assert all(timedelta(minutes=15) < end - begin <= WEEK for begin, end in periods)
    long = [(one, other) for one, other in itertools.pairwise(reports) if other - one > timedelta(minutes=15)]
    assert [end for _, end in periods] == [end for _, end in long]


def test_the_first_report_waits_for_what_is_stored() -> None:
    state, wishes = after_readings(Upkeep(), FACTS, [reading(at(0)), reading(at(5))], NOW, WEEK)
    assert state.first is not None and wishes == []
    assert state.first.oldest_at == at(5)
    state, wishes = after_readings(state, FACTS, [reading(at(-5))], NOW, WEEK)  # the database is away
    assert state.first is not None and wishes == []
    state, wishes = after_recall(state, FACTS, at(60), NOW, WEEK)
    assert state.first is None
    assert [(wish.kind, wish.params["since"], wish.params["until"]) for wish in wishes] == [
        ("38", at(60).isoformat(), at(5).isoformat())
    ]
    assert after_recall(state, FACTS, at(60), NOW, WEEK) == (state, [])
    _, wishes = after_readings(state, FACTS, [reading(at(-25))], NOW, WEEK)
    assert [wish.params["since"] for wish in wishes] == [at(-5).isoformat()]


@pytest.mark.parametrize(
    ("newest_at", "facts"),
    [
        (None, FACTS),  # never heard
        (at(15), FACTS),  # three cadences are no gap
        (at(-5), FACTS),  # asked for already, by a process that heard more
        (at(60), StationFacts(may_set_clock=True)),  # it may not be asked
    ],
)
def test_nothing_is_asked(newest_at: datetime | None, facts: StationFacts) -> None:
    state, _ = after_readings(Upkeep(), facts, [reading(at(0))], NOW, WEEK)
    state, wishes = after_recall(state, facts, newest_at, NOW, WEEK)
    assert (state.first, wishes) == (None, [])


@pytest.mark.parametrize("of", [{"element": "voltage_v"}, {"flags": ("clock",)}, {"flags": ("backfill",)}])
def test_only_what_a_station_reports_by_itself_of_what_can_be_asked_tells_where_it_is(of: dict[str, Any]) -> None:
    state, _ = after_readings(Upkeep(), FACTS, [reading(at(60))], NOW, WEEK)
    state, _ = after_recall(state, FACTS, None, NOW, WEEK)
    state, wishes = after_readings(state, FACTS, [reading(at(30), **of)], NOW, WEEK)
    assert wishes == []
    _, wishes = after_readings(state, FACTS, [reading(at(0))], NOW, WEEK)
    assert [wish.params["since"] for wish in wishes] == [at(60).isoformat()]


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.dsn("owner"), autocommit=True) as connection:
        yield connection


def store(
    owner: psycopg.Connection[Any], minutes: float, *, station: str = STATION, element: Element = "level_m",
    flags: str | None = None,
) -> None:  # fmt: skip
    received_at = NOW - timedelta(minutes=minutes)
    owner.execute(STORE, (station, element, received_at, at(minutes), received_at, flags))


@pytest.mark.stack
def test_the_newest_reading_of_many_stations_without_the_right_to_read_any(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    before = {"early": at(0), "late": at(30), "gone": at(0), "new": at(0), "asked": at(0), "volt": at(0), "none": at(0)}
    for minutes in (60, 55, 40, 20, 0):
        store(owner, minutes, station="early")
        store(owner, minutes, station="late")
    store(owner, 35, station="late", element="rain_total_mm")
    store(owner, 9 * 24 * 60, station="gone")
    store(owner, 0, station="new")  # of the report itself
    for minutes, flags in ((90, None), (50, "backfill"), (45, "clock"), (30, "coarse,clock"), (70, "threshold")):
        store(owner, minutes, station="asked", flags=flags)
    store(owner, 90, station="volt")
    store(owner, 5, station="volt", element="voltage_v")
    question = [
        {"source": "river", "station": station, "before": time, "heard_at": at(0)} for station, time in before.items()
    ]
    with psycopg.connect(database.dsn("connectors"), autocommit=True) as connectors:
        rows = connectors.execute(NEWEST, (msgspec.json.encode(question).decode(), list(CODES), WEEK)).fetchall()
        assert dict(rows) == {
            "asked": at(70), "early": at(20), "gone": at(0) - WEEK, "late": at(35), "volt": at(90),
        }  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connectors.execute("select at from water_reading")
    with (
        psycopg.connect(database.dsn("ops"), autocommit=True) as ops,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        ops.execute(NEWEST, ("[]", list(CODES), WEEK))


@contextlib.asynccontextmanager
async def process(dsn: str, facts: StationFacts = FACTS) -> AsyncIterator[Post]:
    """A server of stations and its questions, as a process has them; the log confirms what the test says."""
    async with post(Connectors(), {STATION: facts}) as ours:
        commands = Commands(dsn, {"river": ours.server}, WEEK)
        ours.wish = lambda station, wish: commands.wish("river", station, wish)
        asking = asyncio.create_task(commands.run())
        try:
            yield ours
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def report(ours: Post, minutes: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A report on a connection of its own, and its answer."""
    ours.now = NOW - timedelta(minutes=minutes)
    reader, writer = await ours.connect()
    digits = (at(minutes) + timedelta(hours=8)).strftime("%y%m%d%H%M")
    writer.write(said(0x32, level(STATION, 10_490, digits), sent=f"{digits}16"))
    delivery, _ = await ours.next()
    await delivery.acknowledge()
    (answer,) = await heard(reader)
    assert answer.frame.function == 0x32
    return reader, writer


async def looked_up(owner: psycopg.Connection[Any], *processes: tuple[Post, asyncio.StreamReader]) -> None:
    """Returns when what the station sent before is known, and what that wishes is in the table.

    Each process sends one question more; before that it puts what it wishes.
    """
    for ours, _ in processes:
        await until(lambda server=ours.server: not server.firsts(), 30)  # type: ignore[misc]
    for _ in processes:
        owner.execute(
            "insert into station_command (id, source, station, kind, expires_at) values (%s, 'river', %s, '37', %s)",
            (uuid.uuid4(), STATION, datetime.now(UTC) + timedelta(hours=1)),
        )
    for _, reader in processes:
        (question,) = await heard(reader)
        assert question.frame.function == 0x37


def questions(owner: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute(QUESTIONS).fetchall()


@pytest.mark.stack
def test_two_processes_ask_once_for_one_gap(database: Database, owner: psycopg.Connection[Any]) -> None:
    """Also when what the first had heard waits in Kafka: what is stored is older than that."""
    store(owner, 60)

    async def work() -> None:
        dsn = database.dsn("connectors")
        async with process(dsn) as one, process(dsn) as other:
            one_reader, one_writer = await report(one, 0)
            other_reader, other_writer = await report(other, -1)
            await looked_up(owner, (one, one_reader), (other, other_reader))
            one_writer.close()
            other_writer.close()
            ((*what, until_at),) = questions(owner)
            assert what == [STATION, "39", at(60)] and until_at in (at(0), at(-1))
        async with process(dsn) as third:
            reader, writer = await report(third, -10)
            await looked_up(owner, (third, reader))
            writer.close()
            assert len(questions(owner)) == 1
        async with process(dsn) as fourth:
            reader, writer = await report(fourth, -60)
            await looked_up(owner, (fourth, reader))
            writer.close()
            assert questions(owner)[1:] == [(STATION, "39", until_at, at(-60))]

    asyncio.run(asyncio.wait_for(work(), 120))


@pytest.mark.stack
def test_a_station_that_was_never_heard_is_asked_for_nothing(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    async def work() -> None:
        async with process(database.dsn("connectors")) as ours:
            store(owner, 0)  # what it says is applied before it is looked up
            reader, writer = await report(ours, 0)
            await looked_up(owner, (ours, reader))
            writer.close()
            assert questions(owner) == []

    asyncio.run(asyncio.wait_for(work(), 60))


@pytest.mark.stack
def test_a_database_that_is_away_keeps_no_station_waiting_and_is_asked_later(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    store(owner, 60)
    admit = sql.SQL("alter database {} allow_connections {}")
    name = sql.Identifier(database.name)

    async def work() -> None:
        with psycopg.connect(server.admin_dsn(database.settings, "postgres"), autocommit=True) as admin:
            admin.execute(admit.format(name, sql.Literal(False)))
            async with process(database.dsn("connectors")) as ours:
                connections = [await report(ours, 0), await report(ours, -5)]
                assert [first.oldest_at for first in ours.server.firsts().values()] == [at(0)]
                store(owner, 0)
                admin.execute(admit.format(name, sql.Literal(True)))
                await until(lambda: bool(questions(owner)), 30)
                assert questions(owner) == [(STATION, "39", at(60), at(0))]
                for _, writer in connections:
                    writer.close()

    asyncio.run(asyncio.wait_for(work(), 60))
