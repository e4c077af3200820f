"""Is the worker alive, and how far is it? Metrics for Prometheus, and a watch that ends a worker that hangs.

Supervision restarts what exits; so a hang must become an exit. Judged from a plain thread, by the four signs that
were seen in hangs: a rebalance that never ends, an event loop that stands still, and a stream whose drainer died.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from datetime import datetime
from time import monotonic

import faust
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from streams.ledger import Applied

log = logging.getLogger("citysense.streams")

RECORDS = Counter("citysense_stream_records", "Kafka records applied", ["topic"])
SKIPPED = Counter("citysense_stream_records_skipped", "Redelivered records that the fence skipped", ["topic"])
ROWS = Counter("citysense_stream_rows", "Rows applied", ["topic"])
DEAD = Counter("citysense_stream_dead_letters", "Rows that became dead letters", ["topic"])
TAKE = Histogram(
    "citysense_stream_take_seconds", "Wall time of a take", ["topic"], buckets=(0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10)
)
WAITING = Gauge("citysense_stream_waiting", "1 while the database is away", ["topic"])
STOPPED = Gauge("citysense_stream_stopped", "1 when a topic stopped and a person must look", ["topic"])
CLOCK = Gauge("citysense_stream_clock_seconds", "Newest received_at applied, unix time", ["topic", "partition"])

BEAT_S = 2.0
LOOP_LIMIT_S = 30.0


class Progress:
    """What the agents report; read by the watch."""

    def __init__(self) -> None:
        self.last_applied = monotonic()

    def applied(self, topic: str, applied: Applied, seconds: float, clocks: dict[int, datetime]) -> None:
        self.last_applied = monotonic()
        RECORDS.labels(topic).inc(applied.records)
        SKIPPED.labels(topic).inc(applied.skipped)
        ROWS.labels(topic).inc(applied.rows)
        DEAD.labels(topic).inc(applied.dead)
        TAKE.labels(topic).observe(seconds)
        WAITING.labels(topic).set(0)
        for partition, clock in clocks.items():
            CLOCK.labels(topic, str(partition)).set(clock.timestamp())

    def waiting(self, topic: str) -> None:
        WAITING.labels(topic).set(1)

    def stopped(self, topic: str, why: str) -> None:
        STOPPED.labels(topic).set(1)


def serve_metrics(port: int, bind: str = "127.0.0.1") -> None:
    start_http_server(port, addr=bind)


def watch(app: faust.App, liveness_s: float) -> None:
    """End the process when its loop stands still, or a rebalance lasts longer than liveness_s."""
    beat = {"at": monotonic(), "rebalancing_since": None}

    @app.task  # type: ignore[untyped-decorator]
    async def heartbeat() -> None:
        while not app.should_stop:
            beat["at"] = monotonic()
            await asyncio.sleep(BEAT_S)

    def look() -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_S):
            now = monotonic()
            since = beat["rebalancing_since"]
            if not app.rebalancing:
                beat["rebalancing_since"] = None
            elif since is None:
                beat["rebalancing_since"] = now
            elif now - since > liveness_s:
                _die(f"rebalancing for {now - since:.0f} s")
            if now - (beat["at"] or now) > LOOP_LIMIT_S and app.started:
                _die(f"the event loop stands still for {LOOP_LIMIT_S:.0f} s")

    threading.Thread(target=look, name="watch", daemon=True).start()


def _die(why: str) -> None:
    log.critical("hangs: %s; leaving so that supervision starts a fresh worker", why, extra={"action": "die"})
    os._exit(1)
