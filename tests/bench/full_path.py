"""How fast do rows get from Kafka into the hypertable, beside raw binary COPY of the very same rows?"""

from __future__ import annotations

import time
from itertools import accumulate

import msgspec
import psycopg

from deploy.local import database as server
from schemas.settings import Settings
from sql.connect import connect
from sql.copy import HEADER, TRAILER, Table
from streams.parking.store import OBSERVATION
from tests.bench.figures import Figure, Measured, Target, median
from tests.bench.ground import (
    TOPIC,
    Bench,
    backends,
    calm,
    count,
    cpu_s,
    fences,
    fresh_database,
    new_log,
    peak_mb,
    register_series,
    until,
)
from tests.bench.load import records
from tests.processes import running, settings_file

ROUNDS = 3
ROWS_PER_RECORD = 500
CHUNK_ROWS = 10_000
SIZES = ((5_000, 120), (50_000, 12))  # series and minutes: 600,000 rows each
STEPS = 1 + len(SIZES) * (1 + 2 * ROUNDS)
WORKER_MB = 300.0
HALF = Target(0.5, "ratio", "at least")
_LOOK_S = 0.01


class Drained(msgspec.Struct, frozen=True):
    """One way of the rows into the table, from the first commit that was seen to the last."""

    rows_per_s: float
    client_us: float  # CPU of the client per row
    server_us: float  # CPU of its backend per row
    peak_mb: float = 0.0


def run(bench: Bench) -> Measured:
    figures: list[Figure] = []
    values: dict[str, object] = {}
    worst: tuple[float, float] | None = None
    for series, minutes in SIZES:
        worker, copy = _rounds(bench, series, minutes)
        rate, raw = median([one.rows_per_s for one in worker]), median([one.rows_per_s for one in copy])
        client, server_us = median([one.client_us for one in worker]), median([one.server_us for one in worker])
        figures += [
            Figure(
                name=f"Kafka to hypertable, {series:,} series",
                value=rate,
                unit="rows/s",
                reference=raw,
                beside="raw binary COPY",
                target=HALF,
            ),
            Figure(
                name=f"  CPU of the worker, {series:,} series",
                value=client,
                unit="us/row",
                reference=median([one.client_us for one in copy]),
                beside="client of COPY",
            ),
            Figure(
                name=f"  CPU of its backend, {series:,} series",
                value=server_us,
                unit="us/row",
                reference=median([one.server_us for one in copy]),
                beside="backend of COPY",
            ),
        ]
        values[f"full_path_{series}"] = {
            "rows_per_s": [one.rows_per_s for one in worker],
            "copy_rows_per_s": [one.rows_per_s for one in copy],
            "worker_us_per_row": client,
            "backend_us_per_row": server_us,
        }
        if worst is None or rate / raw < worst[0]:
            worst = (rate / raw, rate)
        peak = max(one.peak_mb for one in worker)
    figures.append(
        Figure(
            name=f"memory of the worker, {SIZES[-1][0]:,} series",
            value=peak,
            unit="MB",
            target=Target(WORKER_MB),
        )
    )
    if worst is not None:
        values |= {"full_path_vs_copy": worst[0], "rows_per_s": worst[1]}
    return Measured(tuple(figures), values | {"worker_rss_mb": peak})


def _rounds(bench: Bench, series: int, minutes: int) -> tuple[list[Drained], list[Drained]]:
    bench.screen.step(f"{series:,} series: {series * minutes:,} rows into Kafka")
    sizes = new_log(bench, records(series, minutes, ROWS_PER_RECORD))
    worker: list[Drained] = []
    copy: list[Drained] = []
    chunks: list[bytes] = []
    for number in range(ROUNDS):
        bench.screen.step(f"{series:,} series: worker, round {number + 1}")
        with fresh_database(bench, "worker") as settings:
            register_series(settings, series)
            calm(settings)
            worker.append(drain(bench, settings, sizes, f"worker-{series}-{number}"))
            if not chunks:
                chunks = encoded(settings)
        bench.screen.step(f"{series:,} series: raw COPY, round {number + 1}")
        with fresh_database(bench, "copy") as settings:
            calm(settings)
            copy.append(copy_chunks(settings, chunks, series * minutes))
    return worker, copy


