"""A station on a real socket that speaks SL 651, and a server for it whose deliveries a test settles."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.decoding import Decoded, SourceContext, context_of
from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery
from connectors.transports.tcp import StationServer
from connectors.water.dialogues import Task, dialogue_of
from connectors.water.sl651 import encode
from connectors.water.sl651.connection import Connection
from connectors.water.sl651.packets import Message
from connectors.water.stations import StationFacts
from connectors.water.upkeep import Wish
from schemas.settings import Connectors, Source
from tests.connectors.clocks import HeldClock, until

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2017, 7, 18, 3, 0, 16, tzinfo=UTC)
STATION = "0011223344"
REPORT = bytes.fromhex(
    "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F01707181100"
    "2019000040261900004039230001049038121099" + "03A421"
)
ANSWER = {  # of REPORT at NOW, by whether the station shall stay online
    True: bytes.fromhex("7E7E00112233440503E8328008020034170718110016" + "1BE5D4"),
    False: bytes.fromhex("7E7E00112233440503E8328008020034170718110016" + "042D95"),
}
FACTS = StationFacts(centre=5, password_ok=lambda given: given == "03E8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def said(
    function: int, body: bytes = b"", *, station: str = STATION, sent: str = "170718110016", **fields: Any
) -> bytes:
    """A frame of a station."""
    content = encode.content(fields.pop("serial", 52), sent, body)
    header: dict[str, Any] = {"centre": 5, "password": "03E8"}
    return encode.frame(function=function, content=content, station=station, **(header | fields))


def level(station: str, value_mm: int, observed: str = "1707181100") -> bytes:
    """The body of a report of one level."""
    return bytes.fromhex(f"F1F1{station}48F0F0{observed}3923{value_mm:08d}")


class Post:
    """A server on a free port, its deliveries one by one, and what it told, wished and held."""

    def __init__(self, limits: Connectors, facts: Mapping[str, StationFacts], decoder: str) -> None:
        table = {
            "name": "river",
            "decoder": decoder,
            "transport": "tcp",
            "topic": "water.readings",
            "port": free_port(),
        }
        self.source = msgspec.convert(table, Source)
        self.facts = dict(facts)
        self.clock = HeldClock()
        self.health = SourceHealth("river", 300.0)
        self.told: list[str] = []
        self.wishes: list[tuple[str, Wish]] = []
        self.wish: Callable[[str, Wish], None] = lambda station, wish: self.wishes.append((station, wish))
        self.now = NOW
        self.server = StationServer(
            self.source,
            limits,
            lambda: dialogue_of(decoder, ZONE, lambda: self.facts),
            lambda: self.facts,
            self.clock,
            self.health,
            self._tell,
            lambda station, wish: self.wish(station, wish),
            now=lambda: self.now,
        )
        self.coming = self.server.deliveries()

    def _tell(self, task: Task, at: datetime) -> None:
        self.told.append(task.told or "")

    def context(self, delivery: Delivery) -> SourceContext:
        return context_of(self.source, delivery.received_at)

    async def next(self) -> tuple[Delivery, Decoded]:
        async with asyncio.timeout(10):
            delivery = await anext(self.coming)
        assert delivery.decode is not None
        return delivery, delivery.decode(self.context(delivery))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.source.port)


@contextlib.asynccontextmanager
async def post(
    limits: Connectors | None = None, facts: Mapping[str, StationFacts] | None = None, decoder: str = "sl651"
) -> AsyncIterator[Post]:
    opened = Post(limits or Connectors(), {STATION: FACTS} if facts is None else facts, decoder)
    first = asyncio.ensure_future(anext(opened.coming))  # the generator opens the port when it is first asked
    await asyncio.wait_for(opened.server.listening.wait(), 10)
    opened.coming = _with_first(first, opened.coming)
    try:
        yield opened
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await opened.coming.aclose()  # type: ignore[attr-defined]


async def _with_first(first: asyncio.Future[Delivery], rest: AsyncIterator[Delivery]) -> AsyncIterator[Delivery]:
    try:
        yield await first
        async for delivery in rest:
            yield delivery
    finally:
        await rest.aclose()  # type: ignore[attr-defined]


async def heard(reader: asyncio.StreamReader, count: int = 1, within_s: float = 10.0) -> list[Message]:
    """The next messages of the server, as a station reads them."""
    connection, found = Connection(), list[Message]()
    async with asyncio.timeout(within_s):
        while len(found) < count:
            data = await reader.read(4096)
            assert data, "the server hung up"
            found += [event for event in connection.receive(data) if isinstance(event, Message)]
    return found


async def hung_up(reader: asyncio.StreamReader) -> bool:
    """Waits for the end of the connection; what was sent before it is not looked at."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            await reader.read()
    return True


__all__ = ["ANSWER", "FACTS", "NOW", "REPORT", "STATION", "ZONE", "free_port", "heard", "hung_up", "level", "post",
           "said", "until"]  # fmt: skip
