"""The transaction: fence, decode, fold, write, dead letters. Nothing is counted twice, nothing is skipped.

Per take, in one transaction: lock the fences of the partitions (in order), load the state of a partition that
somebody else moved, skip what is applied already (offset < fence), stop at a hole (offset > fence), decode, fold,
write, move the fences. Only after the commit does the caller acknowledge to Kafka, so a crash at any line repeats
records that the fence then skips. If the transaction fails the cached state is thrown away and loaded anew.

Lock order of all writers: fence rows by (topic, partition), then state rows by id, then alerts and deliveries.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
import psycopg

from schemas.alerts import ACKNOWLEDGED, AlertAcknowledged
from schemas.batch import SCHEMA_OF, BatchError, decode
from schemas.source import Tick
from sql.connect import Connection
from streams.alerts import acts_store
from streams.errors import GapError, StopWorker, Verdict, classify
from streams.poison import Poison, PoisonLimits, count, is_flood

TIMEOUTS_BEFORE_BISECT = 3
_LIMITS = PoisonLimits()
_TICK = SCHEMA_OF[Tick]


class Record(NamedTuple):
    partition: int
    offset: int
    value: bytes


class DeadLetter(NamedTuple):
    partition: int
    offset: int
    row_index: int  # -1: the whole record
    schema: str | None
    source: str | None
    received_at: datetime | None
    reason: str
    detail: str
    raw: bytes


class Slice(Protocol):
    """What a topic's domain gives the ledger. Its state is a cache: `forget` must be enough to make it true again."""

    def forget(self) -> None:
        """Throw the cached state of every partition away."""

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        """Load the state of these partitions, and the registers when their version is another."""

    def streaming(self, cursor: psycopg.Cursor[Any]) -> contextlib.AbstractContextManager[Any]:
        """Around all folds of a take: rows that need nothing else may go to the database while others are folded."""

    def fold(self, partition: int, offset: int, schema: str, rows: Any) -> None:
        """Apply the rows of one record (a list, or columns) to the state and remember the changes. Pure."""

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        """Write the remembered changes, and forget them."""


class Applied(msgspec.Struct, frozen=True):
    """What a take did, for the metrics."""

    records: int = 0
    skipped: int = 0
    rows: int = 0
    dead: int = 0

    def __add__(self, other: Applied) -> Applied:
        return Applied(
            self.records + other.records, self.skipped + other.skipped, self.rows + other.rows, self.dead + other.dead
        )


_FENCES = (
    "select partition, topic_id, next_offset, clock,"
    " (select sum(version)::bigint from register_version) from stream_fence"
    " where topic = %s and partition = any(%s) order by partition for update"
)
_MOVE = (
    "update stream_fence as f set next_offset = m.next_offset, clock = greatest(f.clock, m.clock), updated_at = now()"
    " from unnest(%s::int[], %s::bigint[], %s::timestamptz[]) as m (partition, next_offset, clock)"
    " where f.topic = %s and f.partition = m.partition"
)
_DEAD = (
    "insert into dead_letter (topic, partition, kafka_offset, row_index, schema, source, received_at, reason, detail,"
    " raw) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"
)
_INCIDENT = "insert into stream_incident (kind, topic, detail) values (%s, %s, %s)"


