"""Who brings the messages of one endpoint? One loop for each, so a dead one delays nobody else.

Promise: at least once, under the same id. Every attempt is counted in the database before it is made; one whose sender
died is made again when its lease runs out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from cryptography.fernet import Fernet, InvalidToken
from prometheus_client import Counter, Histogram

from connectors.webhooks import store
from connectors.webhooks.cap import Issuer
from connectors.webhooks.desk import Desk
from connectors.webhooks.message import message
from connectors.webhooks.post import Wire
from connectors.webhooks.schedule import LEASE_MARGIN_S, Answer, Next, after, chance_of, timeout_s
from connectors.webhooks.store import Claim, Endpoint, Taken
from schemas.signatures import headers

log = logging.getLogger("citysense.webhooks")

ATTEMPTS = Counter("citysense_webhook_attempts", "Attempts by what came of them", ["endpoint", "outcome"])
SECONDS = Histogram(
    "citysense_webhook_seconds", "Time of an attempt", ["endpoint"], buckets=(0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15)
)

UNDER_WAY = 8  # attempts of one endpoint at a time
UNDER_WAY_FAILING = 2
FAILING_PAUSE_S = 0.25  # an endpoint that fails is asked at most so often, however much waits for it
LOOK_S = 5.0  # a wake-up that was lost costs no more
LEAST_PAUSE_S = 0.02
AWAY_S = 1.0


class Office(msgspec.Struct, frozen=True):
    """What all couriers of a process share."""

    desk: Desk
    key: Fernet
    issuer: Issuer
    acknowledge_at: str
    holder: str  # this process, in leases and in the log of attempts
    now: Callable[[], datetime]


class Courier:
    def __init__(self, endpoint_id: UUID, office: Office) -> None:
        self.endpoint_id = endpoint_id
        self.wake = asyncio.Event()
        self._office = office
        self._stop = asyncio.Event()
        self._wire: tuple[tuple[object, ...], Wire] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._not_before = 0.0

    async def run(self) -> None:
        """Until `stop`; what is under way is ended before it returns."""
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not self._stop.is_set():
                self.wake.clear()
                pause_s = await self._round()
                waking = asyncio.create_task(self.wake.wait())
                await asyncio.wait(
                    {waking, stopping, *self._under_way}, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED
                )
                waking.cancel()
        finally:
            stopping.cancel()
            if self._under_way:
                await asyncio.gather(*self._under_way, return_exceptions=True)
            if self._wire is not None:
                await self._wire[1].close()

    def stop(self) -> None:
        self._stop.set()

    async def _round(self) -> float:
        """Take what is due and send it; how long to wait then."""
        office, began = self._office, time.monotonic()
        busy = len(self._under_way)
        slots = (UNDER_WAY - busy, UNDER_WAY_FAILING - busy) if began >= self._not_before else (0, 0)
        try:
            taken: Taken = await office.desk.do(
                lambda connection: store.claim(connection, self.endpoint_id, *slots, office.holder)
            )
        except psycopg.OperationalError as error:
            log.warning("the database is away: %s", str(error).strip())
            return AWAY_S
        for one in taken.claims:
            self._keep(self._send(one, began))
        failing = taken.endpoint is not None and taken.endpoint.targets.failing_since is not None
        if failing and taken.claims:
            self._not_before = began + FAILING_PAUSE_S
        if taken.next_due_s is None or len(self._under_way) >= (UNDER_WAY_FAILING if failing else UNDER_WAY):
            return LOOK_S
        return min(max(taken.next_due_s, self._not_before - time.monotonic(), LEAST_PAUSE_S), LOOK_S)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, claim: Claim, began: float) -> None:
        endpoint = claim.endpoint
        started = time.monotonic()
        if started - began > LEASE_MARGIN_S / 2:
            log.warning("%s: held up for %.0f s before sending, left to the next", endpoint.name, started - began)
            return  # by now the lane may be another's: its lease runs out by itself
        answer = await self._attempt(claim)
        took_s = time.monotonic() - started
        following = after(answer, claim.attempt_of_round, chance_of(claim.sending.delivery_id, claim.attempt))
        ATTEMPTS.labels(endpoint.name, following.outcome).inc()
        SECONDS.labels(endpoint.name).observe(took_s)
        if following.outcome != "delivered":
            log.info("%s attempt %d: %s %s", endpoint.name, claim.attempt, answer.status or "", answer.detail)
        await self._record(claim, answer, following, began + timeout_s(claim.level) + LEASE_MARGIN_S)

    async def _attempt(self, claim: Claim) -> Answer:
        office, endpoint = self._office, claim.endpoint
        try:
            sending = message(claim.sending, office.issuer, office.acknowledge_at)
            secrets = [office.key.decrypt(one).decode() for one in endpoint.ciphertexts]
            if not secrets:
                return Answer(detail="it has no secret: ./citysense endpoint rotate makes one")
            signed = headers(sending.message_id, office.now(), secrets, sending.body)
        except InvalidToken:
            return Answer(detail="its secret cannot be read with this CITYSENSE_SECRET_KEY")
        except Exception as error:  # one message that cannot be written must not stop its neighbours
            log.exception("%s: a message cannot be written", endpoint.name)
            return Answer(detail=f"the message cannot be written: {error}")
        sent = {"Content-Type": sending.content_type, **signed}
        return await self._wire_of(endpoint).post(claim.url, sent, sending.body, timeout_s(claim.level))

    async def _record(self, claim: Claim, answer: Answer, following: Next, until: float) -> None:
        name = claim.endpoint.name
        while True:
            try:
                gone = await self._office.desk.do(lambda connection: store.record(connection, claim, answer, following))
            except psycopg.OperationalError as error:
                if time.monotonic() > until:
                    log.warning("%s: what came of an attempt is not stored: %s", name, str(error).strip())
                    return  # the lease has run out: it is sent again under the same id
                await asyncio.sleep(AWAY_S / 2)
                continue
            if gone:
                log.error("%s: %s is gone for good (410), a person must look", name, claim.url)
            return

    def _wire_of(self, endpoint: Endpoint) -> Wire:
        """The connections, new ones when what they rest on has changed."""
        rests_on = (endpoint.allowed, endpoint.ca_pem)
        if self._wire is None or self._wire[0] != rests_on:
            old, self._wire = self._wire, (rests_on, Wire(endpoint.allowed, endpoint.ca_pem))
            if old is not None:
                self._keep(old[1].close())
        return self._wire[1]
