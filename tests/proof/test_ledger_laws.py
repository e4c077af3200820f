"""Laws of the ledger on the real database: whatever is delivered twice, cut or taken over, the rows are the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from schemas.parking import Observation
from schemas.topics import PARKING_OBSERVATIONS
from sql.connect import Connection, connect
from streams.errors import GapError
from streams.ledger import Ledger, Record
from streams.parking.minute_store import load_latest
from tests.conftest import Database
from tests.streams.logs import START, content, new_fences, record, seen
from tests.streams.test_ledger import ledger, wipe

pytestmark = pytest.mark.stack
TOPIC = PARKING_OBSERVATIONS.name
PARTITIONS = 2
few: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


@st.composite
def said(draw: st.DrawFn, refs: str = "abc") -> Observation:
    """Few series, times and numbers, so that they meet: late, repeated, said otherwise, corrected, taken back.

    What says the same was heard at the same time: the ledger keeps the first of repeats.
    """
    second, free = draw(st.sampled_from([0, 30, 60])), draw(st.sampled_from([None, 0, 7, 900]))
    heard = START + timedelta(seconds=second + {None: 2, 0: 2, 7: 62, 900: 200}[free])
    kind = draw(st.sampled_from(["observe", "observe", "observe", "correct", "void"]))
    about = {} if kind == "observe" else {"kind": kind, "supersedes": START + timedelta(seconds=second)}
    return seen(draw(st.sampled_from(refs)), second, free, received_at=heard, **about)


batches = st.lists(said(), min_size=1, max_size=4)


class Redelivered(RuleBasedStateMachine):
    """Two workers on one log of two partitions. Kafka gives any of them any range that begins where it may."""

    database: Database
    observer: Connection

    def __init__(self) -> None:
        super().__init__()
        wipe(self.observer)
        new_fences(self.database.dsn("owner"), TOPIC, PARTITIONS)
        self.log: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        self.applied = [0] * PARTITIONS
        self.workers = [ledger(self.database), ledger(self.database)]

    @rule(partition=st.integers(0, PARTITIONS - 1), rows=batches)
    def is_written(self, partition: int, rows: list[Observation]) -> None:
        mine = [row for row in rows if (row.ref == "a") == (partition == 0)]  # a series lives in one partition
        offset = len(self.log[partition])
        made = record(offset, mine, partition) if mine else Record(partition, offset, b"no batch")
        self.log[partition].append(made)

    @precondition(lambda self: any(self.log))
    @rule(worker=st.integers(0, 1), data=st.data())
    def is_delivered(self, worker: int, data: st.DataObject) -> None:
        """Of each partition a range that begins at the fence or before it; the partitions interleaved."""
        records: list[Record] = []
        for partition, log in enumerate(self.log):
            low = data.draw(st.integers(0, self.applied[partition]), "from")
            high = data.draw(st.integers(low, len(log)), "to")
            records = merged(records, log[low:high], data.draw(st.booleans(), "first"))
            self.applied[partition] = max(self.applied[partition], high)
        self.workers[worker].apply(records)

    @rule(worker=st.integers(0, 1))
    def is_killed_and_started(self, worker: int) -> None:
        self.workers[worker].close()
        self.workers[worker] = ledger(self.database)

    @precondition(lambda self: any(len(log) > done + 1 for log, done in zip(self.log, self.applied, strict=True)))
    @rule(worker=st.integers(0, 1))
    def a_hole_stops(self, worker: int) -> None:
        (partition, *_) = (p for p in range(PARTITIONS) if len(self.log[p]) > self.applied[p] + 1)
        with pytest.raises(GapError):
            self.workers[worker].apply(self.log[partition][self.applied[partition] + 1 :])

    @invariant()
    def the_fence_is_what_was_applied(self) -> None:
        with self.observer.transaction():
            fences = self.observer.execute("select next_offset from stream_fence order by partition").fetchall()
        assert [offset for (offset,) in fences] == self.applied

    def teardown(self) -> None:
        last = self.workers[0]
        for log, done in zip(self.log, self.applied, strict=True):
            last.apply(log[done:])
        interleaved = without_numbers(content(self.observer))
        wipe(self.observer)
        new_fences(self.database.dsn("owner"), TOPIC, PARTITIONS)
        once = ledger(self.database)
        once.apply([each for log in self.log for each in log])
        try:
            assert without_numbers(content(self.observer)) == interleaved
        finally:
            close(once, *self.workers)


def merged(first: list[Record], second: list[Record], alternate: bool) -> list[Record]:
    """Both in their own order; one after the other, or by turns."""
    if not alternate:
        return [*first, *second]
    both = [one for pair in zip(first, second, strict=False) for one in pair]
    return [*both, *first[len(second) :], *second[len(first) :]]


def without_numbers(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def close(*ledgers: Ledger) -> None:
    for one in ledgers:
        one.close()


def test_any_interleaving_of_redelivery_gives_the_same_rows(database: Database) -> None:
    with connect(database.dsn("owner")) as observer:
        machine = type("Machine", (Redelivered,), {"database": database, "observer": observer})
        run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=10, **few))


def test_any_order_of_observations_gives_the_same_state(database: Database) -> None:
    """Not only in the pure fold: through the tables, in any order of the log and any cut into takes."""
    register = """
    insert into subdistrict values ('gy', '桂园', 'Guiyuan', '{}');
    insert into lot (lot_id, version, valid_from, name_zh, name_en, subdistrict_code, kind, lat, lon)
        select 'lot-' || ref, 1, '2020-01-01', ref, ref, 'gy', 'garage', 22.5, 114.1
        from unnest(array['a', 'b']) as ref;
    insert into lot_source (source, ref, lot_id, valid_from)
        select 'op', ref, 'lot-' || ref, '2020-01-01' from unnest(array['a', 'b']) as ref;
    """
    with connect(database.dsn("owner")) as observer:
        with observer.transaction():
            observer.execute(register.encode())

        def state(rows: Sequence[Observation], cut: int) -> tuple[Any, ...]:
            wipe(observer)
            new_fences(database.dsn("owner"), TOPIC)
            ours = ledger(database)
            for offset, part in enumerate(part for part in (rows[:cut], rows[cut:]) if part):
                ours.apply([record(offset, part)])
            ours.close()
            with observer.transaction():
                return tuple(sorted(load_latest(observer, START + timedelta(minutes=10)), key=lambda one: one.key))

        @settings(max_examples=25, **few)
        @given(st.lists(said("ab"), min_size=2, max_size=7), st.integers(0, 7), st.randoms(use_true_random=False))
        def law(rows: list[Observation], cut: int, shuffle: Any) -> None:
            other = [*rows, *rows[:2]]
            shuffle.shuffle(other)
            assert state(rows, cut) == state(other, len(other) - cut if cut < len(other) else 1)

        law()
