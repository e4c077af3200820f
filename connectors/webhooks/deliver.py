"""Which loops make the sending process? A courier for each endpoint, the ear for NOTIFY, the minute's heartbeat.

Any number of processes may run: they share the work by leases, and a heartbeat is queued once whoever asks first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from cryptography.fernet import Fernet
from prometheus_client import Gauge

from connectors.credentials import KEY, NoSecret
from connectors.webhooks import store
from connectors.webhooks.cap import Issuer
from connectors.webhooks.courier import Courier, Office
from connectors.webhooks.desk import Desk
from connectors.webhooks.heartbeats import beat, minute_of
from connectors.webhooks.missing import queue_missing
from schemas.alerts import DELIVERY_CHANNEL, ENDPOINT_CHANNEL
from schemas.settings import Settings
from sql.connect import Connection, connect

log = logging.getLogger("citysense.webhooks")

COURIERS = Gauge("citysense_webhook_endpoints", "Endpoints that are served")

LOOK_S = 5.0  # for endpoints that came or went, and for what has expired
LISTEN_S = 1.0
HEARTBEATS_KEPT = timedelta(days=2)


def now() -> datetime:
    return datetime.now(UTC)


def office_of(settings: Settings, desk: Desk, wall: Callable[[], datetime] = now) -> Office:
    """Raises NoSecret without the key of the secrets."""
    key = settings.environ.get(KEY, "")
    try:
        fernet = Fernet(key.encode())
    except ValueError as error:
        raise NoSecret(f"{KEY} is not in the environment or is no key: webhooks cannot be signed") from error
    district = settings.district
    issuer = Issuer(
        sender=settings.webhooks.sender,
        name_zh=district.name_zh,
        name_en=district.name_en,
        area_code=district.code,
        zone=ZoneInfo(district.time_zone),
    )
    return Office(
        desk=desk,
        key=fernet,
        issuer=issuer,
        acknowledge_at=settings.ops.public_url or f"http://127.0.0.1:{settings.ports.ops}",
        holder=f"{socket.gethostname()[:40]}-{os.getpid()}-{time.monotonic_ns() % 1_000_000}",
        now=wall,
    )


async def deliver(settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop` is set; attempts under way are ended first. Raises what a person must see."""
    desk = Desk(settings.dsn("connectors"))
    office = office_of(settings, desk)
    couriers: dict[UUID, tuple[Courier, asyncio.Task[None]]] = {}
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard(channel: str, payload: str) -> None:
        if channel == ENDPOINT_CHANNEL:
            changed.set()
        for endpoint_id, (courier, _) in couriers.items():
            if not payload or str(endpoint_id) == payload:
                courier.wake.set()

    ear = _Ear(settings.dsn("connectors"), lambda *said: loop.call_soon_threadsafe(heard, *said))
    ear.start()
    beating = asyncio.create_task(_beat_forever(office, settings.webhooks.heartbeat))
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            changed.clear()
            await _look(office, couriers)
            changing = asyncio.create_task(changed.wait())
            tasks = {stopping, changing, beating, *(task for _, task in couriers.values())}
            ended, _ = await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            changing.cancel()
            for task in ended - {stopping, changing}:
                task.result()  # ends only by an error: let it out
    finally:
        ear.stop()
        beating.cancel()
        stopping.cancel()
        for courier, _ in couriers.values():
            courier.stop()
        await asyncio.gather(*(task for _, task in couriers.values()), return_exceptions=True)
        await asyncio.to_thread(desk.close)
        await asyncio.to_thread(ear.join, 2 * LISTEN_S)


async def _look(office: Office, couriers: dict[UUID, tuple[Courier, asyncio.Task[None]]]) -> None:
    """A courier for each endpoint that there is; what is past its time is given up."""
    try:
        known = await office.desk.do(store.endpoint_ids)
        await office.desk.do(queue_missing)
        missed = await office.desk.do(store.expire)
    except psycopg.OperationalError as error:
        log.warning("the database is away: %s", str(error).strip())
        return
    for endpoint_id, delivery_id in missed:
        log.error("delivery %s to endpoint %s was not possible in time", delivery_id, endpoint_id)
    for endpoint_id in known.keys() - couriers.keys():
        courier = Courier(endpoint_id, office)
        couriers[endpoint_id] = (courier, asyncio.create_task(courier.run(), name=f"courier {endpoint_id}"))
    for endpoint_id in couriers.keys() - known.keys():
        courier, task = couriers.pop(endpoint_id)
        courier.stop()
        await task
    COURIERS.set(len(couriers))


async def _beat_forever(office: Office, heartbeat: bool) -> None:
    """On the minute. A minute that was missed is not made up for: a heartbeat is about now."""
    while True:
        at = office.now()
        following = minute_of(at) + timedelta(minutes=1)
        await asyncio.sleep((following - at).total_seconds())
        minute = minute_of(office.now() + timedelta(seconds=1))  # a timer may be early by a little
        try:
            await office.desk.do(partial(_minute, minute=minute, heartbeat=heartbeat))
        except psycopg.OperationalError as error:
            log.warning("no heartbeat, the database is away: %s", str(error).strip())


def _minute(connection: Connection, minute: datetime, heartbeat: bool) -> None:
    if heartbeat:
        beat(connection, minute)
    store.drop_heartbeats(connection, minute - HEARTBEATS_KEPT)


class _Ear(threading.Thread):
    """Listens to the database in a thread of its own; after a reconnection everything is looked at."""

    def __init__(self, dsn: str, heard: Callable[[str, str], object]) -> None:
        super().__init__(name="ear", daemon=True)
        self._dsn = dsn
        self._heard = heard
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._dsn, autocommit=True) as connection:
                    connection.execute(f"listen {DELIVERY_CHANNEL}")
                    connection.execute(f"listen {ENDPOINT_CHANNEL}")
                    self._tell(ENDPOINT_CHANNEL, "")
                    while not self._stopping.is_set():
                        for said in connection.notifies(timeout=LISTEN_S, stop_after=1):
                            self._tell(said.channel, said.payload)
            except psycopg.Error as error:
                log.warning("the database is away: %s", str(error).strip())
                self._stopping.wait(LISTEN_S)

    def _tell(self, channel: str, payload: str) -> None:
        if not self._stopping.is_set():
            try:
                self._heard(channel, payload)
            except RuntimeError:  # the loop has ended meanwhile
                self._stopping.set()
