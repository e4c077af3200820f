"""What does a worker need for a hundred times the district, in the storm? Live: a reading a minute of each station."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from connectors.kafka import Publisher
from demo.water.storm import Storm, peak_min
from deploy.local import database as server
from deploy.local.topics import fresh_topics
from schemas.batch import SCHEMA_OF, encode
from schemas.settings import Settings
from schemas.topics import WATER_READINGS, partition_of, series_key
from schemas.water import StationReading
from sql.connect import connect
from sql.registers import load_water
from streams.water.fold import fold
from streams.water.replay import columns_of_rows, table_of
from tests.bench.figures import Figure, Measured, Target
from tests.bench.ground import Bench, backends, count, cpu_s, fences, fresh_database, peak_mb, produce, until
from tests.bench.load import MINUTE, Part
from tests.bench.water_district import readings, register
from tests.processes import running, settings_file

COPIES = 100
GAUGES, LEVELS = 69 * COPIES, 104 * COPIES
BEFORE_MIN = 20  # of the storm, up to its peak hour: the worker knows them when it is measured
LIVE_S = 60
DRAINED_S = 300.0
EVERY_S = 0.05
ROWS_PER_RECORD = 500
FOLDED_COPIES = 20
SCHEMA = SCHEMA_OF[StationReading]
HEADROOM = Target(0.5)  # of one core
TOPIC = WATER_READINGS.name
STEPS = 5


def run(bench: Bench) -> Measured:
    bench.screen.step("the storm in memory: what is not quiet, and what it costs")
    storm = Storm(began=datetime(2026, 11, 24, tzinfo=UTC), factor=1.0, from_min=peak_min() - BEFORE_MIN)
    slow_share, fold_us = _folded(storm)
    fresh_topics(bench.settings)
    with fresh_database(bench, "storm") as settings:
        bench.screen.step(f"the register of {GAUGES + LEVELS:,} stations")
        with connect(settings.dsn("owner")) as connection:
            load_water(connection, register(COPIES))
        begin = datetime.now(UTC).replace(second=0, microsecond=0) - BEFORE_MIN * MINUTE
        storm = Storm(began=begin, factor=1.0, from_min=storm.from_min)
        bench.screen.step(f"{BEFORE_MIN} minutes of the storm into Kafka")
        sizes = produce(settings, _before(begin, storm), TOPIC)
        file, log = settings_file(settings, bench.folder), bench.folder / "storm.log"
        with (
            psycopg.connect(server.admin_dsn(settings, settings.database.name), autocommit=True) as looking,
            running(settings, file, "streams", "worker", "--metrics-port", "-1", log=log) as worker,
        ):
            ends = {number: len(of_partition) for number, of_partition in enumerate(sizes)}
            bench.screen.step("the worker catches up")
            began = time.perf_counter()

            def is_applied() -> bool:
                if worker.poll() is not None:
                    raise RuntimeError(f"the worker ended: {log.read_text()[-2000:]}")
                return all(fences(looking, TOPIC).get(number) == end for number, end in ends.items())

            until(is_applied, "the storm so far is applied", DRAINED_S, 0.05)
            drained_s = time.perf_counter() - began
            bench.screen.step(f"{LIVE_S} s of the peak, live")
            stored = count(looking, "select count(*) from water_reading")
            served = backends(looking, settings.database.name, "streams")
            client, backend, began = cpu_s([worker.pid]), cpu_s(served), time.perf_counter()
            sent, behind_s = asyncio.run(_live(settings, begin + BEFORE_MIN * MINUTE, storm))

            def has_all() -> bool:
                return count(looking, "select count(*) from water_reading") == stored + sent

            until(has_all, f"{sent:,} readings are stored", 60, 0.05)
            seconds = time.perf_counter() - began
            client, backend = cpu_s([worker.pid]) - client, cpu_s(served) - backend
            alerts = count(looking, "select count(*) from alert")
            memory = peak_mb(worker.pid)
    share = client / seconds
    figures = (
        Figure(
            name=f"storm x{COPIES}: {GAUGES:,} gauges, {LEVELS:,} levels, CPU of one worker",
            value=share,
            unit="of a core",
            reference=backend / seconds,
            beside="its backend",
            target=HEADROOM,
        ),
        Figure(name="  readings that are not quiet", value=100 * slow_share, unit="%"),
        Figure(name="  the fold of a reading in the storm", value=fold_us, unit="us"),
    )
    values = {
        "storm_x100_cpu_share": share,
        "storm_x100_backend_cpu_share": backend / seconds,
        "storm_slow_share": slow_share,
        "storm_fold_us": fold_us,
        "storm_x100_readings_per_s": sent / LIVE_S,
        "storm_x100_sender_behind_s": behind_s,
        "storm_x100_before_applied_s": drained_s,
        "storm_x100_alerts": alerts,
        "storm_x100_rss_mb": memory,
    }
    return Measured(figures, values)


def _folded(storm: Storm) -> tuple[float, float]:
    """Some copies of the district through the pure folds: the share that is not quiet, microseconds of a reading."""
    table = table_of(register(FOLDED_COPIES), ZoneInfo("Asia/Shanghai"))
    minutes = (storm.began + minute * MINUTE for minute in range(BEFORE_MIN + LIVE_S // 60))
    takes = [columns_of_rows(table, list(readings(FOLDED_COPIES, minute, storm))) for minute in minutes]
    began, slow = time.process_time(), 0
    for columns in takes:
        slow += fold(table, columns).slow
    rows = sum(len(columns) for columns in takes)
    return slow / rows, (time.process_time() - began) / rows * 1e6


def _before(begin: datetime, storm: Storm) -> Iterator[Part]:
    """The minutes up to the peak, in full records."""
    waiting: list[list[StationReading]] = [[] for _ in range(WATER_READINGS.partitions)]
    for minute in range(BEFORE_MIN):
        for reading in readings(COPIES, begin + minute * MINUTE, storm):
            partition = partition_of(series_key(reading.source, reading.station), len(waiting))
            waiting[partition].append(reading)
            if len(waiting[partition]) == ROWS_PER_RECORD:
                yield Part(partition, encode(SCHEMA, waiting[partition]), ROWS_PER_RECORD)
                waiting[partition] = []
    for partition, rows in enumerate(waiting):
        if rows:
            yield Part(partition, encode(SCHEMA, rows), len(rows))


async def _live(settings: Settings, minute: datetime, storm: Storm) -> tuple[int, float]:
    """The next minute as its stations say it, in its own time; how many readings, and how late the last of them was."""
    due = list(readings(COPIES, minute, storm))
    publisher = Publisher(settings.bootstrap, settings.publisher, (WATER_READINGS,), "bench")
    publisher.start()
    began, behind_s, place = time.perf_counter(), 0.0, 0
    tickets = []
    try:
        while place < len(due):
            passed = time.perf_counter() - began
            until_at = minute + timedelta(seconds=passed)
            first = place
            while place < len(due) and due[place].received_at <= until_at:
                place += 1
            if place > first:
                behind_s = max(behind_s, (until_at - due[first].received_at).total_seconds())
                tickets.append(await publisher.offer(due[first:place]))
            await asyncio.sleep(EVERY_S)
        for ticket in tickets:
            await ticket.confirmed()
        await asyncio.sleep(max(0.0, LIVE_S - (time.perf_counter() - began)))
    finally:
        await publisher.close()
    return len(due), behind_s
