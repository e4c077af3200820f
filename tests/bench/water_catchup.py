"""How long until an hour of the district's water that nobody read is applied, each reading a record of its own?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from deploy.local import database as server
from deploy.local.topics import fresh_topics
from schemas.batch import SCHEMA_OF, encode
from schemas.settings import Settings
from schemas.source import Tick
from schemas.topics import WATER_READINGS, partition_of, series_key
from schemas.water import StationReading
from sql.connect import connect
from sql.registers import load_water
from tests.bench.figures import Figure, Measured, Target
from tests.bench.ground import Bench, count, cpu_s, fences, fresh_database, peak_mb, produce, until
from tests.bench.load import Part
from tests.bench.water_district import readings, register
from tests.processes import running, settings_file

COPIES = 29  # of 173 stations: 83 readings a second
MINUTES = 60
TICK_S = 5
TARGET_S = 30.0
STEPS = 4
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOPIC = WATER_READINGS.name


def run(bench: Bench) -> Measured:
    fresh_topics(bench.settings)
    with fresh_database(bench, "water_catchup") as settings:
        file = settings_file(settings, bench.folder)
        bench.screen.step("the register, and the minute before the outage")
        with connect(settings.dsn("owner")) as connection:
            load_water(connection, register(COPIES))
        before = send(settings, START - MINUTE, 1)
        _applied(bench, settings, file, before, "before")
        bench.screen.step("an hour into Kafka, a record a reading")
        ends = send(settings, START, MINUTES)
        ends = {number: before[number] + records for number, records in ends.items()}
        bench.screen.step("the worker catches up")
        seconds, cpu, peak = _applied(bench, settings, file, ends, "again")
        bench.screen.step("counting")
        with connect(settings.dsn("owner")) as connection:
            rows = count(connection, "select count(*) from water_reading")
            dead = count(connection, "select count(*) from dead_letter")
    expected = COPIES * 173 * (MINUTES + 1)
    if rows != expected or dead:
        raise RuntimeError(f"{rows:,} of {expected:,} readings are stored, {dead} dead letters")
    records = sum(ends.values()) - sum(before.values())
    figure = Figure(
        name=f"catch-up: {MINUTES} min of {COPIES * 173:,} stations, {records:,} records",
        value=seconds,
        unit="s",
        reference=cpu,
        beside="CPU of the worker",
        target=Target(TARGET_S),
    )
    values = {
        "water_catchup_hour_s": seconds,
        "water_catchup_records": records,
        "water_catchup_us": cpu / records * 1e6,
    }
    return Measured((figure,), values | {"water_catchup_rss_mb": peak})


def send(settings: Settings, first: datetime, minutes: int) -> dict[int, int]:
    """What the stations said in these minutes, and the connector's ticks; how many records each partition got."""
    sizes = produce(settings, _parts(first, minutes), TOPIC)
    return {number: len(of_partition) for number, of_partition in enumerate(sizes)}


def _parts(first: datetime, minutes: int) -> Iterator[Part]:
    schema = SCHEMA_OF[StationReading]
    ticked = first
    for minute in range(minutes):
        for reading in readings(COPIES, first + minute * MINUTE):
            while ticked <= reading.received_at:
                yield from _ticks(ticked)
                ticked += timedelta(seconds=TICK_S)
            partition = partition_of(series_key(reading.source, reading.station), WATER_READINGS.partitions)
            yield Part(partition, encode(schema, [reading]), 1)


def _ticks(at: datetime) -> Iterator[Part]:
    tick = encode(SCHEMA_OF[Tick], [Tick(received_at=at, connector="bench")])
    return (Part(partition, tick, 0) for partition in range(WATER_READINGS.partitions))


def _applied(
    bench: Bench, settings: Settings, file: Path, ends: dict[int, int], name: str
) -> tuple[float, float, float]:
    """A worker from its start until the fences are at these ends: seconds, its CPU time, its memory."""
    log = bench.folder / f"water-{name}.log"
    began = time.perf_counter()
    with (
        psycopg.connect(server.admin_dsn(settings, settings.database.name), autocommit=True) as looking,
        running(settings, file, "streams", "worker", "--metrics-port", "-1", log=log) as worker,
    ):

        def done() -> bool:
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended: {log.read_text()[-2000:]}")
            return fences(looking, TOPIC) == ends

        until(done, "the hour is applied", 300, 0.05)
        return time.perf_counter() - began, cpu_s([worker.pid]), peak_mb(worker.pid)
