"""How many frames of SL 651 does a connector take, and how much memory have 2,000 connections?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deploy.local.topics import fresh_topics
from sql.connect import connect
from sql.registers import load_water
from tests.bench.figures import Figure, Measured
from tests.bench.ground import Bench, cpu_s, fresh_database
from tests.bench.water_stations import (
    Line,
    allow_sockets,
    connected,
    frame,
    free_port,
    register,
    source_table,
    until_listening,
)
from tests.processes import ROOT, running, settings_file, stop

STATIONS = 2_000
SECONDS = 10.0
WARM_S = 3.0
STEPS = 4


class Taken(msgspec.Struct, frozen=True):
    frames_per_s: float
    server_us: float  # CPU of the server per frame
    rss_mb: float


def run(bench: Bench) -> Measured:
    allow_sockets(3 * STATIONS)
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    bench.screen.step(f"{STATIONS:,} frames and their register")
    frames = [frame(number, number % 65_000 + 1, at, 2.0) for number in range(STATIONS)]
    bench.screen.step("a server that only answers")
    port = free_port()
    echo = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", str(port)], cwd=ROOT)
    try:
        until_listening(port, "the echo listens")
        bare = asyncio.run(_measure(port, frames, echo.pid))
    finally:
        stop(echo)
    fresh_topics(bench.settings)
    with fresh_database(bench, "sl651") as settings:
        with connect(settings.dsn("owner")) as connection:
            load_water(connection, register(STATIONS))
        port = free_port()
        spool = f'[connectors]\nspool_dir = "{bench.folder / "sl651-spool"}"\n'
        file = settings_file(settings, bench.folder, spool + source_table(port))
        log = bench.folder / "sl651.log"
        with running(settings, file, "connectors", "run", log=log) as process:
            until_listening(port, "stations may connect")
            idle = _rss_mb(process.pid)
            bench.screen.step(f"{STATIONS:,} stations for {SECONDS:.0f} s")
            taken = asyncio.run(_measure(port, frames, process.pid))
            if process.poll() is not None:
                raise RuntimeError(f"the connector ended: {log.read_text()[-2000:]}")
    figures = (
        Figure(
            name=f"SL 651: frames answered, {STATIONS:,} connections",
            value=taken.frames_per_s,
            unit="frames/s",
            reference=bare.frames_per_s,
            beside="a server that only answers",
        ),
        Figure(
            name="  CPU of the connector",
            value=taken.server_us,
            unit="us/frame",
            reference=bare.server_us,
            beside="a server that only answers",
        ),
        Figure(
            name=f"  memory with {STATIONS:,} connections",
            value=taken.rss_mb,
            unit="MB",
            reference=idle,
            beside="before they connect",
        ),
    )
    values = {
        "sl651_frames_per_s": taken.frames_per_s,
        "sl651_2000_rss_mb": taken.rss_mb,
        "sl651_us_per_frame": taken.server_us,
        "sl651_idle_rss_mb": idle,
        "sl651_echo_frames_per_s": bare.frames_per_s,
    }
    return Measured(figures, values)


async def _measure(port: int, frames: list[bytes], pid: int) -> Taken:
    """Every station says its frame again as soon as it is answered: what is answered in some seconds."""
    lines = await connected(port, frames, again=True)
    try:
        for line in lines:
            line.say()
        await asyncio.sleep(WARM_S)
        first, cpu, began = _answers(lines), cpu_s([pid]), time.perf_counter()
        await asyncio.sleep(SECONDS)
        answered = _answers(lines) - first
        seconds, cpu = time.perf_counter() - began, cpu_s([pid]) - cpu
        lost = sum(line.is_lost for line in lines)
        if lost or not all(line.answers for line in lines):
            raise RuntimeError(f"{lost} connections were lost, or a station was not answered at all")
        return Taken(answered / seconds, cpu / answered * 1e6, _rss_mb(pid))
    finally:
        for line in lines:
            line.transport.abort()


def _answers(lines: list[Line]) -> int:
    return sum(line.answers for line in lines)


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")
