"""The vendors of a chaos run: clients that push over real sockets, and again until they hear 200."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import time
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import msgspec

SECRET = "chaos"
ZONE = ZoneInfo("Asia/Shanghai")
CAPACITY = 500
RETRY_S = (0.1, 0.2, 0.5, 1.0)

Key = tuple[str, str, datetime]  # source, ref, observed_at


class Offers:
    """What was sent, and what of it the platform has accepted."""

    def __init__(self) -> None:
        self.offered: dict[Key, int] = {}
        self.confirmed: set[Key] = set()
        self.attempts = 0
        self.refusals: Counter[str] = Counter()  # by status, or by the error of the socket


class Client:
    """One car park that pushes its free spaces: the next only when the last one was accepted."""

    def __init__(self, http: httpx.AsyncClient, port: int, source: str, ref: str, offers: Offers) -> None:
        self._http = http
        self._url = f"http://127.0.0.1:{port}/push/{source}"
        self._source, self._ref, self._offers = source, ref, offers
        self._random = random.Random(ref)

    async def run(self, start: datetime, every_s: float, stop: asyncio.Event) -> None:
        at = start
        while not stop.is_set():
            at += timedelta(seconds=1)
            free = self._random.randrange(CAPACITY)
            await self._until_accepted(at, free)
            await asyncio.sleep(every_s)

    async def _until_accepted(self, at: datetime, free: int) -> None:
        key = (self._source, self._ref, at)
        self._offers.offered[key] = free
        said = {
            "service": "parkingspace",
            "parkid": self._ref,
            "spacetotal": CAPACITY,
            "spaceLeft": free,
            "spaceused": CAPACITY - free,
            "time": at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        }
        body = msgspec.json.encode(said)
        attempt = 0
        while True:
            self._offers.attempts += 1
            try:
                answer = await self._http.post(self._url, content=body, headers={"X-Signature": signed(body)})
                if answer.status_code == 200:
                    self._offers.confirmed.add(key)
                    return
                self._offers.refusals[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                self._offers.refusals[type(error).__name__] += 1
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1


def signed(body: bytes) -> str:
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"
