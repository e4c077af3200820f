"""What does a part of the bench stand on? A stack, databases and processes of its own, and what the kernel counts."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from kafka import KafkaProducer
from psycopg import sql

from deploy.local import database as server
from deploy.local.topics import fresh_topics
from schemas.settings import Settings
from schemas.topics import BY_NAME, PARKING_OBSERVATIONS
from sql.connect import Connection, connect
from sql.migrate import migrate
from tests.bench.load import Part, key_of
from tests.bench.screen import Screen

TOPIC = PARKING_OBSERVATIONS.name
_TICKS = os.sysconf("SC_CLK_TCK")


class Bench(msgspec.Struct, frozen=True):
    """The instance `bench` with its passwords, a folder for files of this run, and the screen."""

    settings: Settings
    folder: Path
    screen: Screen


class TooSlow(RuntimeError):
    """A step was not done within its time."""


def until(holds: Callable[[], bool], what: str, seconds: float, pause_s: float = 0.01) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TooSlow(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause_s)


@contextmanager
def fresh_database(bench: Bench, name: str) -> Iterator[Settings]:
    """The settings with an empty database of today's schema, gone afterwards."""
    settings = msgspec.structs.replace(
        bench.settings, database=msgspec.structs.replace(bench.settings.database, name=f"bench_{name}")
    )
    database = sql.Identifier(settings.database.name)
    drop = sql.SQL("drop database if exists {} with (force)").format(database)
    with psycopg.connect(server.admin_dsn(settings, "postgres"), autocommit=True) as connection:
        connection.execute(drop)
        server.create_database(connection, settings.database.name)
        try:
            server.add_extension(settings, settings.database.name)
            with contextlib.redirect_stdout(io.StringIO()):  # yoyo prints the rows of every select
                migrate(settings.dsn("owner"))
            yield settings
        finally:
            connection.execute(drop)


def calm(settings: Settings) -> None:
    """Nothing of what came before is still to be written: a checkpoint, and the disk's own."""
    with psycopg.connect(server.admin_dsn(settings, "postgres"), autocommit=True) as connection:
        connection.execute("checkpoint")
    os.sync()


def register_series(settings: Settings, series: int) -> None:
    """The series are known already, as they are on every day but a source's first."""
    into = "copy parking_series (source, ref, pool, first_seen) from stdin"
    with connect(settings.dsn("owner")) as connection, connection.cursor() as cursor, cursor.copy(into) as copy:
        for number in range(series):
            copy.write_row((*key_of(number), "public", "2026-01-01T00:00:00Z"))


def new_log(bench: Bench, parts: Iterable[Part], topic: str = TOPIC) -> list[list[int]]:
    """Empty topics, then these records; how many rows each record of each partition holds."""
    fresh_topics(bench.settings)
    return produce(bench.settings, parts, topic)


def produce(settings: Settings, parts: Iterable[Part], topic: str = TOPIC) -> list[list[int]]:
    sizes: list[list[int]] = [[] for _ in range(BY_NAME[topic].partitions)]
    failed: list[BaseException] = []
    producer = KafkaProducer(
        bootstrap_servers=settings.bootstrap,
        acks="all",
        compression_type="lz4",
        linger_ms=5,
        batch_size=512 * 1024,
        max_request_size=4 * 1024 * 1024,
    )
    try:
        for part in parts:
            producer.send(topic, value=part.value, partition=part.partition).add_errback(failed.append)
            sizes[part.partition].append(part.rows)
        producer.flush(120)
    finally:
        producer.close()
    if failed:
        raise failed[0]
    return sizes


def fences(connection: Connection, topic: str = TOPIC) -> dict[int, int]:
    rows = connection.execute("select partition, next_offset from stream_fence where topic = %s", (topic,))
    found: dict[int, int] = dict(rows.fetchall())
    return found


def count(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def cpu_s(pids: Sequence[int]) -> float:
    """CPU time of these processes so far, of all their threads."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def peak_mb(pid: int) -> float:
    """The most memory the process ever held (resident)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def backends(connection: Connection, database: str, role: str) -> list[int]:
    """The server's processes of one role's connections."""
    rows: list[Any] = connection.execute(
        "select pid from pg_stat_activity where datname = %s and usename = %s", (database, f"citysense_{role}")
    ).fetchall()
    return [pid for (pid,) in rows]
