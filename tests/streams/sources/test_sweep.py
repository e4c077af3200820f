"""The sweep over sources on the real database: one alert for a dead feed, judged in log time, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from schemas.settings import Settings, Source
from schemas.source import Health
from schemas.topics import PARKING_OBSERVATIONS, SOURCES_HEALTH
from sql.connect import Connection, connect
from streams.sources.store import SourceReports
from streams.sweep_sources import Sources, judge_next, judge_pipeline
from tests.conftest import Database

pytestmark = pytest.mark.stack
T0 = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def reports(source: str, first: float, last: float, *, succeeds: bool = True) -> list[Health]:
    """One report every 15 s from minute to minute; without success when the supplier does not answer."""
    return [
        Health(
            source=source,
            received_at=at(first) + timedelta(seconds=15 * step),
            polls=1,
            failures=int(not succeeds),
            last_success_at=at(first) + timedelta(seconds=15 * step) if succeeds else None,
            cadence_s=60.0,
            error=None if succeeds else "timed out",
        )
        for step in range(int((last - first) * 4))
    ]


def apply(connection: Connection, rows: Sequence[Health], clock: datetime) -> None:
    """What the ledger does with a take of sources.health: the slice writes, the fence's clock moves."""
    domain = SourceReports()
    with connection.transaction(), connection.cursor() as cursor:
        domain.load(cursor, [0], 0)
        domain.fold(0, 0, "source.health.v1", sorted(rows, key=lambda row: row.received_at))
        domain.write(cursor)
        move_clock(connection, SOURCES_HEALTH.name, 1, clock)


def move_clock(connection: Connection, topic: str, partitions: int, clock: datetime | None) -> None:
    for partition in range(partitions):
        connection.execute(
            "insert into stream_fence (topic, partition, topic_id, next_offset, clock) values (%s, %s, 'log', 0, %s)"
            " on conflict (topic, partition) do update set clock = excluded.clock",
            (topic, partition, clock),
        )


def judge_all(connection: Connection, settings: Settings | None = None) -> list[datetime]:
    sources = Sources.of(settings or Settings())
    judged = []
    while (minute := judge_next(connection, sources)) is not None:
        judged.append(minute)
    return judged


def alerts(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select kind, subject, level, raised_at, ended_at, revision, sentence_zh from alert"
        " order by kind, subject, raised_at"
    ).fetchall()


def test_a_dead_feed_is_one_alert_that_is_told_again_and_ends(streams: Connection) -> None:
    rows = reports("op-jst", 0, 10) + reports("op-jst", 10, 80, succeeds=False) + reports("op-jst", 80, 90)
    apply(streams, rows + reports("other", 0, 90), at(90))
    judge_all(streams)
    ((kind, subject, level, raised_at, ended_at, revision, sentence),) = alerts(streams)
    assert (kind, subject, level) == ("source_silent", "op-jst", 3)
    assert raised_at == at(15), "five cadences after the last success at 9:45"
    assert ended_at == at(80)
    assert sentence == "数据源 op-jst 已恢复，11:20 收到数据。"
    events = streams.execute("select change, revision from alert_event order by revision").fetchall()
    assert [change for change, _ in events] == ["raised", *["updated"] * 4, "ended"], "5, 10, 15, 30, 60 min and over"
    assert [number for _, number in events] == list(range(1, revision + 1))


def test_each_minute_is_judged_once_and_none_twice(streams: Connection) -> None:
    apply(streams, reports("op-jst", 0, 3), at(3))
    first = judge_all(streams)
    assert first == [at(0), at(1), at(2)], "a minute is judged when the clock is beyond it"
    assert judge_all(streams) == []
    apply(streams, reports("op-jst", 3, 5), at(4.5))
    assert judge_all(streams) == [at(3), at(4)]


def test_an_hour_of_missed_minutes_finds_what_happened_meanwhile_and_nothing_else(streams: Connection) -> None:
    """The sweeps were away for an hour; the log was not. One source was silent in between, and is back."""
    rows = reports("good", 0, 60) + reports("op-jst", 0, 20) + reports("op-jst", 40, 60)
    apply(streams, rows, at(60))
    assert len(judge_all(streams)) == 60
    assert [(row[1], row[3], row[4]) for row in alerts(streams)] == [("op-jst", at(25), at(40))]