class Ledger:
    """One topic, one thread, one connection. Not for more than one thread."""

    def __init__(
        self,
        topic: str,
        topic_id: str,
        domain: Slice,
        connect: Callable[[], Connection],
        limits: PoisonLimits = _LIMITS,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.domain = domain
        self.limits = limits
        self.clocks: dict[int, datetime] = {}
        self._connect = connect
        self._connection: Connection | None = None
        self._next: dict[int, int] = {}  # what this process last wrote: the cached state is true for it
        self._register_version = -1
        self._poison = Poison()
        self._timeouts = 0
        self._acts: list[AlertAcknowledged] = []  # of the take

    def apply(self, records: Sequence[Record]) -> Applied:
        """Apply a take, in one transaction where no row is at fault.

        Raises StopWorker (a person must look) or a transient psycopg error (try the same records again).
        """
        if not records:
            return Applied()
        try:
            applied = self._transaction(records, frozenset())
        except Exception as error:
            self.reset()
            verdict = classify(error)
            if verdict is Verdict.TIMEOUT:
                self._timeouts += 1
                verdict = Verdict.DATA if self._timeouts >= TIMEOUTS_BEFORE_BISECT else Verdict.TRANSIENT
            if verdict is Verdict.STOP and not isinstance(error, StopWorker):
                raise StopWorker(f"{self.topic}: {type(error).__name__}: {error}") from error
            if verdict is not Verdict.DATA:
                raise
            return self._bisect(records, error)
        self._timeouts = 0
        self._judge(applied)
        return applied

    def reset(self) -> None:
        """Forget the cached state and the connection: what the database says is true."""
        self._next.clear()
        self._register_version = -1
        self.domain.forget()
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def close(self) -> None:
        self.reset()

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _transaction(
        self,
        records: Sequence[Record],
        excluded: frozenset[tuple[int, int, int]],
        letters: Sequence[DeadLetter] = (),
    ) -> Applied:
        with self._open().transaction(), self._open().cursor() as cursor:
            fences, version = self._fences(cursor, {record.partition for record in records})
            stale = [p for p, next_offset in fences.items() if self._next.get(p) != next_offset]
            if stale or version != self._register_version:
                self.domain.load(cursor, stale, version)
            with self.domain.streaming(cursor):
                applied, clocks, dead = self._fold(records, fences, excluded)
            self.domain.write(cursor)
            if self._acts:
                acts_store.acknowledge(cursor.connection, self._acts)
            dead.extend(letters)
            if dead:
                cursor.executemany(_DEAD, [(self.topic, *letter) for letter in dead])
            moved = sorted(fences)
            cursor.execute(_MOVE, (moved, [fences[p] for p in moved], [clocks.get(p) for p in moved], self.topic))
        self._next.update(fences)
        self._register_version = version
        self.clocks.update(clocks)
        return applied

    def _fences(self, cursor: psycopg.Cursor[Any], partitions: Iterable[int]) -> tuple[dict[int, int], int]:
        asked = sorted(partitions)
        rows = cursor.execute(_FENCES, (self.topic, asked)).fetchall()
        fences = {}
        version = 0
        for partition, topic_id, next_offset, _clock, version_now in rows:
            if topic_id != self.topic_id:
                raise StopWorker(f"{self.topic}/{partition}: the fence is of log {topic_id}, Kafka has {self.topic_id}")
            fences[partition] = next_offset
            version = int(version_now)
        missing = set(asked) - set(fences)
        if missing:
            raise StopWorker(f"{self.topic}: no fence for partitions {sorted(missing)}: restart the worker")
        return fences, version

    def _fold(
        self, records: Sequence[Record], fences: dict[int, int], excluded: frozenset[tuple[int, int, int]]
    ) -> tuple[Applied, dict[int, datetime], list[DeadLetter]]:
        dead: list[DeadLetter] = []
        self._acts = []
        clocks: dict[int, datetime] = {}
        skipped = rows_applied = 0
        for partition, offset, value in records:
            expected = fences[partition]
            if offset < expected:
                skipped += 1
                continue
            if offset > expected:
                raise GapError(f"{self.topic}/{partition}: expected offset {expected}, got {offset}")
            fences[partition] = offset + 1
            try:
                batch = decode(value)
            except BatchError as error:
                dead.append(DeadLetter(partition, offset, -1, None, None, None, "not_a_batch", str(error), value))
                continue
            dead.extend(
                DeadLetter(
                    partition, offset, bad.index, batch.schema, None, None, "contract", bad.detail[:2000], bad.raw
                )
                for bad in batch.bad
            )
            if excluded:
                batch = batch.without({place for p, o, place in excluded if (p, o) == (partition, offset)})
            if not len(batch.rows):
                continue
            newest = batch.newest()
            if partition not in clocks or newest > clocks[partition]:
                clocks[partition] = newest
            if batch.schema == _TICK:
                continue
            if batch.schema == ACKNOWLEDGED:
                self._acts += batch.rows
            else:
                self.domain.fold(partition, offset, batch.schema, batch.rows)
            rows_applied += len(batch.rows)
        return Applied(len(records) - skipped, skipped, rows_applied, len(dead)), clocks, dead

    def _bisect(self, records: Sequence[Record], error: Exception) -> Applied:
        """Halve until one record is at fault, then halve its rows; only the rows at fault become dead letters."""
        if len(records) > 1:
            middle = len(records) // 2
            return self.apply(records[:middle]) + self.apply(records[middle:])
        try:
            applied = self._quarantine(records[0], error)
        except BaseException:
            self.reset()
            raise
        self._judge(applied)
        return applied

    def _quarantine(self, record: Record, error: Exception) -> Applied:
        try:
            batch = decode(record.value)
        except BatchError:
            raise StopWorker(f"{self.topic}: writing a dead letter fails: {error}") from error
        places = batch.places()
        guilty = self._guilty(record, places, places)
        if not guilty:
            raise StopWorker(f"{self.topic}/{record.partition}@{record.offset} fails without a row at fault") from error
        excluded = frozenset((record.partition, record.offset, place) for place in guilty)
        rows = dict(zip(places, batch.each(), strict=True))
        letters = [
            DeadLetter(
                record.partition,
                record.offset,
                place,
                batch.schema,
                getattr(rows[place], "source", None),
                rows[place].received_at,
                _reason(fault),
                str(fault).replace("\x00", "\\0")[:2000],
                msgspec.json.encode(rows[place]),
            )
            for place, fault in guilty.items()
        ]
        applied = self._transaction([record], excluded, letters)
        return Applied(applied.records, applied.skipped, applied.rows, applied.dead + len(letters))

    def _guilty(self, record: Record, places: Sequence[int], among: Sequence[int]) -> dict[int, Exception]:
        """The rows (of `places`, all are `among`) that fail by themselves; found by trying halves and rolling back."""
        fault = self._try(record, frozenset(among) - frozenset(places))
        if fault is None:
            return {}
        if len(places) == 1:
            return {places[0]: fault}
        middle = len(places) // 2
        return self._guilty(record, places[:middle], among) | self._guilty(record, places[middle:], among)

    def _try(self, record: Record, without: frozenset[int]) -> Exception | None:
        """Apply a record without these rows and roll back: the error it makes, or None.

        Raises a transient or stopping error as it is: no row is at fault for those.
        """
        excluded = frozenset((record.partition, record.offset, place) for place in without)
        try:
            with self._open().transaction(force_rollback=True):
                self._transaction([record], excluded)
        except Exception as fault:
            if classify(fault) in (Verdict.DATA, Verdict.TIMEOUT):
                return fault
            raise
        finally:
            self.reset()
        return None

    def _judge(self, applied: Applied) -> None:
        minute = max(self.clocks.values()) if self.clocks else None
        self._poison = count(self._poison, minute, applied.rows, applied.dead)
        if not applied.dead or not is_flood(self._poison, self.limits):
            return
        detail = (
            f"{self._poison.dead} of {self._poison.rows} rows of the minute are dead letters, {self._poison.in_a_row}"
            " in a row; they are kept, and the topic is not read until a person has looked:"
            f" ./citysense deadletter list, then ./citysense deadletter resume {self.topic}"
        )
        with self._open().transaction():
            self._open().execute(_INCIDENT, ("poison_stop", self.topic, detail))
        self.reset()
        raise StopWorker(f"{self.topic}: {detail}")


def _reason(fault: Exception) -> str:
    state = getattr(fault, "sqlstate", None)
    return f"sqlstate_{state}" if state else type(fault).__name__
