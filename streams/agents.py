"""The loss-free idiom, written once: a take is applied in one transaction, and acknowledged only after its commit.

An event is a run of records of one partition (consumer.py). `enable_acks = False` must be the first line of an agent:
without it the closing generator acknowledges what was never applied. `noack_take` and the crashing supervisor do the
rest; `take` and bare `async for` lose data (see the tests).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, cast

import faust
import psycopg
from mode import CrashingSupervisor

from schemas.settings import Worker
from schemas.topics import Topic
from streams.errors import StopWorker
from streams.health import Progress
from streams.ledger import Applied, Ledger, Record

log = logging.getLogger("citysense.streams")

FIRST_DELAY_S = 0.1
LAST_DELAY_S = 5.0


def add_agent(app: faust.App, topic: Topic, ledger: Ledger, progress: Progress, limits: Worker) -> None:
    """One agent for a topic: one stream, one thread, one database connection."""
    raw = app.topic(topic.name, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
    thread = ThreadPoolExecutor(1, thread_name_prefix=f"ledger-{topic.name}")
    write = _writes(ledger, progress, thread)

    async def store(stream: Any) -> None:  # a faust.Stream; its declared type lacks noack_take
        stream.enable_acks = False
        takes = stream.noack_take(limits.take_records, within=limits.take_within_s)
        async for events in cast(AsyncIterable[list[faust.EventT[Any]]], takes):
            await write([record for event in events for record in cast(list[Record], event.value)])
            for event in events:
                await stream.ack(event)

    app.agent(raw, name=f"store-{topic.name}", concurrency=1, supervisor_strategy=CrashingSupervisor)(store)


def _writes(
    ledger: Ledger, progress: Progress, thread: ThreadPoolExecutor
) -> Callable[[list[Record]], Awaitable[None]]:
    async def write(records: list[Record]) -> None:
        """Apply until it is applied: while the database is away the take is held, and Kafka waits."""
        loop = asyncio.get_running_loop()
        delay_s = FIRST_DELAY_S
        while True:
            began = monotonic()
            try:
                applied: Applied = await loop.run_in_executor(thread, ledger.apply, records)
            except StopWorker as error:
                progress.stopped(ledger.topic, str(error))
                log.critical("stopped: %s", error, extra={"action": "stop_worker", "topic": ledger.topic})
                raise
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                progress.waiting(ledger.topic)
                log.warning("%s: the database is away (%s), again in %.1f s", ledger.topic, error, delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LAST_DELAY_S)
                continue
            progress.applied(ledger.topic, applied, monotonic() - began, dict(ledger.clocks))
            return

    return write
