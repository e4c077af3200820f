"""Sweeps on the real database: every minute once, in order, by the log's clock; one owner; late ones put right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from schemas.settings import Settings
from sql.connect import Connection, connect
from streams.sweep_minutes import Minutes
from streams.sweep_retention import drop_old
from streams.sweep_sources import Sources, judge_next
from tests.conftest import Database
from tests.streams.city import LOTS, PARTITIONS, apply, found, health, now_floor, readings, report, runs, stored_minutes

pytestmark = pytest.mark.stack
T0 = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SETTINGS = Settings()


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("owner")) as owner:
        found(owner)
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def apply_log(connection: Connection, minutes: int) -> None:
    """The whole log of some minutes, and the clocks just beyond the last one."""
    apply(connection, readings(T0, minutes), at(minutes - 1) + timedelta(seconds=1))
    report(connection, health(T0, minutes), at(minutes - 1) + timedelta(seconds=1))


def compute_all(connection: Connection, wall: datetime, minutes: Minutes | None = None) -> list[tuple[datetime, bool]]:
    sweep = minutes or Minutes(SETTINGS)
    computed = []
    while (made := sweep.compute_next(connection, wall)) is not None:
        computed.append((made.run.minute, made.run.is_late))
    return computed


def revise_all(connection: Connection, wall: datetime, minutes: Minutes | None = None) -> list[datetime]:
    sweep = minutes or Minutes(SETTINGS)
    written = []
    while (made := sweep.revise_next(connection, wall)) is not None:
        if made.is_written:
            written.append(made.run.minute)
    return written


def first_clock(connection: Connection) -> None:
    """The log begins at T0 - 30 s: the first whole minute is T0."""
    apply(connection, [], at(-0.5))
    report(connection, [], at(-0.5))


def test_every_registered_lot_is_in_every_minute(streams: Connection) -> None:
    first_clock(streams)
    assert compute_all(streams, at(0.05)) == [], "the clock has not passed it, the grace is not over"
    apply(streams, readings(T0, 1, lots=[0, 1]), at(0.01))
    report(streams, health(T0, 1), at(0.01))
    assert compute_all(streams, at(0.05)) == [(at(0), False)]
    lots = streams.execute("select lot_id, status, available, reason from parking_minute order by lot_id").fetchall()
    assert [lot[:3] for lot in lots[:3]] == [("lh-0", "open", 40), ("lh-1", "open", 39), ("lh-2", "unknown", None)]
    assert len(lots) == LOTS
    assert all(reason is not None for _, _, available, reason in lots if available is None)


def test_an_hour_that_was_missed_is_computed_in_order_and_nobody_was_silent(streams: Connection) -> None:
    apply_log(streams, 61)
    assert compute_all(streams, at(60.1)) == [(at(minute), False) for minute in range(61)]
    sources = Sources.of(SETTINGS)
    while judge_next(streams, sources) is not None:
        pass
    assert streams.execute("select count(*) from alert").fetchone() == (0,)
    fresh = streams.execute("select count(*) from parking_minute where freshness = 'fresh'").fetchone()
    assert fresh == (61 * LOTS,), "each minute was computed from what was known then"


def test_the_same_log_gives_the_same_minutes(streams: Connection, database: Database) -> None:
    """Minute by minute as the log grows, and from scratch afterwards."""
    first_clock(streams)
    report(streams, health(T0, 20), at(19.02))
    sweep = Minutes(SETTINGS)
    for minute in range(20):
        rows = [row for row in readings(T0, 20) if at(minute - 1) < row.received_at <= at(minute)]
        apply(streams, rows, at(minute) + timedelta(seconds=1))
        assert compute_all(streams, at(minute + 0.05), sweep) == [(at(minute), False)]
    live, live_runs = stored_minutes(streams), runs(streams)
    with connect(database.dsn("owner"), autocommit=True) as owner:
        owner.execute("truncate parking_minute, parking_minute_run, parking_forecast_score, sweep_progress")
    compute_all(streams, at(19.1))
    assert stored_minutes(streams) == live
    assert runs(streams) == live_runs


def test_a_partition_that_lags_makes_the_minute_late_and_then_a_revision(streams: Connection) -> None:
    first_clock(streams)
    report(streams, health(T0, 4), at(3.5))
    sweep = Minutes(SETTINGS)
    rows = readings(T0, 4)
    lagging, prompt = PARTITIONS[2], [p for p in PARTITIONS if p != PARTITIONS[2]]
    apply(streams, rows, at(2.5), prompt)
    for minute in range(3):
        assert compute_all(streams, at(minute) + timedelta(seconds=0.5), sweep) == []
        assert compute_all(streams, at(minute) + timedelta(seconds=4), sweep) == [(at(minute), True)]
        assert revise_all(streams, at(minute) + timedelta(seconds=4), sweep) == []
    seqs_before = [row[3] for row in runs(streams)]
    apply(streams, rows, at(2.5), [lagging])
    revised = revise_all(streams, at(2.6), sweep)
    assert revised == [at(0), at(1), at(2)]
    newest = {row[0]: row for row in runs(streams)}
    assert [(row[1], row[2]) for row in newest.values()] == [(2, False)] * 3
    assert min(row[3] for row in newest.values()) > max(seqs_before), (
        "the sequence of contents grows with revisions too"
    )
    assert revise_all(streams, at(2.6), Minutes(SETTINGS)) == [], "put right once"
    late_path = stored_minutes(streams)
    assert [lot[0]["status"] for lot in late_path].count("unknown") == 0

    assert [row[0]["available"] for row in late_path[-LOTS:]] == [40 - lot for lot in range(LOTS)]


def test_late_minutes_end_as_the_log_alone_would_have_made_them(streams: Connection, database: Database) -> None:
    first_clock(streams)
    report(streams, health(T0, 30), at(29.02))
    sweep = Minutes(SETTINGS)
    rows = readings(T0, 30)
    late, prompt = [1, 3], [0, 2]
    for minute in range(30):
        heard = [row for row in rows if at(minute - 1) < row.received_at <= at(minute)]
        apply(streams, heard, at(minute) + timedelta(seconds=1), prompt)
        if minute < 10 or minute >= 22:
            apply(streams, [row for row in rows if row.received_at <= at(minute)], at(minute + 0.02), late)
        compute_all(streams, at(minute) + timedelta(seconds=4), sweep)
        revise_all(streams, at(minute) + timedelta(seconds=5), sweep)
    put_right = stored_minutes(streams)
    assert any(row[1] > 1 for row in runs(streams))
    with connect(database.dsn("owner"), autocommit=True) as owner:
        owner.execute("truncate parking_minute, parking_minute_run, parking_forecast_score, sweep_progress")
    compute_all(streams, at(29.1))
    assert stored_minutes(streams) == put_right


def test_a_minute_that_comes_out_the_same_is_not_written_again(streams: Connection) -> None:
    first_clock(streams)
    report(streams, health(T0, 2), at(1.5))
    apply(streams, readings(T0, 1), at(0.5), PARTITIONS[:3])
    apply(streams, readings(T0, 1), at(0), PARTITIONS[3:])
    sweep = Minutes(SETTINGS)
    assert compute_all(streams, at(0.1), sweep) == [(at(0), True)], "all its rows are there, but the clock is at it"
    apply(streams, [], at(0.5))
    assert revise_all(streams, at(0.6), sweep) == []
    assert [row[:3] for row in runs(streams)] == [(at(0), 1, True)]


def test_while_the_log_stands_still_every_minute_is_published_and_ages(streams: Connection) -> None:
    first_clock(streams)
    apply_log(streams, 1)
    sweep = Minutes(SETTINGS)
    for minute in range(21):
        assert len(compute_all(streams, at(minute) + timedelta(seconds=5), sweep)) == 1
    tiers = streams.execute("select freshness from parking_minute where lot_id = 'lh-0' order by minute").fetchall()
    seen = list(dict.fromkeys(tier for (tier,) in tiers))
    assert seen == ["fresh", "aging", "stale", "expired"]
    newest = streams.execute(
        "select status, available, last_known, reason from parking_minute where lot_id = 'lh-0' order by minute desc"
    ).fetchone()
    assert newest is not None
    assert newest[:2] == ("unknown", None)
    assert newest[2]["available"] == 40
    assert newest[3] is not None


def test_what_does_not_change_keeps_its_sequence(streams: Connection) -> None:
    first_clock(streams)
    still = [row for minute in range(6) for row in readings(at(minute), 1)]
    apply(streams, still, at(5.02))
    report(streams, health(T0, 6), at(5.02))
    compute_all(streams, at(5.1))
    assert [row[3] for row in runs(streams)] == [1] * 6


def test_a_weekend_in_which_everything_was_off_is_jumped_with_an_incident(streams: Connection) -> None:
    apply_log(streams, 1)
    assert compute_all(streams, at(0.1)) == [(at(0), False)]
    monday = 60 * 60
    sweep = Minutes(SETTINGS)
    assert sweep.compute_next(streams, at(monday)) is None, "the log may still have it"
    report(streams, health(at(monday), 1), at(monday + 0.02))
    apply(streams, readings(at(monday), 1), at(monday + 0.02))
    computed = compute_all(streams, at(monday + 0.1), sweep)
    assert computed == [(at(monday - 1), False), (at(monday), False)]
    ((kind, detail),) = streams.execute("select kind, detail from stream_incident").fetchall()
    assert kind == "minute_gap"
    assert at(1).isoformat() in detail and at(monday - 2).isoformat() in detail
    fresh = streams.execute("select distinct freshness from parking_minute where minute = %s", (at(monday),)).fetchall()
    assert fresh == [("fresh",)]


def test_more_than_a_day_of_log_is_jumped_with_an_incident(streams: Connection) -> None:
    """The sweeps alone were away: the log has it all, but only the last day is computed."""
    apply_log(streams, 1)
    compute_all(streams, at(0.1))
    wall = at(30 * 60)
    report(streams, [one for hour in range(30) for one in health(at(60 * hour), 1)], wall)
    sweep = Minutes(SETTINGS)
    assert sweep.compute_next(streams, wall) is None
    made = sweep.compute_next(streams, wall + timedelta(seconds=4))
    assert made is not None
    assert made.run.minute == at(6 * 60 + 1)
    incidents = streams.execute("select kind, detail from stream_incident").fetchall()
    assert [kind for kind, _ in incidents] == ["minute_gap"]
    assert at(1).isoformat() in incidents[0][1]


def test_the_fences_and_clocks_of_a_minute_are_stored(streams: Connection) -> None:
    first_clock(streams)
    apply_log(streams, 1)
    compute_all(streams, at(0.1))
    row = streams.execute("select fences, clock, register_version, quality from parking_minute_run").fetchone()
    assert row is not None
    fences, clock, version, quality = row
    assert set(fences) == {*(f"parking.observations/{p}" for p in PARTITIONS), "sources.health/0"}
    assert (clock, version) == (at(0) + timedelta(seconds=1), 1)
    assert quality["sources"][0] | {"last_success_at": "", "newest_observed_at": ""} == {
        "source": "op-jst",
        "state": "live",
        "last_success_at": "",
        "newest_observed_at": "",
        "lots": LOTS,
        "lots_fresh": LOTS,
    }


def test_old_rows_go_a_bounded_piece_at_a_time_and_young_ones_stay(streams: Connection, database: Database) -> None:
    wall = now_floor()
    old, young = [wall - timedelta(days=days) for days in range(100, 92, -1)], wall - timedelta(days=1)
    with connect(database.dsn("owner")) as owner:
        for instant in (*old, young):
            owner.execute(
                "insert into parking_observation (series_id, at, received_at, mode, time_basis)"
                " values (1, %s, %s, 'count', 'lot')",
                (instant, instant),
            )
            owner.execute("insert into raw_payload values (%s, %s, 's', 1, 'x')", (instant.isoformat(), instant))
    first = drop_old(streams, SETTINGS.retention, wall)
    assert 0 < first <= 2 + len(old)
    while drop_old(streams, SETTINGS.retention, wall):
        pass
    assert streams.execute("select at from parking_observation").fetchall() == [(young,)]
    assert streams.execute("select received_at from raw_payload").fetchall() == [(young,)]
    assert drop_old(streams, SETTINGS.retention, wall + timedelta(hours=1)) == 0


def test_streams_cannot_drop_what_is_young(streams: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        streams.execute("select drop_old_chunks('parking_observation', now(), 1)")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        streams.execute("select drop_old_chunks('stream_fence', now() - interval '1 year', 1)")


def test_minutes_do_not_wait_for_a_log_of_health_that_nobody_keeps(streams: Connection) -> None:
    apply(streams, readings(T0, 1), at(0.02))
    assert compute_all(streams, at(0.05)) == [(at(0), False)]
    report(streams, health(T0, 1), at(0.5))
    apply(streams, readings(T0, 2), at(1.02))
    assert compute_all(streams, at(1.05)) == [], "now it is kept"
