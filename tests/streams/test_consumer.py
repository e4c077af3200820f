"""Records in runs: cut anywhere, delivered in order, acknowledged whole, and applied once whoever is killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka.structs import ConsumerRecord  # type: ignore[import-untyped]
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaProducer
from kafka.structs import TopicPartition

from schemas.batch import SCHEMA_OF, encode
from schemas.settings import Settings
from schemas.topics import WATER_READINGS
from schemas.water import StationReading
from sql.connect import connect
from streams.app import create_app
from streams.consumer import RUN_BYTES, RUN_RECORDS, RunConsumer, runs
from streams.ledger import Record
from tests.conftest import Database
from tests.processes import eventually, running, settings_file, stop

TOPIC, PARTITIONS = WATER_READINGS.name, WATER_READINGS.partitions
START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
EACH = 2_000  # records of a partition in the backlog

# Every committed move of a fence, in a table without any key.
AUDIT = """
create table fence_move (partition int, before bigint, after bigint);
grant insert on fence_move to citysense_streams;
create function audit_fence() returns trigger language plpgsql as $$
begin
    insert into fence_move values (new.partition, old.next_offset, new.next_offset);
    return new;
end $$;
create trigger audit_fence before update on stream_fence for each row
    when (new.topic = 'water.readings' and new.next_offset <> old.next_offset) execute function audit_fence();
"""


def fetched(offset: int, value: bytes | None) -> Any:
    size = -1 if value is None else len(value)
    return ConsumerRecord(TOPIC, 3, offset, 1_000, 0, None, value, None, -1, size, ())


@given(st.lists(st.one_of(st.none(), st.integers(0, 2 * RUN_BYTES).map(bytes)), max_size=40))
def test_runs_are_the_records_in_their_order_and_none_is_too_long(values: list[bytes | None]) -> None:
    records = [fetched(offset, value) for offset, value in enumerate(values)]
    cut = list(runs(records))
    assert [record for run in cut for record in run] == records
    assert all(run for run in cut)
    assert all(len(run) == 1 or sum(len(each.value or b"") for each in run) <= RUN_BYTES for run in cut)


def test_many_short_records_are_cut_by_their_number() -> None:
    assert [len(run) for run in runs([fetched(n, b"") for n in range(2 * RUN_RECORDS + 1)])] == [RUN_RECORDS] * 2 + [1]


def test_a_run_is_one_message_whose_offset_is_its_last() -> None:
    async def message() -> tuple[int, object]:
        consumer = create_app(Settings()).consumer
        assert isinstance(consumer, RunConsumer)
        made = consumer._to_message(TP(TOPIC, 3), [fetched(7, b"a"), fetched(9, None)])
        return made.offset, made.value

    assert asyncio.run(message()) == (9, [Record(3, 7, b"a"), Record(3, 9, b"")])


def frames(first: int) -> Iterator[tuple[int, bytes]]:
    """A record of one reading for each partition in turn, and its partition."""
    for number in range(first, first + EACH):
        at = START + timedelta(seconds=number)
        for partition in range(PARTITIONS):
            reading = StationReading(
                source="s",
                station=f"station-{partition}",
                element="level_m",
                observed_at=at,
                received_at=at + timedelta(seconds=1),
                value=number / 1000,
            )
            yield partition, encode(SCHEMA_OF[StationReading], [reading])


def produce(settings: Settings, first: int) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap, acks="all", linger_ms=5)
    sent = [producer.send(TOPIC, value=value, partition=partition) for partition, value in frames(first)]
    producer.flush(60)
    producer.close()
    assert all(future.succeeded() for future in sent)


def shared_by(settings: Settings, group: str) -> int:
    """How many workers share the partitions; 0 while they are being shared out."""
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        described = admin.describe_groups([group]).get(group, {})
        return len(described["members"]) if described.get("group_state") == "Stable" else 0
    finally:
        admin.close()


def committed(settings: Settings, group: str) -> dict[int, int]:
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        asked = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
        found = admin.list_group_offsets({group: asked})[group]
        return {tp.partition: each.offset for tp, each in found.items() if tp.topic == TOPIC}
    finally:
        admin.close()


def moves(dsn: str) -> list[tuple[int, int, int]]:
    with connect(dsn) as connection:
        return connection.execute("select partition, before, after from fence_move order by 1, 2").fetchall()


def ends(found: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    return {partition: after for partition, _, after in found}


def is_waiting(dsn: str, workers: int) -> bool:
    """Whether so many takes wait for the table that the test has locked."""
    query = "select count(*) from pg_locks where not granted and relation = 'water_reading'::regclass"
    with connect(dsn) as connection:
        found = connection.execute(query).fetchone()
        return found is not None and found[0] >= workers


@contextlib.contextmanager
def held(dsn: str) -> Iterator[None]:
    """Nobody writes readings meanwhile: every worker waits in the middle of a take, its buffers fill."""
    with psycopg.connect(dsn) as connection:  # without the limits of connect(): the lock is held for long
        connection.execute("lock table water_reading in exclusive mode")
        yield


@pytest.mark.stack
def test_a_rebalance_in_the_middle_of_a_backlog_applies_every_record_once(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    dsn = database.dsn("owner")
    with connect(dsn) as connection:
        connection.execute(AUDIT)
    file = settings_file(database.settings, tmp_path)
    command = ("streams", "worker", "--metrics-port", "-1")
    logs = [tmp_path / f"worker-{number}.log" for number in range(3)]
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(running(database.settings, file, *command, log=log)) for log in logs]
        eventually(lambda: shared_by(kafka, database.name) == 3, "three workers share the partitions", 120)
        with held(dsn):
            produce(kafka, 0)
            eventually(lambda: is_waiting(dsn, 2), "takes are under way")
            workers[1].send_signal(signal.SIGKILL)
            eventually(lambda: shared_by(kafka, database.name) == 2, "two workers share the partitions", 90)
        eventually(lambda: ends(moves(dsn)) == dict.fromkeys(range(PARTITIONS), EACH), "the backlog is applied", 120)
        with held(dsn):
            produce(kafka, EACH)
            eventually(lambda: is_waiting(dsn, 1), "takes are under way")
            workers[0].send_signal(signal.SIGTERM)
            eventually(lambda: shared_by(kafka, database.name) == 1, "one worker has all partitions", 90)
        all_applied = dict.fromkeys(range(PARTITIONS), 2 * EACH)
        eventually(lambda: ends(moves(dsn)) == all_applied, "the second backlog is applied", 120)
        eventually(lambda: committed(kafka, database.name) == all_applied, "Kafka is told so")
        assert workers[2].poll() is None, logs[2].read_text()[-3000:]
        assert stop(workers[2]) == 0
    found = moves(dsn)
    for partition in range(PARTITIONS):
        own = [(before, after) for number, before, after in found if number == partition]
        assert [after for _, after in own[:-1]] == [before for before, _ in own[1:]], partition
        assert own[0][0] == 0
    with connect(dsn) as connection:
        stored = connection.execute(
            "select station, count(*), count(distinct at), sum(value) from water_reading"
            " join water_series using (series_id) group by 1 order by 1"
        ).fetchall()
        assert connection.execute("select count(*) from dead_letter").fetchone() == (0,)
    total = sum(number / 1000 for number in range(2 * EACH))
    assert [(name, rows, times, pytest.approx(total)) for name, rows, times, _ in stored] == stored
    assert [row[:3] for row in stored] == [(f"station-{n}", 2 * EACH, 2 * EACH) for n in range(PARTITIONS)]
