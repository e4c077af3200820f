"""The vendors' clients: each sends every lot every minute, and sends again until the platform says 200.

A message is signed anew each time it is sent. One that is not taken within its vendor's patience is given up, as a
vendor does whose next message says more; so is the oldest when too many wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx

from demo import pushes
from demo.district import Lot, lots, lots_of
from demo.faults import counted_after_s, reading
from demo.occupancy import minute_of, time_of
from demo.operators import OPERATORS, SHARING, Operator
from demo.sources import secret_variable

log = logging.getLogger(__name__)

PATIENCE = timedelta(hours=1)
SIGNED_PATIENCE = timedelta(minutes=4)  # of ymzh: the time in its message is signed and may not be old
WAITING = 1_500  # messages of one vendor that wait for an answer
AT_ONCE = 8
SHARES_EVERY_MIN = 10

Sign = Callable[[datetime], pushes.Push]


class Vendor:
    """One vendor's client: its connections, what waits, and how it fared."""

    def __init__(self, source: str, base_url: str, secret: str) -> None:
        self.source = source
        self.secret = secret
        self.sent = self.refused = self.given_up = 0
        self._url = f"{base_url}/push/{source}"
        self._http = httpx.AsyncClient(timeout=10.0, trust_env=False, limits=httpx.Limits(max_connections=AT_ONCE))
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting: set[asyncio.Task[None]] = set()

    def send(self, sign: Sign, patience: timedelta) -> None:
        """Start to deliver a message; the oldest that waits makes room."""
        while len(self._waiting) >= WAITING:
            oldest = next(iter(self._waiting))
            self._waiting.discard(oldest)
            oldest.cancel()
            self.given_up += 1
        task = asyncio.get_running_loop().create_task(self._deliver(sign, datetime.now(UTC) + patience))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def drain(self) -> None:
        """Until no message waits."""
        while self._waiting:
            await asyncio.wait(self._waiting)

    async def close(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        await self._http.aclose()

    async def _deliver(self, sign: Sign, until: datetime) -> None:
        pause_s = 1.0
        while datetime.now(UTC) < until:
            async with self._slots:
                if await self._is_taken(sign(datetime.now(UTC))):
                    self.sent += 1
                    return
            self.refused += 1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 30.0)
        self.given_up += 1

    async def _is_taken(self, push: pushes.Push) -> bool:
        try:
            answer = await self._http.post(self._url, content=push.body, headers=dict(push.headers))
        except httpx.HTTPError as error:
            log.debug("%s: %r", self.source, error)
            return False
        if answer.status_code not in (200, 503):
            log.warning("%s: %d %s", self.source, answer.status_code, answer.text[:200])
        return answer.status_code == 200


async def run(base_url: str, environ: Mapping[str, str]) -> None:
    """All vendors, until cancelled. A vendor without a secret says so and is left out."""
    vendors = []
    for source in (*(operator.source for operator in OPERATORS if operator.pushes), SHARING):
        secret = environ.get(secret_variable(source), "")
        if not secret:
            log.error("%s sends nothing: %s is not set", source, secret_variable(source))
            continue
        vendors.append(Vendor(source, base_url, secret))
    by_source = {vendor.source: vendor for vendor in vendors}
    try:
        async with asyncio.TaskGroup() as group:
            for operator in OPERATORS:
                if operator.source in by_source:
                    group.create_task(_counts(operator, by_source[operator.source]))
            if SHARING in by_source:
                group.create_task(_shares(by_source[SHARING]))
            group.create_task(_tell(vendors))
    finally:
        for vendor in vendors:
            with contextlib.suppress(Exception):
                await vendor.close()


async def _counts(operator: Operator, vendor: Vendor) -> None:
    """Every minute every lot, each at a second of its own."""
    patience = SIGNED_PATIENCE if operator.decoder == "ymzh" else PATIENCE
    mine = sorted((counted_after_s(lot) + 1, lot.number, lot) for lot in lots_of(operator.source))
    while True:
        minute = minute_of(datetime.now(UTC))
        for second, _, lot in mine:
            await _sleep_until(time_of(minute) + timedelta(seconds=second))
            _send_reading(operator, vendor, lot, minute, patience)
        if operator.decoder == "lpr":
            begin = time_of(minute)
            vendor.send(lambda at, begin=begin: pushes.stranger(begin, vendor.secret, at), patience)  # type: ignore[misc]
        await _sleep_until(time_of(minute + 1))


def _send_reading(operator: Operator, vendor: Vendor, lot: Lot, minute: int, patience: timedelta) -> None:
    told = reading(lot, minute)

    def sign(at: datetime) -> pushes.Push:
        return pushes.message(operator.decoder, told, vendor.secret, at)

    for _ in range(2 if told.fault == "duplicate" else 1):
        vendor.send(sign, patience)


async def _shares(vendor: Vendor) -> None:
    while True:
        minute = minute_of(datetime.now(UTC))
        for lot in lots():
            for bay in lot.bays:
                vendor.send(
                    lambda at, lot=lot, bay=bay: pushes.shared_bay(lot, bay, vendor.secret, at),  # type: ignore[misc]
                    timedelta(minutes=SHARES_EVERY_MIN),
                )
        await _sleep_until(time_of(minute - minute % SHARES_EVERY_MIN + SHARES_EVERY_MIN))


async def _tell(vendors: list[Vendor]) -> None:
    while True:
        await asyncio.sleep(60.0)
        told = ", ".join(f"{v.source} {v.sent}/{v.refused}/{v.given_up}" for v in vendors)
        log.info("pushes taken/refused/given up: %s", told)


async def _sleep_until(at: datetime) -> None:
    left_s = (at - datetime.now(UTC)).total_seconds()
    if left_s > 0:
        await asyncio.sleep(left_s)
