"""How long from a station's frame, which crosses a level, to the first word at the authority?

Whole and live: stations on sockets, connector, Kafka, worker, outbox, sender of webhooks, a receiver. Beside the other
readings of a busy district; the level is one that needs no confirmation.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from cryptography.fernet import Fernet

from connectors.webhooks import endpoints
from connectors.webhooks.endpoints import Draft
from deploy.local.topics import fresh_topics
from sql.connect import Connection, connect
from sql.registers import load_water
from tests.bench.figures import Figure, Measured, Target, percentile
from tests.bench.ground import Bench, count, fresh_database, until
from tests.bench.water_stations import (
    ELEMENTS,
    Line,
    allow_sockets,
    connected,
    frame,
    free_port,
    register,
    source_table,
    station_id_of,
    until_listening,
)
from tests.connectors.webhooks.receivers import Receiver
from tests.processes import running, settings_file

READINGS_PER_S = 1_000
STATIONS = 1_000  # say what is calm, one after the other
CROSSING = 200  # each crosses once
SECONDS, WARM_S = 25.0, 5.0
EVERY_S = 0.02
CALM_M, HIGH_M = 2.0, 5.6
P99 = Target(1_000.0)
STEPS = 3


def run(bench: Bench) -> Measured:
    allow_sockets(4 * STATIONS)
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    calm = [frame(number, 1, at, CALM_M) for number in range(STATIONS + CROSSING)]
    high = [frame(STATIONS + number, 2, at + timedelta(minutes=1), HIGH_M) for number in range(CROSSING)]
    fresh_topics(bench.settings)
    receiver = Receiver()
    with fresh_database(bench, "alert") as settings, ExitStack() as stack:
        bench.screen.step("connector, worker and sender")
        key = Fernet(settings.environ["CITYSENSE_SECRET_KEY"].encode())
        looking = stack.enter_context(connect(settings.dsn("owner"), autocommit=True))
        load_water(looking, register(STATIONS + CROSSING))
        draft = Draft(name="authority", url=receiver.url, allowed=("127.0.0.0/8",), heartbeat=False)
        endpoints.add(looking, draft, key, "bench")
        port = free_port()
        extra = f'[connectors]\nspool_dir = "{bench.folder / "alert-spool"}"\n[webhooks]\nheartbeat = false\n'
        file = settings_file(settings, bench.folder, extra + source_table(port))
        stack.enter_context(receiver.serving())
        for name, arguments in (
            ("worker", ("streams", "worker", "--metrics-port", "-1")),
            ("connector", ("connectors", "run")),
            ("sender", ("connectors", "webhooks")),
        ):
            stack.enter_context(running(settings, file, *arguments, log=bench.folder / f"alert-{name}.log"))
        until_listening(port, "stations may connect")
        bench.screen.step(f"{SECONDS:.0f} s of {READINGS_PER_S:,} readings/s, {CROSSING} stations cross a level")
        said_at, answered_s = asyncio.run(_speak(port, calm, high, looking))
        bench.screen.step("the last alerts")
        until(lambda: len(_first_words(receiver)) >= CROSSING, f"{CROSSING} alerts are received", 60)
        received_at = _first_words(receiver)
    found = [(received_at[station] - at) * 1e3 for station, at in said_at.items()]
    reference = [seconds * 1e3 for seconds in answered_s]
    figures = tuple(
        Figure(
            name=f"frame to first webhook attempt, p{share}",
            value=percentile(found, share),
            unit="ms",
            reference=percentile(reference, share),
            beside="frame to its answer, safe in Kafka",
            target=P99 if share == 99 else None,
        )
        for share in (50, 95, 99)
    )
    values = {f"frame_to_webhook_ms_p{share}": percentile(found, share) for share in (50, 95, 99)}
    return Measured(figures, values | {"frame_to_answer_ms_p99": percentile(reference, 99)})


async def _speak(
    port: int, calm: list[bytes], high: list[bytes], looking: Connection
) -> tuple[dict[str, float], list[float]]:
    """When each crossing station said so; and how long all stations waited for their answers."""
    lines = await connected(port, calm, again=False)
    try:
        for line in lines[STATIONS:]:  # they were calm before
            line.say()
        await _until_stored(looking, CROSSING * ELEMENTS)
        said_at: dict[str, float] = {}
        per_turn = READINGS_PER_S / ELEMENTS * EVERY_S
        turns = int(SECONDS / EVERY_S)
        began, spoken, crossed = time.monotonic(), 0, 0
        for turn in range(turns):
            due = began + turn * EVERY_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for _ in range(int((turn + 1) * per_turn) - spoken):
                lines[spoken % STATIONS].say()
                spoken += 1
            since_warm = turn * EVERY_S - WARM_S
            wanted = int(max(since_warm, 0.0) / (SECONDS - WARM_S) * CROSSING + 1) if since_warm >= 0 else 0
            while crossed < min(wanted, CROSSING):
                line = lines[STATIONS + crossed]
                line.frame = high[crossed]
                said_at[station_id_of(STATIONS + crossed)] = line.say()
                crossed += 1
        if time.monotonic() - began > SECONDS * 1.2:
            raise RuntimeError("the stations could not speak so fast: too busy a machine")
        await _until_answered(lines, spoken + crossed)
        return said_at, [seconds for line in lines for seconds in line.waits_s]
    finally:
        for line in lines:
            line.transport.abort()


async def _until_stored(looking: Connection, readings: int) -> None:
    query = "select count(*) from water_reading"
    await asyncio.to_thread(until, lambda: count(looking, query) >= readings, "the stations are known", 60, 0.1)


async def _until_answered(lines: list[Line], messages: int) -> None:
    deadline = time.monotonic() + 30
    while sum(line.answers for line in lines) < messages + CROSSING:
        if time.monotonic() > deadline:
            raise RuntimeError("not every frame was answered within 30 s")
        await asyncio.sleep(0.05)


def _first_words(receiver: Receiver) -> dict[str, float]:
    """When each station's alert was received first, by station."""
    found: dict[str, float] = {}
    for got in list(receiver.alerts):
        found.setdefault(got.data["subject"], got.at)
    return found
