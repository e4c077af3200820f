"""What becomes of a delivery? It is decoded, published, and acknowledged when every row is safe: the one loop.

Safe is confirmed by Kafka. Of a source that cannot send again it is also fsynced to the spool: when Kafka has not
confirmed in time, is known to be away, or when older rows of the source wait on the spool already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

from connectors.database import Database
from connectors.decoding import Decoded, context_of, reject
from connectors.formats import PUSHES
from connectors.health import LOST, SourceHealth
from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed, Ticket
from connectors.parking import plates
from connectors.routes import Route
from connectors.spool import Spool, SpoolFull
from connectors.transports.delivery import Delivery
from schemas.batch import Row
from schemas.settings import Connectors
from schemas.source import Reject

log = logging.getLogger(__name__)

THREAD_BYTES = 64 * 1024  # a longer payload is decoded in a thread, so that the others go on
DRAIN_PAUSE_S = 1.0


class Ingest:
    """The loop of one route."""

    def __init__(
        self,
        route: Route,
        limits: Connectors,
        publisher: Publisher,
        health: SourceHealth,
        database: Database,
        spool: Spool | None,
    ) -> None:
        self._route = route
        self._limits = limits
        self._publisher = publisher
        self._health = health
        self._database = database
        self._spool = spool
        self._spooling = asyncio.Lock()
        self._spool_filled = asyncio.Event()
        self._spool_full = False
        self._let_go: Callable[[], None] | None = None
        self._under_way = 0
        self.idle = asyncio.Event()  # nothing is under way: a good moment to stop
        self.idle.set()
        source = route.source
        if spool is not None:
            self._hold_spool(spool)
            # a poll: the next answer must not wait for long behind this one
            self._patience_s = min(publisher.limits.delivery_timeout_ms / 1_000, max(2.0, source.cadence_s / 2))
        else:
            self._patience_s = limits.push_confirm_timeout_s
        self._slots = asyncio.Semaphore(_side_by_side(source.transport, limits))

    async def run(self, deliveries: AsyncIterator[Delivery]) -> None:
        """Takes deliveries in their order; those of a push wait for Kafka side by side."""
        async with asyncio.TaskGroup() as group:
            if self._spool is not None:
                group.create_task(self._drain_forever(self._spool))
            async for delivery in deliveries:
                self._under_way += 1
                self.idle.clear()
                await self._slots.acquire()
                rows, rejects = await self._decoded(delivery)
                ticket = await self._offered(rows, rejects)
                group.create_task(self._finish(delivery, rows, rejects, ticket))

    async def _offered(self, rows: list[Row], rejects: list[Reject]) -> Ticket | NotConfirmed:
        if self._spool is not None and not self._spool.is_empty:
            return NotConfirmed("older rows of this source wait on the spool")
        try:
            return await self._publisher.offer([*rows, *rejects], self._patience_s)
        except NotConfirmed as error:
            return error

    async def _finish(
        self, delivery: Delivery, rows: list[Row], rejects: list[Reject], ticket: Ticket | NotConfirmed
    ) -> None:
        spooled = False
        try:
            try:
                if isinstance(ticket, NotConfirmed):
                    raise ticket
                await ticket.confirmed()
            except NotConfirmed as error:
                if self._spool is None:
                    await delivery.refuse(str(error))
                    return
                if not await self._spooled(self._spool, delivery, [*rows, *rejects], str(error)):
                    return
                spooled = True
            self._health.took(rows, len(rejects), spooled=spooled)
            await delivery.acknowledge()
        except asyncio.CancelledError:  # the connector stops: what has no answer is sent again, or lost with the minute
            if self._spool is not None and not spooled:
                await self._spooled(self._spool, delivery, [*rows, *rejects], "the connector stops")
            raise
        finally:
            self._slots.release()
            self._under_way -= 1
            if not self._under_way:
                self.idle.set()

    async def _spooled(self, spool: Spool, delivery: Delivery, rows: list[Row], reason: str) -> bool:
        try:
            async with self._spooling:
                await asyncio.to_thread(spool.append, delivery.received_at, rows)
                self._hold_spool(spool)
        except (SpoolFull, OSError) as error:
            LOST.labels(self._route.source.name).inc()
            log.error("%s: a delivery is refused, the spool has no room: %s", self._route.source.name, error)
            await delivery.refuse(f"spool full: {error}")
            if not self._spool_full:
                detail = f"source {self._route.source.name}: {error}; newer deliveries are refused"
                self._spool_full = await self._database.record_incident("spool_full", self._route.source.topic, detail)
            return False
        log.info("%s: %d rows to the spool: %s", self._route.source.name, len(rows), reason)
        self._spool_filled.set()
        return True

    async def _drain_forever(self, spool: Spool) -> None:
        """Publishes the spool, oldest first. An entry stays on the disk until Kafka has confirmed it."""
        while True:
            while spool.is_empty:
                self._spool_filled.clear()
                await self._spool_filled.wait()
            try:
                await self._publisher.publish(await asyncio.to_thread(spool.first))
            except NotConfirmed:
                await asyncio.sleep(DRAIN_PAUSE_S)
                continue
            async with self._spooling:
                await asyncio.to_thread(spool.published)
                self._hold_spool(spool)
            self._spool_full = False

    def _hold_spool(self, spool: Spool) -> None:
        """The clock does not go past what waits on the spool."""
        before, oldest = self._let_go, spool.oldest
        self._let_go = None if oldest is None else self._publisher.hold(oldest)
        if before is not None:
            before()

    async def _decoded(self, delivery: Delivery) -> tuple[list[Row], list[Reject]]:
        if len(delivery.payload) > THREAD_BYTES:
            decoded = await asyncio.to_thread(decode, self._route, delivery, self._limits.rows_limit)
        else:
            decoded = decode(self._route, delivery, self._limits.rows_limit)
        rejects = decoded.rejects
        if any(one.raw_sha256 is not None for one in rejects):
            rejects = await self._with_payload(delivery, rejects)
        return decoded.rows, rejects

    async def _with_payload(self, delivery: Delivery, rejects: list[Reject]) -> list[Reject]:
        """Rejects whose raw was too long to travel name the stored payload; or say that there is none."""
        payload = delivery.payload
        if self._route.source.decoder in PUSHES:
            payload = (await asyncio.to_thread(plates.payload_without_persons, payload)).encode()
        digest = await self._database.keep_payload(payload, self._route.source.name, delivery.received_at)
        return [_naming(one, digest) if one.raw_sha256 is not None else one for one in rejects]


def decode(route: Route, delivery: Delivery, rows_limit: int) -> Decoded:
    """The rows and rejects of a delivery. A decoder that fails is a reject of the whole, to be replayed when mended."""
    context = context_of(route.source, delivery.received_at, rows_limit=rows_limit)
    made = plates.reject if route.source.decoder in PUSHES else reject
    try:
        decoded = delivery.decode(context) if delivery.decode else route.decode(delivery.payload, context)
    except Exception as error:
        log.exception("decoder %s failed on a payload of %s", route.source.decoder, route.source.name)
        told = made(context, delivery.payload, "decoder_failed", f"{type(error).__name__}: {error}")
        return Decoded(rows=[], rejects=[told])
    if decoded.items > rows_limit:
        detail = f"{decoded.items} items, at most {rows_limit} are allowed"
        return Decoded(rows=[], rejects=[made(context, delivery.payload, "too_many_rows", detail)])
    return decoded


def turned_away(route: Route, body: bytes, at: datetime, reason: str) -> Reject:
    """The reject of a message whose sender is not believed: never with a plate in it, and not with all of it."""
    return plates.reject(context_of(route.source, at), body[:2_048], reason, "the message was answered 401")


def _side_by_side(transport: str, limits: Connectors) -> int:
    """How many deliveries of a source wait for Kafka at a time."""
    if transport in ("http_poll", "modbus"):
        return 1
    return limits.push_concurrency if transport == "http_push" else limits.messages_under_way


def _naming(one: Reject, digest: str | None) -> Reject:
    if digest is not None:
        return msgspec.structs.replace(one, raw_sha256=digest)
    detail = f"{one.detail[:1_900]} (the database was away: only the beginning of the payload is kept)"
    return msgspec.structs.replace(one, raw_sha256=None, detail=detail)
