"""A push server on a free port with one ymzh source, what it lets in, and what it turns away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from connectors.formats import PUSHES
from connectors.health import SourceHealth
from connectors.ingest import turned_away
from connectors.parking import ymzh
from connectors.routes import Route, Vendor
from connectors.transports.http_push import Flood, PushRoute, PushServer
from connectors.transports.http_server import serve
from schemas.settings import Connectors, Source
from schemas.source import Reject
from tests.connectors.clocks import HeldClock, until

SECRET = "shared-with-ymzh"


def message(nonce: str = "n1", free: int = 7, at: datetime | None = None, secret: str = SECRET) -> bytes:
    stamp = str(int((at or datetime.now(UTC)).timestamp() * 1000))
    body = {
        "AppId": "a",
        "ParkKey": "p-1",
        "TimeStamp": stamp,
        "Nonce": nonce,
        "Sign": "",
        "Data": {"TotalSpaces": 100, "RemainingSpaces": free},
    }
    return msgspec.json.encode({**body, "Sign": ymzh.sign(msgspec.json.encode(body), secret)})


class Gate:
    """A push server on a free port, and what it let in and turned away."""

    def __init__(
        self, limits: Connectors, source: Source, route: PushRoute, port: int, client: httpx.AsyncClient
    ) -> None:
        self.limits = limits
        self.source = source
        self.port = port
        self.url = f"http://127.0.0.1:{port}/push/{source.name}"
        self.client = client
        self.coming = route.deliveries()
        self.clock = HeldClock()
        self.health = SourceHealth(source.name, 60.0)
        self.turned_away: list[Reject] = []

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.url, content=body, headers=named)

    def posting(self, body: bytes, **headers: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self.post(body, **headers))

    async def raw(self, data: bytes) -> bytes:
        """Everything that the server says to these bytes, until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def gate(limits: Connectors, **fields: Any) -> AsyncIterator[Gate]:
    table = {"name": "garages", "decoder": "ymzh", "transport": "http_push", "secret": "ymzh"}
    source = msgspec.convert({**table, **fields}, Source)
    vendor = Vendor(push=PUSHES["ymzh"], source=source, secret=SECRET, window_s=300)
    clock, health, told = HeldClock(), SourceHealth(source.name, 60.0), list[Reject]()
    flood = Flood(limits.push_rejects_per_minute)

    async def turn_away(body: bytes, at: datetime, reason: str) -> None:
        if flood.admits():
            told.append(turned_away(Route(source=source, decode=ymzh.decode, vendor=vendor), body, at, reason))
        else:
            health.turned_away()

    server = PushServer(limits, lambda: (True, {"kafka": "up"}))
    route = PushRoute(source.name, vendor, clock, health, turn_away)
    server.add(route)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(server, "127.0.0.1", port, limits, stop))
    async with httpx.AsyncClient(timeout=10) as client:
        opened = Gate(limits, source, route, port, client)
        opened.clock, opened.health, opened.turned_away = clock, health, told
        await until(lambda: _listens(port))
        yield opened
    stop.set()
    await serving


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(work: Callable[[Gate], Awaitable[None]], limits: Connectors | None = None, **fields: Any) -> None:
    async def running() -> None:
        async with asyncio.timeout(30), gate(limits or Connectors(stop_timeout_s=1.0), **fields) as opened:
            await work(opened)

    asyncio.run(running())
