"""What a minute is computed from: every series' newest word as of the minute, by the same rule as in a replay."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from schemas.minute import AreaMinute, Horizon, LotMinute, MinuteRun, PoolMinute, QualityMinute, ShareMinute
from schemas.parking import Observation
from schemas.settings import Parking, Settings
from sql.connect import Connection, connect
from streams.parking import minute_store
from streams.parking.availability import clamp
from streams.parking.latest import latest_of
from streams.parking.observations import Observations
from tests.conftest import Database

pytestmark = pytest.mark.stack
M = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("owner")) as owner:
        owner.execute("insert into subdistrict values ('gy', '桂园', 'Guiyuan', '{}')")
        for lot_id, ref in (("lh-1", "a"), ("lh-2", "b")):
            owner.execute(
                "insert into lot (lot_id, version, valid_from, name_zh, name_en, subdistrict_code, kind, lat, lon)"
                " values (%s, 1, '2020-01-01', 'x', 'x', 'gy', 'garage', 22.5, 114.1)",
                (lot_id,),
            )
            owner.execute(
                "insert into lot_source (source, ref, lot_id, valid_from) values ('op', %s, %s, '2020-01-01')",
                (ref, lot_id),
            )
    with connect(database.dsn("streams")) as connection:
        yield connection


def row(second: int, free: int | None, *, heard: int | None = None, ref: str = "a", **more: Any) -> Observation:
    """An observation `second` seconds before the minute, received a second later unless said otherwise."""
    observed_at = M - timedelta(seconds=second)
    received_at = observed_at + timedelta(seconds=1) if heard is None else M - timedelta(seconds=heard)
    return Observation(
        source="op", ref=ref, free=free, capacity=50, observed_at=observed_at, received_at=received_at, **more
    )


def void(second: int, heard: int, ref: str = "a") -> Observation:
    about = M - timedelta(seconds=second)
    received_at = M - timedelta(seconds=heard)
    return Observation(source="op", ref=ref, kind="void", supersedes=about, received_at=received_at)


def correct(second: int, heard: int, free: int, ref: str = "a") -> Observation:
    return msgspec.structs.replace(void(second, heard, ref), kind="correct", free=free, capacity=50)


def apply(connection: Connection, *rows: Observation) -> None:
    """Through the slice that the ledger uses, one take each."""
    domain = Observations(Settings())
    for one in rows:
        domain.forget()
        with connection.transaction(), connection.cursor() as cursor:
            domain.load(cursor, [0, 1, 2, 3], 0)
            with domain.streaming(cursor):
                domain.fold(0, 0, "parking.observation.v1", [one])
            domain.write(cursor)


def free_of(connection: Connection, at: datetime = M) -> dict[str, int | None]:
    with connection.transaction():
        return {latest.ref: latest.free for latest in minute_store.load_latest(connection, at)}


def test_the_newest_counts_and_what_came_after_the_minute_does_not_exist(streams: Connection) -> None:
    apply(streams, row(120, 9), row(60, 7), row(1, 5, heard=-3))
    assert free_of(streams) == {"a": 7}
    assert free_of(streams, M + timedelta(seconds=3)) == {"a": 5}


def test_zero_is_a_reading(streams: Connection) -> None:
    apply(streams, row(60, 0))
    assert free_of(streams) == {"a": 0}


def test_a_late_observation_moves_nothing_back(streams: Connection) -> None:
    apply(streams, row(60, 7), row(120, 9, heard=30))
    assert free_of(streams) == {"a": 7}


def test_a_correction_replaces_and_a_void_gives_the_one_before(streams: Connection) -> None:
    apply(streams, row(120, 9), row(60, 7), correct(60, 40, 6))
    assert free_of(streams) == {"a": 6}
    apply(streams, void(60, 30))
    assert free_of(streams) == {"a": 9}, "voided: the one before counts"
    assert free_of(streams, M - timedelta(seconds=35)) == {"a": 6}, "before it was voided it stood"
    apply(streams, void(120, 20))
    assert free_of(streams) == {}, "nothing is left"


def test_a_correction_of_a_time_that_was_never_observed_is_all_that_is_known(streams: Connection) -> None:
    apply(streams, row(60, 3, ref="b"), correct(90, 40, 6))
    assert free_of(streams) == {"a": 6, "b": 3}


def test_unregistered_series_are_counted_and_not_read(streams: Connection) -> None:
    apply(streams, row(60, 3), row(60, 4, ref="stranger"))
    assert free_of(streams) == {"a": 3}
    assert minute_store.unregistered(streams, M) == 1


def test_any_order_of_arrival_reads_like_the_replay(streams: Connection) -> None:
    """Random rows, corrections and voids, shuffled: the database says what the pure rule says."""
    dice = random.Random(7)
    rows: list[Observation] = []
    for ref in "ab":
        for number in range(25):  # each says another number: identical repeats are the fold's business
            second, heard = dice.choice((60, 120, 180, 240)), dice.randrange(1, 300)
            kind = dice.choice(("observe", "observe", "again", "correct", "void"))
            if kind == "void":
                rows.append(void(second, heard, ref))
            elif kind == "correct":
                rows.append(correct(second, heard, number, ref))
            else:
                rows.append(row(second, number, heard=heard, ref=ref))
    dice.shuffle(rows)
    apply(streams, *rows)
    for back in range(0, 300, 7):
        at = M - timedelta(seconds=back)
        expected: dict[str, Any] = {}
        for ref in "ab":
            said = [(one, clamp(one, None, Parking())) for one in rows if one.ref == ref and one.received_at <= at]
            believed = latest_of(said)
            if believed is not None:
                expected[ref] = believed
        with streams.transaction():
            found = {latest.ref: latest for latest in minute_store.load_latest(streams, at)}
        assert found == expected, f"{back} s before the minute"


def lot(lot_id: str = "lh-1") -> LotMinute:
    pool = PoolMinute(pool="public", status="open", available=0, capacity=50, observed_at=M, flags=("overfull",))
    return LotMinute(
        minute=M,
        lot_id=lot_id,
        status="open",
        status_since=M - timedelta(hours=1),
        opening_status="open",
        available=0,
        capacity=50,
        freshness="fresh",
        age_s=0,
        quality_score=0.97,
        flags=("overfull",),
        fill_per_min=0.25,
        thresholds={"full": [0, 2]},
        pools=(pool,),
        share=ShareMinute(state="open", spaces_contract=40, spaces_now=40, available=0, opens_at=M),
        forecast=(Horizon(minutes=15, at=M, p10=0.0, p50=1.5, p90=3.0, p_space=0.9, score=0.2, n=40),),
        last_known={"available": 0, "at": M.isoformat()},
        state={"dwell": {"since": M.isoformat()}, "noise": 0.125},
    )


def run(revision: int = 1) -> MinuteRun:
    area = AreaMinute(
        code="440303",
        lots_total=2,
        lots_live=1,
        spaces_capacity=50,
        spaces_contract=40,
        spaces_window_now=40,
        available_now=0,
        available_unknown_spaces=50,
    )
    quality = QualityMinute(
        lots_total=2,
        lots_by_freshness={"fresh": 1, "never": 1},
        lots_by_status={"open": 1, "unknown": 1},
        observed_to_minute_p50_s=9.0,
        observed_to_minute_p95_s=None,
    )
    return MinuteRun(
        minute=M,
        revision=revision,
        computed_at=M,
        clock=M,
        fences={"parking.observations/0": 7},
        register_version=1,
        content_seq=1,
        is_late=False,
        areas=(area,),
        quality=quality,
    )


def test_a_minute_is_read_back_as_it_was_written(streams: Connection) -> None:
    with streams.transaction():
        minute_store.write(streams, run(), [lot("lh-1"), lot("lh-2")])
    with streams.transaction():
        written = minute_store.newest_run(streams)
        assert written == minute_store.Written(M, 1)
        assert minute_store.load_lots(streams, written) == (lot("lh-1"), lot("lh-2"))
        areas, quality = streams.execute("select areas::text, quality::text from parking_minute_run").fetchall()[0]
    assert msgspec.json.decode(areas, type=tuple[AreaMinute, ...]) == run().areas
    assert msgspec.json.decode(quality, type=QualityMinute) == run().quality


def test_a_written_minute_is_never_overwritten(streams: Connection) -> None:
    with streams.transaction():
        minute_store.write(streams, run(), [lot()])
    with pytest.raises(psycopg.errors.UniqueViolation), streams.transaction():
        minute_store.write(streams, run(), [lot()])
    with streams.transaction():
        minute_store.write(streams, run(2), [msgspec.structs.replace(lot(), revision=2)])


def test_a_minute_is_announced_when_it_is_there(streams: Connection, database: Database) -> None:
    with connect(database.dsn("feed"), autocommit=True) as listener:
        listener.execute("listen parking_minute")
        with streams.transaction():
            minute_store.write(streams, run(), [lot()])
        (heard,) = listener.notifies(timeout=10, stop_after=1)
        assert heard.payload == "2026-11-24T02:30:00+00:00/1"