def drain(
    bench: Bench,
    settings: Settings,
    sizes: list[list[int]],
    name: str,
    topic: str = TOPIC,
    table: str = OBSERVATION.name,
) -> Drained:
    """A worker process until the fences are at the ends of the log."""
    sums = [[0, *accumulate(of_record)] for of_record in sizes]
    total = sum(of_partition[-1] for of_partition in sums)
    log = bench.folder / f"{name}.log"
    file = settings_file(settings, bench.folder)
    with (
        psycopg.connect(server.admin_dsn(settings, settings.database.name), autocommit=True) as looking,
        running(settings, file, "streams", "worker", "--metrics-port", "-1", log=log) as worker,
    ):

        def applied() -> int:
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended: {log.read_text()[-2000:]}")
            return sum(sums[partition][offset] for partition, offset in fences(looking, topic).items())

        until(lambda: applied() > 0, "the worker commits its first rows", 120, _LOOK_S)
        first, began = applied(), time.perf_counter()
        served = backends(looking, settings.database.name, "streams")
        client, backend = cpu_s([worker.pid]), cpu_s(served)
        until(lambda: applied() == total, f"{total:,} rows are applied", 120, _LOOK_S)
        seconds = time.perf_counter() - began
        rows = total - first
        client, backend = cpu_s([worker.pid]) - client, cpu_s(served) - backend
        stored = count(looking, f"select count(*) from {table}")  # noqa: S608 our tables
        if stored != total:
            raise RuntimeError(f"{stored:,} of {total:,} rows are stored")
        return Drained(rows / seconds, client / rows * 1e6, backend / rows * 1e6, peak_mb(worker.pid))


def encoded(settings: Settings, table: Table = OBSERVATION) -> list[bytes]:
    """The rows of the table in the order in which they were stored, as COPY takes them, 10,000 a chunk."""
    chunks: list[bytes] = []
    rows: list[bytes] = []
    query = f"copy (select {', '.join(table.columns)} from {table.name}) to stdout (format binary)".encode()  # noqa: S608
    with connect(settings.dsn("owner")) as connection, connection.cursor() as cursor, cursor.copy(query) as out:
        for data in out:
            row = bytes(data)
            row = row.removeprefix(HEADER)
            if row and row != TRAILER:
                rows.append(row)
            if len(rows) == CHUNK_ROWS:
                chunks.append(_chunk(rows))
                rows.clear()
    if rows:
        chunks.append(_chunk(rows))
    return chunks


def _chunk(rows: list[bytes]) -> bytes:
    return b"".join((HEADER, *rows, TRAILER))


def copy_chunks(settings: Settings, chunks: list[bytes], total: int, table: Table = OBSERVATION) -> Drained:
    """One transaction a chunk, as fast as the server takes it."""
    query = f"copy {table.name} ({', '.join(table.columns)}) from stdin (format binary)".encode()
    with connect(settings.dsn("streams")) as connection, connection.cursor() as cursor:
        served = [connection.info.backend_pid]

        def put(chunk: bytes) -> None:
            with connection.transaction(), cursor.copy(query) as copy:
                copy.write(chunk)

        put(chunks[0])  # the first chunk makes the table's first chunk and warms the connection, as for the worker
        backend = cpu_s(served)
        began, client = time.perf_counter(), time.process_time()
        for chunk in chunks[1:]:
            put(chunk)
        seconds, client = time.perf_counter() - began, time.process_time() - client
        backend = cpu_s(served) - backend
        stored = count(connection, f"select count(*) from {table.name}")  # noqa: S608 our tables
        if stored != total:
            raise RuntimeError(f"{stored:,} of {total:,} rows are stored")
        rows = total - CHUNK_ROWS
        return Drained(rows / seconds, client / rows * 1e6, backend / rows * 1e6)
