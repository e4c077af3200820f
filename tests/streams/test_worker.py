"""The worker as a process, on the real Kafka and the real database: it reads from where the fences stand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaProducer
from kafka.structs import TopicPartition
from psycopg import sql

from deploy.local import database as server
from deploy.local.topics import admin, fresh_topics
from schemas.parking import Observation
from schemas.settings import Settings
from schemas.topics import PARKING_OBSERVATIONS
from sql.connect import connect
from streams.ledger import Record
from tests.conftest import Database
from tests.processes import ROOT, eventually, running, settings_file, stop
from tests.streams.logs import record, seen

pytestmark = pytest.mark.stack
TOPIC = PARKING_OBSERVATIONS.name


def produce(settings: Settings, records: Sequence[Record]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap, acks="all")
    futures = [producer.send(TOPIC, value=each.value, partition=each.partition) for each in records]
    for future in futures:
        future.get(timeout=20)
    producer.close()


def minute(number: int) -> list[Observation]:
    return [seen(f"lot-{i}", 60 * number, i) for i in range(50)]


def stored(dsn: str) -> int:
    with connect(dsn) as connection:
        found = connection.execute(
            "select count(*), count(distinct (series_id, at)) from parking_observation"
        ).fetchone()
        assert found is not None
        assert found[0] == found[1]
        return int(found[0])


def incidents(dsn: str) -> list[tuple[str, int, int, int]]:
    with connect(dsn) as connection:
        return connection.execute(
            "select kind, partition, first_offset, last_offset from stream_incident where topic = %s order by 1, 2",
            (TOPIC,),
        ).fetchall()


def run_until(database: Database, folder: Path, rows: int) -> None:
    dsn = database.dsn("owner")
    file = settings_file(database.settings, folder)
    with running(database.settings, file, "streams", "worker", "--metrics-port", "-1") as worker:
        try:
            eventually(lambda: stored(dsn) >= rows or worker.poll() is not None, f"{rows} rows are stored")
        except AssertionError as error:
            raise AssertionError(
                f"{error}: {stored(dsn)} are; {file.with_suffix('.log').read_text()[-3000:]}"
            ) from None
        assert worker.poll() is None, file.with_suffix(".log").read_text()[-3000:]
        assert stop(worker) == 0
    assert stored(dsn) == rows


def test_a_worker_loads_no_pandas() -> None:
    """It costs memory, and a second of every start."""
    program = "import sys, streams.__main__, streams.sweeps; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_worker_applies_the_log_and_goes_on_where_it_stopped(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    produce(kafka, [record(0, minute(0), partition=p) for p in range(4)])
    run_until(database, tmp_path, 50)  # the same rows in four partitions are one observation each
    produce(kafka, [record(0, minute(1)), record(0, minute(2), partition=3)])
    run_until(database, tmp_path, 150)
    assert incidents(database.dsn("owner")) == []


def test_a_database_restored_from_an_older_backup_reads_what_it_lacks(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    produce(kafka, [record(0, minute(0))])
    run_until(database, tmp_path, 50)
    backup = f"{database.name}_backup"
    with psycopg.connect(server.admin_dsn(kafka, "postgres"), autocommit=True) as connection:
        server.create_database(connection, backup, database.name)
        try:
            produce(kafka, [record(0, minute(number)) for number in range(1, 6)])
            run_until(database, tmp_path, 300)
            # the backup takes the place of the database, under the same consumer group
            name = database.name
            for old, new in ((name, f"{name}_lost"), (backup, name)):
                connection.execute(
                    sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new))
                )
            assert stored(database.dsn("owner")) == 50
            run_until(database, tmp_path, 300)
        finally:
            for leftover in (backup, f"{database.name}_lost"):
                connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(leftover)))


def test_a_wiped_kafka_under_a_kept_database_is_a_new_log(kafka: Settings, database: Database, tmp_path: Path) -> None:
    produce(kafka, [record(0, minute(number)) for number in range(3)])
    run_until(database, tmp_path, 150)
    fresh_topics(kafka)
    produce(kafka, [record(0, minute(7))])
    run_until(database, tmp_path, 200)
    assert [kind for kind, *_ in incidents(database.dsn("owner"))] == ["new_log"] * 4


def test_retention_that_overtook_the_fence_is_recorded_and_jumped(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    produce(kafka, [record(0, minute(0))])
    run_until(database, tmp_path, 50)
    produce(kafka, [record(0, minute(number)) for number in range(1, 6)])
    with admin(kafka) as client:
        client.delete_records({TopicPartition(TOPIC, 0): 4})
    run_until(database, tmp_path, 50 + 2 * 50)
    assert incidents(database.dsn("owner")) == [("retention_gap", 0, 1, 3)]


def test_a_log_shorter_than_what_was_applied_stops_the_worker(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    produce(kafka, [record(0, minute(0))])
    run_until(database, tmp_path, 50)
    with connect(database.dsn("owner")) as connection:
        connection.execute("update stream_fence set next_offset = 9 where topic = %s and partition = 0", (TOPIC,))
    file = settings_file(database.settings, tmp_path)
    with running(database.settings, file, "streams", "worker", "--metrics-port", "-1") as worker:
        assert worker.wait(60) == 3
    assert "lost the end of its log" in file.with_suffix(".log").read_text().replace("\n", " ")
