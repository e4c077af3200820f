"""How long until an hour of the district that nobody read is applied, and its minutes are computed?"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg

from connectors.formats import DECODERS
from demo.occupancy import minute_of, time_of
from demo.operators import OPERATORS, Operator
from deploy.local.topics import fresh_topics
from schemas.batch import SCHEMA_OF, encode
from schemas.parking import Observation
from schemas.settings import Settings
from schemas.source import Health, Tick
from schemas.topics import (
    PARKING_OBSERVATIONS,
    REGISTERS_CHANGES,
    REJECTS,
    SOURCES_HEALTH,
    partition_of,
    series_key,
)
from sql.connect import connect
from streams.positions import log_states
from streams.sweep_minutes import Minutes
from tests.bench.cpu import payloads_of
from tests.bench.figures import Figure, Measured, Target
from tests.bench.ground import Bench, count, fences, fresh_database, produce, until
from tests.bench.load import Part
from tests.processes import ROOT, running, settings_file

MINUTES = 60
TARGET_S = 30.0
STEPS = 4
TICK_S, HEALTH_S = 5, 15
TOPICS = (PARKING_OBSERVATIONS, REGISTERS_CHANGES, SOURCES_HEALTH, REJECTS)  # what a connector of parking ticks
_MINUTES = "select count(*) from parking_minute_run where minute > {} and minute <= {} and revision = 1"


class Sent(NamedTuple):
    """A record in the order in which connectors would have sent it."""

    received_at: datetime
    topic: str
    part: Part


def run(bench: Bench) -> Measured:
    last = minute_of(datetime.now(UTC)) - 1
    first = last - MINUTES
    with fresh_database(bench, "catchup") as settings:
        bench.screen.step("the register, and the minute before the outage")
        file = prepared(bench, settings)
        fresh_topics(settings)
        send(settings, first - 1, first)
        with connect(settings.dsn("owner"), autocommit=True) as looking:
            _apply(bench, settings, file, looking)
            _compute_first(settings, time_of(first))
            bench.screen.step("an hour into Kafka")
            records = send(settings, first, last)
            bench.screen.step("worker and sweeps catch up")
            began = time.perf_counter()
            ends = _ends(settings)
            between = f"'{time_of(first).isoformat()}'", f"'{time_of(last).isoformat()}'"
            applied_s = 0.0

            def caught_up() -> bool:
                nonlocal applied_s
                if not applied_s and all(fences(looking, name) == ends[name] for name in ends):
                    applied_s = time.perf_counter() - began
                return bool(applied_s) and count(looking, _MINUTES.format(*between)) == MINUTES

            worker = running(
                settings, file, "streams", "worker", "--metrics-port", "-1", log=bench.folder / "again.log"
            )
            sweeps = running(settings, file, "streams", "sweeps", log=bench.folder / "sweeps.log")
            with worker, sweeps:
                until(caught_up, f"{MINUTES} minutes are computed", 120, 0.05)
                seconds = time.perf_counter() - began
            rows = count(looking, "select count(*) from parking_observation")
            late = count(looking, _MINUTES.format(*between) + " and is_late")
            silent = count(looking, "select count(*) from alert where kind like '%silent%'")
    figure = Figure(
        name=f"catch-up: {MINUTES} min of 313 car parks",
        value=seconds,
        unit="s",
        reference=applied_s,
        beside=f"until its {records:,} records were applied",
        target=Target(TARGET_S),
    )
    values = {"catchup_hour_s": seconds, "catchup_applied_s": applied_s, "catchup_records": records}
    counts = {"catchup_rows": rows, "catchup_late_minutes": late, "catchup_false_silent": silent}
    return Measured((figure,), values | counts)


def prepared(bench: Bench, settings: Settings) -> Path:
    """The settings file with the district's sources, its registers loaded."""
    folder = bench.folder / "district"
    plain = settings_file(settings, bench.folder)
    _once(settings, plain, "demo", "prepare", str(folder))
    _once(settings, plain, "sql.registers", "load", str(folder / "registers"))
    return settings_file(settings, bench.folder, (folder / "sources.toml").read_text(encoding="utf-8"))


