"""python -m streams worker | sweeps | replay"""

from __future__ import annotations

import functools
import gc
import logging
import sys
import time
from collections.abc import Callable

import faust
import psycopg
import typer
from kafka.errors import KafkaError

from schemas.settings import Settings
from schemas.topics import (
    PARKING_OBSERVATIONS,
    REGISTERS_CHANGES,
    REJECTS,
    SOURCES_HEALTH,
    TOPICS,
    WATER_READINGS,
    WATER_TESTS,
    Topic,
)
from sql.connect import connect, read_settings
from streams import replay
from streams.agents import add_agent
from streams.app import create_app
from streams.errors import StopWorker
from streams.health import Progress, serve_metrics, watch
from streams.ledger import Ledger, Slice
from streams.parking.observations import Observations
from streams.poison import PoisonLimits
from streams.positions import align_fences, fences_now, log_states, set_group_offsets, stopped_topics
from streams.registers.store import RegisterChanges
from streams.rejects.store import Rejects
from streams.sources.store import SourceReports
from streams.water.readings import Readings
from streams.water.tests_store import StationTests

log = logging.getLogger("citysense.streams")
program = typer.Typer(help="Streams: what comes from Kafka into TimescaleDB, and what happens because time passed.")
program.add_typer(replay.app, name="replay")

# Which slice applies which topic: the whole wiring of the worker.
SLICES: dict[str, Callable[[Settings], Slice]] = {
    PARKING_OBSERVATIONS.name: Observations,
    REGISTERS_CHANGES.name: lambda settings: RegisterChanges(),
    SOURCES_HEALTH.name: lambda settings: SourceReports(),
    REJECTS.name: lambda settings: Rejects(),
    WATER_READINGS.name: Readings,
    WATER_TESTS.name: lambda settings: StationTests(),
}
APPLIED = tuple(topic for topic in TOPICS if topic.name in SLICES)


def build(settings: Settings, topics: tuple[Topic, ...] = APPLIED) -> faust.App:
    """The app of a worker, its fences and offsets in line with the log. Raises StopWorker or OperationalError."""
    dsn = settings.dsn("streams")
    with connect(dsn) as connection:
        before = fences_now(connection)
    logs = log_states(settings.bootstrap, topics)
    with connect(dsn) as connection:
        stopped = stopped_topics(connection)
        fences = {
            topic.name: align_fences(connection, topic.name, logs[topic.name], before.get(topic.name, {}))
            for topic in topics
        }
    set_group_offsets(settings.bootstrap, settings.kafka.group, fences)
    app = create_app(settings)
    progress = Progress()
    limits = PoisonLimits(in_a_row=settings.worker.poison_in_a_row, share=settings.worker.poison_share)
    for topic in topics:
        if topic.name in stopped:
            progress.stopped(topic.name, "dead letters")
            log.critical("%s stays stopped: ./citysense deadletter resume %s", topic.name, topic.name)
            continue
        topic_id = logs[topic.name][0].topic_id
        open_connection = functools.partial(connect, dsn, statement_timeout_ms=settings.worker.statement_timeout_ms)
        ledger = Ledger(topic.name, topic_id, SLICES[topic.name](settings), open_connection, limits)
        add_agent(app, topic, ledger, progress, settings.worker)
    watch(app, settings.worker.liveness_s)
    return app


def build_when_ready(settings: Settings) -> faust.App:
    """Kafka and the database may come up after the worker: it waits for both, and says for what it waits."""
    delay_s = 0.5
    while True:
        try:
            return build(settings)
        except StopWorker as error:
            log.critical("cannot start: %s", error)
            raise SystemExit(3) from error
        except (KafkaError, psycopg.OperationalError) as error:
            log.warning("not ready yet, again in %.1f s: %s: %s", delay_s, type(error).__name__, error)
            time.sleep(delay_s)
            delay_s = min(2 * delay_s, 5.0)


@program.command()
def worker(metrics_port: int = typer.Option(0, help="Port of the metrics; 0: as in the settings, -1: none.")) -> None:
    """Apply every topic to the database until stopped. Several of one group share the partitions."""
    settings = read_settings()
    if metrics_port >= 0:
        serve_metrics(metrics_port or settings.ports.worker_metrics)
    app = build_when_ready(settings)
    # A take makes tens of thousands of rows that die by their counts; looking for cycles among them, and among what
    # stays as long as the worker, finds nothing and was a third of its CPU (measured).
    gc.freeze()
    gc.set_threshold(50_000)
    sys.argv = sys.argv[:1]
    faust.Worker(app, loglevel="info", redirect_stdouts=False).execute_from_commandline()


@program.command(name="sweeps")
def run_sweeps() -> None:
    """Compute the minutes, and what happens because time passed. Needs only the database; one owner, others wait."""
    from streams import sweeps

    sweeps.run(read_settings())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    program()
