"""The ledger against the real database: whatever fails, and whenever, each row is there once."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from schemas.topics import PARKING_OBSERVATIONS
from sql.connect import Connection, connect
from streams.errors import GapError, StopWorker
from streams.ledger import Ledger, Record
from streams.parking.observations import Observations
from streams.poison import PoisonLimits
from tests.conftest import Database
from tests.streams.logs import START, TOPIC_ID, content, new_fences, record, seen, tick

pytestmark = pytest.mark.stack
TOPIC = PARKING_OBSERVATIONS.name
LOG = [
    record(0, [seen("a", 0, 10), seen("b", 0, 20), seen("a", 60, 11)]),
    tick(1, 63),
    record(2, [seen("a", 30, 12), seen("a", 60, 11), seen("b", 0, 21)]),  # late, repeated, said again
    Record(0, 3, b"no batch"),
    record(4, [seen("a", 60, 13, kind="correct", supersedes=seen("a", 60).observed_at), seen("c", 60, 0)]),
]


def ledger(database: Database, open_connection: Callable[[], Connection] | None = None, **limits: Any) -> Ledger:
    plain = functools.partial(connect, database.dsn("streams"))
    return Ledger(TOPIC, TOPIC_ID, Observations(database.settings), open_connection or plain, PoisonLimits(**limits))


@pytest.fixture
def observer(database: Database) -> Iterator[Connection]:
    new_fences(database.dsn("owner"), TOPIC)
    with connect(database.dsn("owner")) as connection:
        yield connection


def test_a_log_becomes_rows_revisions_and_dead_letters(database: Database, observer: Connection) -> None:
    applied = ledger(database).apply(LOG)
    assert (applied.records, applied.rows, applied.dead) == (5, 8, 1)
    found = content(observer)
    stored = [(ref, at.minute, at.second, free) for _, ref, _, at, _, free, *_ in found["observations"]]
    assert stored == [("a", 0, 0, 10), ("a", 0, 30, 12), ("a", 1, 0, 11), ("b", 0, 0, 20), ("c", 1, 0, 0)]
    assert [(ref, kind) for _, ref, _, _, _, kind, *_ in found["revisions"]] == [("a", "correct"), ("b", "observe")]
    assert [(offset, reason) for _, _, offset, _, _, _, reason, _ in found["dead"]] == [(3, "not_a_batch")]
    assert found["fences"][0][2] == 5


def test_the_last_word_about_a_time_counts_also_when_it_was_said_before(
    database: Database, observer: Connection
) -> None:
    """A, B, A for one time: the second A is no repeat of the last word, in one take or in several, cached or loaded."""

    def said(ref: str) -> list[Record]:
        words = [(10, 2), (20, 62), (10, 122), (10, 182)]
        return [
            record(offset, [seen(ref, 0, free, received_at=START + timedelta(seconds=at))])
            for offset, (free, at) in enumerate(words)
        ]

    cached = ledger(database)
    for each in said("a"):
        cached.apply([each])
    again = [Record(0, number + 4, each.value) for number, each in enumerate(said("b"))]
    cached.apply(again)
    for number, each in enumerate(said("c")):
        ledger(database).apply([Record(0, number + 8, each.value)])
    revisions = [(ref, free["free"]) for _, ref, _, _, _, _, _, free in content(observer)["revisions"]]
    assert revisions == [(ref, free) for ref in "abc" for free in (20, 10)]


def test_redelivered_records_change_nothing(database: Database, observer: Connection) -> None:
    ours = ledger(database)
    ours.apply(LOG)
    once = content(observer)
    assert ours.apply(LOG).skipped == len(LOG)
    assert ledger(database).apply([*LOG, *LOG]).records == 0
    assert content(observer) == once


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4), (2,), (3, 4), (1,)])
def test_any_cut_into_takes_gives_the_same_rows(
    database: Database, observer: Connection, cuts: tuple[int, ...]
) -> None:
    ours = ledger(database)
    edges = [0, *cuts, len(LOG)]
    for low, high in itertools.pairwise(edges):
        ours.apply(LOG[max(0, low - 1) : high])  # each take repeats the last record of the one before
    found = content(observer)
    assert len(found["observations"]) == 5
    assert [(row[1], row[5]) for row in found["revisions"]] == [("a", "correct"), ("b", "observe")]
    assert len(found["dead"]) == 1


class Injected(psycopg.OperationalError):
    """A connection that breaks: no SQLSTATE, like a lost socket."""


class Faults:
    """Counts the statements of a connection, and breaks at one of them, before it or after it."""

    def __init__(self, at: int, after: bool) -> None:
        self.at, self.after, self.seen = at, after, 0

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        mine = self.seen
        self.seen += 1
        if mine == self.at and not self.after:
            raise Injected("before")
        yield
        if mine == self.at and self.after:
            raise Injected("after")


def breaking(dsn: str, faults: Faults) -> Connection:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            with faults.around():
                return super().execute(*args, **kwargs)

        def executemany(self, *args: Any, **kwargs: Any) -> None:
            with faults.around():
                super().executemany(*args, **kwargs)

        @contextlib.contextmanager
        def copy(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            with faults.around(), super().copy(*args, **kwargs) as copy:
                yield copy

    connection = connect(dsn)
    connection.cursor_factory = Cursor
    whole = connection.transaction

    @contextlib.contextmanager
    def transaction(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with faults.around(), whole(*args, **kwargs) as entered:  # after: the commit happened, its answer is lost
            yield entered

    connection.transaction = transaction  # type: ignore[method-assign]
    return connection


def statements(database: Database) -> int:
    counter = Faults(-1, after=False)
    new_fences(database.dsn("owner"), TOPIC)
    ledger(database, functools.partial(breaking, database.dsn("streams"), counter)).apply(LOG)
    return counter.seen


def wipe(connection: Connection) -> None:
    with connection.transaction():
        connection.execute("truncate parking_observation, parking_revision, parking_series, dead_letter, stream_fence")


def test_a_fault_at_any_statement_leaves_no_trace(database: Database) -> None:
    total = statements(database)
    assert total > 8
    with connect(database.dsn("owner")) as connection:
        expected = content(connection)
        for at in range(total):
            for after in (False, True):
                wipe(connection)
                new_fences(database.dsn("owner"), TOPIC)
                faults = Faults(at, after)
                ours = ledger(database, functools.partial(breaking, database.dsn("streams"), faults))
                with pytest.raises(psycopg.OperationalError):
                    ours.apply(LOG)
                ours.apply(LOG)
                assert content(connection) == expected, f"statement {at}, {'after' if after else 'before'}"


def test_a_hole_in_the_log_stops_and_writes_nothing(database: Database, observer: Connection) -> None:
    with pytest.raises(GapError):
        ledger(database).apply([LOG[0], LOG[2]])
    assert content(observer)["observations"] == []


def test_a_hostile_row_among_two_thousand_is_the_only_one_put_aside(database: Database, observer: Connection) -> None:
    with observer.transaction():
        observer.execute("alter table parking_observation add constraint picky check (free <> 13)")
    rows = [seen(f"lot-{i}", 0, 13 if i == 1234 else 50) for i in range(2000)]
    applied = ledger(database).apply([record(0, [seen("z", 0, 1)]), record(1, rows), record(2, [seen("z", 60, 2)])])
    found = content(observer)
    assert len(found["observations"]) == 2001
    assert [(row[2], row[3], row[5], row[6]) for row in found["dead"]] == [(1, 1234, "op", "sqlstate_23514")]
    assert (applied.dead, found["fences"][0][2]) == (1, 3)


def test_a_missing_column_stops_and_puts_nothing_aside(database: Database, observer: Connection) -> None:
    with observer.transaction():
        observer.execute("alter table parking_observation drop column overflow")
    with pytest.raises(StopWorker, match="overflow"):
        ledger(database).apply(LOG)
    found = content(observer)
    assert found["dead"] == []
    assert found["fences"][0][2] == 0


def test_a_flood_of_dead_letters_stops_the_topic_until_a_person_has_looked(
    database: Database, observer: Connection
) -> None:
    records = [Record(0, offset, b"rubbish") for offset in range(30)]
    with pytest.raises(StopWorker, match="deadletter resume"):
        ledger(database).apply(records)
    assert len(content(observer)["dead"]) == 30
    with observer.transaction():
        assert observer.execute("select kind, topic from stream_incident").fetchall() == [("poison_stop", TOPIC)]


def test_a_time_out_is_waited_for_twice_and_then_the_row_is_sought(database: Database, observer: Connection) -> None:
    with observer.transaction():
        observer.execute(
            """create function slow() returns trigger language plpgsql as
            $$ begin if new.free = 13 then perform pg_sleep(5); end if; return new; end $$"""
        )
        observer.execute(
            "create trigger slow before insert on parking_observation for each row execute function slow()"
        )
    short = functools.partial(connect, database.dsn("streams"), statement_timeout_ms=150)
    ours = ledger(database, short)
    log = [record(0, [seen("a", 0, 1), seen("b", 0, 13), seen("c", 0, 2)])]
    for _ in range(2):
        with pytest.raises(psycopg.errors.QueryCanceled):
            ours.apply(log)
    ours.apply(log)
    found = content(observer)
    assert [row[1] for row in found["observations"]] == ["a", "c"]
    assert [(row[3], row[6]) for row in found["dead"]] == [(1, "sqlstate_57014")]


def test_another_writer_of_the_partition_makes_the_cache_be_loaded_anew(
    database: Database, observer: Connection
) -> None:
    first, second = ledger(database), ledger(database)
    first.apply(LOG[:1])
    second.apply(LOG[:2])  # a rebalance: the other worker goes on
    first.apply(LOG[:5])  # and this one gets the partition back, with its own copies of old records
    found = content(observer)
    assert len(found["observations"]) == 5
    assert found["fences"][0][2] == 5
