"""Stations of the bench on real sockets: each has one SL 651 frame to say, and waits until it is answered."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from demo.water import sl651
from schemas.water_registers import Station, Threshold, WaterRegister
from tests.bench.ground import until

SOURCE = "rivers"
CENTRE, PASSWORD = 5, "0000"
ANSWER_BYTES = 25
VALID_FROM = datetime(2026, 1, 1, tzinfo=UTC)
ELEMENTS = 4  # of a frame: level, rain of the day, rain in all, voltage


def address_of(number: int) -> str:
    return f"{44_000_000 + number:010d}"


def station_id_of(number: int) -> str:
    return f"rv-{number:05d}"


def register(stations: int) -> WaterRegister:
    """Rivers whose highest level needs no confirmation."""
    return WaterRegister(
        stations=tuple(
            Station(
                station_id=station_id_of(number), valid_from=VALID_FROM, source=SOURCE, station=address_of(number),
                name_zh=f"河道站{number}", name_en=f"river {number}", kind="river", lat=22.55, lon=114.12,
                cadence_s=60.0, range_low=-1.0, range_high=20.0, centre=CENTRE,
            )
            for number in range(stations)
        ),
        thresholds=tuple(
            Threshold(
                station_id=station_id_of(number), hazard="flood", element="level_m", level="red", on=5.0, off=4.8,
                confirm=0, source="bench", valid_from=VALID_FROM,
            )
            for number in range(stations)
        ),
    )  # fmt: skip


def frame(number: int, serial: int, observed_at: datetime, level_m: float) -> bytes:
    """The report of a time: four readings."""
    return sl651.report(
        function=sl651.TIMED,
        address=address_of(number),
        password=PASSWORD,
        centre=CENTRE,
        serial=serial,
        category=sl651.RIVER,
        sent_at=observed_at,
        observed_at=observed_at,
        elements=(
            sl651.level(level_m),
            sl651.rain_since_day_start(4.0),
            sl651.rain_total(1_234.5),
            sl651.voltage(12.4),
        ),
    )


def source_table(port: int) -> str:
    return (
        f'[[source]]\nname = "{SOURCE}"\ndecoder = "sl651"\ntransport = "tcp"\ntopic = "water.readings"\n'
        f'port = {port}\nauth = "none"\ncadence_s = 60.0\ntime_zone = "Asia/Shanghai"\n'
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def allow_sockets(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def until_listening(port: int, what: str) -> None:
    def is_open() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(is_open, what, 60, 0.1)


class Line(asyncio.Protocol):
    """One station. `again`: as soon as it is answered it says its frame again."""

    def __init__(self, frame: bytes, *, again: bool) -> None:
        self.frame, self.again = frame, again
        self.answers = 0
        self.said_at = 0.0
        self.waits_s: list[float] = []
        self.is_lost = False
        self._heard = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True

    def say(self) -> float:
        self.said_at = time.monotonic()
        self.transport.write(self.frame)
        return self.said_at

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        while self._heard >= ANSWER_BYTES:
            self._heard -= ANSWER_BYTES
            self.answers += 1
            self.waits_s.append(time.monotonic() - self.said_at)
            if self.again:
                self.say()


async def connected(port: int, frames: Sequence[bytes], *, again: bool) -> list[Line]:
    loop = asyncio.get_running_loop()
    lines = []
    for frame in frames:
        _, line = await loop.create_connection(lambda frame=frame: Line(frame, again=again), "127.0.0.1", port)  # type: ignore[misc]
        lines.append(line)
    return lines