def send(settings: Settings, after: int, until_minute: int) -> int:
    """What the district's connectors would have sent after a minute up to another, and a little beyond it."""
    records = sorted(_sent(after, until_minute), key=lambda one: one.received_at)
    for topic in TOPICS:
        produce(settings, (one.part for one in records if one.topic == topic.name), topic.name)
    return len(records)


def _sent(after: int, until_minute: int) -> Iterator[Sent]:
    for minute in range(after + 1, until_minute + 1):
        for operator in OPERATORS:
            yield from _minute(operator, minute)
    start, end = time_of(after), time_of(until_minute)
    for second in range(TICK_S, int((end - start).total_seconds()) + 2 * TICK_S, TICK_S):
        at = start + timedelta(seconds=second, milliseconds=300)
        tick = encode("tick.v1", [Tick(received_at=at, connector="bench")])
        for topic in TOPICS:
            for partition in range(topic.partitions):
                yield Sent(at, topic.name, Part(partition, tick, 0))
        if second % HEALTH_S == 0:
            rows = [
                Health(source=one.source, received_at=at, polls=1, rows=one.lots, last_success_at=at,
                       newest_observed_at=at - timedelta(seconds=20), cadence_s=60.0)
                for one in OPERATORS
            ]  # fmt: skip
            yield Sent(at, SOURCES_HEALTH.name, Part(0, encode("source.health.v1", rows), len(rows)))


def _minute(operator: Operator, minute: int) -> Iterator[Sent]:
    """A poll is one record for each partition; a pushed message comes by itself, somewhere in the minute."""
    dice = random.Random(f"{operator.source} {minute}")
    together: list[Observation] = []
    for payload, context in payloads_of(operator, minute):
        if operator.pushes:
            received_at = time_of(minute - 1) + timedelta(seconds=dice.uniform(1, 55))
            context = msgspec.structs.replace(context, received_at=received_at)
        rows = [row for row in DECODERS[operator.decoder](payload, context).rows if isinstance(row, Observation)]
        if operator.pushes:
            yield from _parts(rows)
        else:
            together += rows
    yield from _parts(together)


def _parts(rows: Sequence[Observation]) -> Iterator[Sent]:
    topic = PARKING_OBSERVATIONS
    lanes: dict[int, list[Observation]] = {}
    for row in rows:
        lanes.setdefault(partition_of(series_key(row.source, row.ref), topic.partitions), []).append(row)
    for partition, mine in lanes.items():
        yield Sent(
            mine[0].received_at, topic.name, Part(partition, encode(SCHEMA_OF[Observation], list(mine)), len(mine))
        )


def _apply(bench: Bench, settings: Settings, file: Path, looking: psycopg.Connection[Any]) -> None:
    ends = _ends(settings)
    log = bench.folder / "before.log"
    with running(settings, file, "streams", "worker", "--metrics-port", "-1", log=log) as worker:

        def done() -> bool:
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended: {log.read_text()[-2000:]}")
            return all(fences(looking, name) == ends[name] for name in ends)

        until(done, "the minute before the outage is applied", 60, 0.05)


def _compute_first(settings: Settings, minute: datetime) -> None:
    with closing(connect(settings.dsn("streams"), autocommit=True)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        computed = Minutes(settings).compute_next(connection, minute + timedelta(seconds=5))
    if computed is None or computed.run.minute != minute:
        raise RuntimeError(f"the minute before the outage was not computed: {computed}")


def _ends(settings: Settings) -> dict[str, dict[int, int]]:
    states = log_states(settings.bootstrap, TOPICS)
    return {name: {number: state.end for number, state in logs.items()} for name, logs in states.items()}


def _once(settings: Settings, file: Path, *arguments: str) -> None:
    environ = {**os.environ, **settings.environ, "CITYSENSE_SETTINGS": str(file)}
    environ["CITYSENSE_INSTANCE"] = settings.instance
    argv = [sys.executable, "-m", *arguments]
    done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"python -m {' '.join(arguments)} failed: {(done.stderr or done.stdout)[-1500:]}")
