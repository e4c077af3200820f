"""Which parts make one connector process, and how do they start and stop?"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import Gauge, start_http_server

from connectors.database import Database
from connectors.formats import REPETITIONS
from connectors.health import SourceHealth, report_forever, report_once, summary
from connectors.ingest import Ingest, turned_away
from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed
from connectors.routes import Route
from connectors.sessions import Sessions
from connectors.spool import Allowance, Spool
from connectors.transports import http_poll
from connectors.transports.actions import Actions
from connectors.transports.delivery import Delivery
from connectors.transports.fetch import Client
from connectors.transports.http_push import Flood, PushRoute, PushServer
from connectors.transports.http_server import serve
from connectors.transports.modbus_poll import ModbusPoll
from connectors.transports.mqtt import MqttSession
from schemas.settings import Settings
from schemas.source import Reject
from schemas.topics import ACT_TOPICS, REJECTS, SOURCES_HEALTH, TOPICS

log = logging.getLogger(__name__)

PENDING = Gauge("citysense_publisher_pending_rows", "Rows that wait for the broker")
SENT = Gauge("citysense_publisher_sent_rows", "Rows that the broker confirmed")
AWAY = Gauge("citysense_publisher_away", "1 when no broker confirms")
SPOOL = Gauge("citysense_spool_bytes", "Bytes that wait on the disk")


async def run(settings: Settings, routes: Sequence[Route], spool_dir: Path, stop: asyncio.Event) -> None:
    """Runs the routes until `stop` is set, or one of them fails: then the process ends and is started again."""
    limits = settings.connectors
    # with no source at all the platform has a clock all the same
    written = {SOURCES_HEALTH, REJECTS}.union(*(route.topics for route in routes)) if routes else set(TOPICS)
    name = f"{socket.gethostname()[:40]}-{os.getpid()}"
    publisher = Publisher(
        settings.bootstrap,
        settings.publisher,
        sorted(written, key=lambda topic: topic.name),
        name,
        unticked=ACT_TOPICS.values(),
    )
    database = Database(settings.dsn("connectors"))
    client = Client(limits)
    allowance = Allowance(limits.spool_limit_bytes)
    spools = {route.source.name: Spool(spool_dir, route.source.name, allowance) for route in routes if route.spools}
    health = {route.source.name: SourceHealth(route.source.name, route.source.cadence_s) for route in routes}
    ingests = {
        route.source.name: Ingest(
            route, limits, publisher, health[route.source.name], database, spools.get(route.source.name)
        )
        for route in routes
    }
    PENDING.set_function(lambda: publisher.pending_rows)
    SENT.set_function(lambda: publisher.sent_rows)
    AWAY.set_function(lambda: float(publisher.is_away))
    SPOOL.set_function(lambda: allowance.used_bytes)
    server = PushServer(limits, lambda: _well(publisher, allowance, health))
    sessions = Sessions(settings, routes, publisher, health, functools.partial(_publish_quietly, publisher), spool_dir)
    publisher.start()
    tasks: list[asyncio.Task[None]] = []
    serving = asyncio.Event()
    listener: asyncio.Task[None] | None = None
    try:
        for route in routes:
            source = route.source.name
            if route.source.transport == "tcp":
                deliveries = sessions.deliveries(source)
            else:
                deliveries = _deliveries(route, client, publisher, health[source], server, settings)
            tasks.append(asyncio.create_task(ingests[source].run(deliveries), name=f"route {source}"))
            reporting = report_forever(health[source], publisher, limits.health_s)
            tasks.append(asyncio.create_task(reporting, name=f"health {source}"))
        tasks += [asyncio.create_task(work, name="stations") for work in sessions.work()]
        acting = Actions(settings.dsn("connectors"), publisher).run()
        tasks.append(asyncio.create_task(acting, name="acts of people"))
        if any(route.vendor is not None for route in routes):
            listener = asyncio.create_task(serve(server, limits.bind, settings.ports.push, limits, serving))
        stopping = asyncio.create_task(stop.wait())
        ended, _ = await asyncio.wait(
            {*tasks, stopping, *([listener] if listener else [])}, return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()
        for task in ended - {stopping}:
            task.result()  # ends only by an error: let it out
    finally:
        # first the door, so that requests under way are answered; then the routes; then what is in line
        serving.set()
        if listener is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(asyncio.shield(listener), limits.stop_timeout_s + 2.0)
        await _idle(list(ingests.values()), limits.stop_timeout_s / 2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not publisher.is_away:
            reports = [report_once(one, publisher, publisher.now()) for one in health.values()]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*reports, return_exceptions=True), limits.stop_timeout_s / 2)
        await publisher.close(limits.stop_timeout_s)
        await client.close()
        await database.close()
        for spool in spools.values():
            spool.close()


def serve_metrics(port: int) -> None:
    """Prometheus metrics on loopback. A second connector process on this machine goes without."""
    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        log.warning("no metrics on port %d: %s", port, error)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Ctrl-C and SIGTERM stop in order; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def first(number: int) -> None:
        log.info("%s: stopping", signal.Signals(number).name)
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first, number)


def _deliveries(
    route: Route, client: Client, publisher: Publisher, health: SourceHealth, server: PushServer, settings: Settings
) -> AsyncIterator[Delivery]:
    source, limits = route.source, settings.connectors
    if source.transport == "mqtt":
        client_id = f"citysense-{settings.instance}-{source.name}"
        again = REPETITIONS[source.decoder]
        return MqttSession(source, route.secret, client_id, limits, publisher, health, again).deliveries()
    if source.transport == "modbus":
        return ModbusPoll(source, limits, publisher, health).deliveries()
    if route.vendor is None:
        return http_poll.deliveries(source, route.headers, client, publisher, health)
    flood = Flood(limits.push_rejects_per_minute)

    async def tell(body: bytes, at: datetime, reason: str) -> None:
        if not flood.admits():
            health.turned_away()
            return
        one = turned_away(route, body, at, reason)
        health.took([], 1, spooled=False)
        asyncio.get_running_loop().create_task(_publish_quietly(publisher, one))

    push = PushRoute(source.name, route.vendor, publisher, health, tell)
    server.add(push)
    return push.deliveries()


async def _publish_quietly(publisher: Publisher, one: Reject) -> None:
    try:
        await publisher.publish([one])
    except NotConfirmed as error:
        log.info("a reject of %s is only counted: %s", one.source, error)


async def _idle(ingests: Sequence[Ingest], timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            for ingest in ingests:
                await ingest.idle.wait()


def _well(publisher: Publisher, allowance: Allowance, health: dict[str, SourceHealth]) -> tuple[bool, Any]:
    report = {
        "kafka": "away" if publisher.is_away else "up",
        "pending_rows": publisher.pending_rows,
        "spool_bytes": allowance.used_bytes,
        "sources": [summary(one) for one in health.values()],
    }
    return not publisher.is_away, report