def test_an_hour_without_connectors_raises_nothing(streams: Connection) -> None:
    rows = [*reports("one", 0, 10), *reports("two", 0, 10), *reports("one", 70, 80), *reports("two", 71, 80)]
    apply(streams, rows, at(80))
    judge_all(streams)
    assert alerts(streams) == []


def test_judged_in_pieces_or_at_once_gives_the_same_alerts(streams: Connection, database: Database) -> None:
    rows = reports("good", 0, 40) + reports("op-jst", 0, 10) + reports("op-jst", 25, 40)
    everything = sorted(rows, key=lambda row: row.received_at)
    for start in range(0, 40, 7):
        piece = [row for row in everything if at(start) <= row.received_at < at(start + 7)]
        apply(streams, piece, min(at(start + 7), at(40)))
        judge_all(streams)
    in_pieces = streams.execute("select * from alert_event order by alert_id, revision").fetchall()
    with connect(database.dsn("owner"), autocommit=True) as owner:
        owner.execute("truncate alert, alert_event, sweep_progress, source_report, source_health")
    apply(streams, everything, at(40))
    judge_all(streams)
    at_once = streams.execute("select * from alert_event order by alert_id, revision").fetchall()
    assert at_once == in_pieces
    assert len(at_once) >= 2


def test_a_source_that_is_switched_off_owes_nothing(streams: Connection) -> None:
    apply(streams, reports("good", 0, 40) + reports("op-jst", 0, 10), at(20))
    judge_all(streams)
    assert [row[4] for row in alerts(streams)] == [None]
    off = Settings(sources=(Source(name="op-jst", decoder="hdb", transport="http_poll", enabled=False),))
    apply(streams, [], at(25))
    judge_all(streams, off)
    assert [row[4] for row in alerts(streams)] == [at(20)]


def test_how_many_car_parks_hang_on_the_source_is_said(streams: Connection, database: Database) -> None:
    with connect(database.dsn("owner")) as owner:
        for number in range(32):
            owner.execute(
                "insert into lot_source (source, ref, lot_id, valid_from) values ('op-jst', %s, %s, '2020-01-01')",
                (f"r{number}", f"lh-{number}"),
            )
    apply(streams, reports("good", 0, 16) + reports("op-jst", 0, 10), at(16))
    judge_all(streams)
    assert alerts(streams)[0][6] == "截至 10:15，数据源 op-jst 已静默 5 分钟，最后成功 10:09，影响 32 个停车场。"


def test_health_adds_up_and_is_never_moved_back(streams: Connection) -> None:
    apply(streams, reports("op-jst", 5, 10), at(10))
    apply(streams, reports("op-jst", 0, 5, succeeds=False), at(10))
    (row,) = streams.execute(
        "select polls, failures, received_at, last_success_at, error from source_health"
    ).fetchall()
    assert row == (40, 20, at(9.75), at(9.75), None)


def test_a_log_that_stands_still_is_an_alert_about_the_wall(streams: Connection) -> None:
    sources = Sources.of(Settings())
    move_clock(streams, PARKING_OBSERVATIONS.name, 4, None)
    judge_pipeline(streams, sources, at(0))
    assert alerts(streams) == [], "it has never run: nothing is said"
    move_clock(streams, PARKING_OBSERVATIONS.name, 4, at(0))
    judge_pipeline(streams, sources, at(1))
    assert alerts(streams) == [], "just within"
    for minute in (2, 3, 4, 6):
        judge_pipeline(streams, sources, at(minute))
    ((kind, subject, level, raised_at, ended_at, revision, sentence),) = alerts(streams)
    assert (kind, subject, level, raised_at, ended_at) == ("pipeline_late", PARKING_OBSERVATIONS.name, 3, at(2), None)
    assert revision == 3, "raised, at 3 and at 5 minutes"
    assert sentence == "截至 10:06，数据管道 parking.observations 只处理到 10:00，落后 6 分钟。"
    move_clock(streams, PARKING_OBSERVATIONS.name, 4, at(6.4))
    judge_pipeline(streams, sources, at(6.5))
    assert alerts(streams)[0][4] == at(6.5)
