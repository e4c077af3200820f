"""What happens because time passed? One owner computes the minutes, judges the sources and drops what is old.

A plain process that needs only the database. The owner holds an advisory lock on the one connection that it also
writes with, so what lost the lock cannot write; a second process waits and takes over when that connection is gone.
Every step is one transaction. SIGTERM is obeyed between two of them.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import monotonic

import psycopg
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from schemas.settings import Settings
from sql.connect import Connection, connect
from sql.named import named
from streams.errors import Verdict, classify
from streams.parking.due import MINUTE
from streams.sweep_endpoints import judge_endpoints
from streams.sweep_minutes import Minutes
from streams.sweep_retention import drop_old
from streams.sweep_rollups import roll
from streams.sweep_sources import Sources, judge_next, judge_pipeline
from streams.sweep_water import LAG as WATER_LAG
from streams.sweep_water import Water
from streams.sweep_water import judge_next as judge_water

log = logging.getLogger("citysense.sweeps")

OWNER = Gauge("citysense_sweeps_owner", "1 while this process owns the sweeps")
LAG = Gauge("citysense_minute_lag_seconds", "Wall minus the newest computed minute")
SECONDS = Histogram(
    "citysense_minute_seconds", "Time to compute and store a minute", buckets=(0.1, 0.2, 0.5, 1, 1.5, 3, 5, 10)
)
MINUTES = Counter("citysense_minutes", "Minutes computed", ["how"])
LOTS = Gauge("citysense_lots", "Car parks of the newest minute", ["freshness"])
ALERTS = Gauge("citysense_alerts_active", "Active alerts", ["domain", "kind"])

LOCK = (1_129_595_219, 1)  # two integers that only the sweeps' owner locks
LOOK_S = 0.2  # between two looks at the clocks
RARELY_S = 5.0  # between two looks at the wall and at what is old
BACK_OFF_S = (0.2, 5.0)
_SESSION = (
    "set client_connection_check_interval = '2s'",  # a dead owner's lock must not outlive a running statement
    "set tcp_keepalives_idle = 10",
    "set tcp_keepalives_interval = 5",
    "set tcp_keepalives_count = 3",
)
_ALERTS = named("alerts")
_SOURCES = named("sources")
EXPECTED = timedelta(seconds=6)  # longer than the grace of a minute
NAME = "sweeps"  # as the topic of its incidents


def now() -> datetime:
    return datetime.now(UTC)


def run(settings: Settings, wall: Callable[[], datetime] = now) -> None:
    """Sweep until SIGTERM. The database may go away and come back meanwhile.

    Raises what a person must see: a schema or a right that is wrong, a minute that cannot be stored. It is an incident
    until a minute is computed again.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pause = BACK_OFF_S[0]
    while not stop.is_set():
        try:
            with closing(connect(settings.dsn("streams"), autocommit=True)) as connection:
                if own(connection, stop):
                    log.info("owner of the sweeps")
                    _serve_metrics(settings)
                    OWNER.set(1)
                    pause = BACK_OFF_S[0]
                    sweep(connection, settings, stop, wall)
        except Exception as error:
            if classify(error) in (Verdict.STOP, Verdict.DATA):
                _tell_stop(settings, error)
                raise
            log.warning("the database is away: %s", error)
            stop.wait(pause)
            pause = min(2 * pause, BACK_OFF_S[1])
        finally:
            OWNER.set(0)


def own(connection: Connection, stop: threading.Event) -> bool:
    """Wait for the lock; False when told to stop meanwhile."""
    for statement in _SESSION:
        connection.execute(statement)
    while not stop.is_set():
        row = connection.execute("select pg_try_advisory_lock(%s, %s)", LOCK).fetchone()
        if row is not None and row[0]:
            return True
        stop.wait(0.5)
    return False


def sweep(
    connection: Connection, settings: Settings, stop: threading.Event, wall: Callable[[], datetime] = now
) -> None:
    """The loop of the owner. A missed minute goes before everything else; what can wait takes its turn in between."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    minutes, sources, water = Minutes(settings), Sources.of(settings), Water(settings)
    looked_rarely = 0.0
    while not stop.is_set():
        worked = _minute(connection, minutes, wall)
        worked = judge_next(connection, sources) is not None or worked
        if not _is_expected(minutes.newest, wall()):
            worked = judge_water(connection, water) is not None or worked
        if not worked:
            worked = _revise(connection, minutes, wall)
        if monotonic() - looked_rarely >= RARELY_S:
            looked_rarely = monotonic()
            judge_pipeline(connection, sources, wall())
            judge_endpoints(connection, wall(), sources.zone)
            worked = drop_old(connection, settings.retention, wall()) > 0 or worked
            worked = roll(connection, sources.zone) > 0 or worked
            worked = minutes.learn(connection) or worked
            _count_alerts(connection)
            if minutes.newest is not None:
                LAG.set((wall() - minutes.newest).total_seconds())
            if water.newest is not None:
                WATER_LAG.set((wall() - water.newest).total_seconds())
        if not worked:
            stop.wait(LOOK_S)


def _is_expected(newest: datetime | None, wall: datetime) -> bool:
    """Is the next minute of parking due any moment? It is published within seconds, so water waits for it that long."""
    return newest is not None and MINUTE <= wall - newest < MINUTE + EXPECTED


def _minute(connection: Connection, minutes: Minutes, wall: Callable[[], datetime]) -> bool:
    began = monotonic()
    computed = minutes.compute_next(connection, wall())
    if computed is None:
        return False
    SECONDS.observe(monotonic() - began)
    MINUTES.labels("late" if computed.run.is_late else "on_time").inc()
    _SOURCES.close_stops(connection, topic=NAME)
    for freshness, lots in computed.run.quality.lots_by_freshness.items():
        LOTS.labels(freshness).set(lots)
    return True


def _revise(connection: Connection, minutes: Minutes, wall: Callable[[], datetime]) -> bool:
    revised = minutes.revise_next(connection, wall())
    if revised is None:
        return False
    MINUTES.labels("revised" if revised.run.revision > 1 else "confirmed").inc()
    return True


def _tell_stop(settings: Settings, error: Exception) -> None:
    log.critical("the sweeps stop: %s", error)
    try:
        with closing(connect(settings.dsn("streams"), autocommit=True)) as connection:
            _SOURCES.add_stop(connection, topic=NAME, detail=f"{type(error).__name__}: {error}"[:2000])
    except psycopg.Error as another:
        log.warning("the incident could not be stored: %s", another)


def _count_alerts(connection: Connection) -> None:
    ALERTS.clear()
    for domain, kind, count in _ALERTS.count_active(connection):
        ALERTS.labels(domain, kind).set(count)


def _serve_metrics(settings: Settings) -> None:
    try:
        start_http_server(settings.ports.sweeps_metrics, addr="127.0.0.1")
    except OSError as error:  # we own already, or another process has the port: minutes matter more
        log.warning("no metrics on port %d: %s", settings.ports.sweeps_metrics, error)
