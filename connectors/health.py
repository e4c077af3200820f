"""How is each source? Counted per route, told to the log (`sources.health`) and to Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Counter, Gauge

from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed
from schemas.batch import Row
from schemas.parking import Observation
from schemas.source import Health
from schemas.water import StationReading

log = logging.getLogger(__name__)

SOON_S = 1.0  # a source that polls many times a second reports once in this time
TEXT_LIMIT = 500

POLLS = Counter("citysense_source_polls", "Polls and pushes, whatever came of them", ["source"])
FAILURES = Counter("citysense_source_failures", "Polls and pushes that failed or were refused", ["source"])
ROWS = Counter("citysense_source_rows", "Rows that are safe: confirmed by Kafka or on the spool", ["source"])
REJECTS = Counter("citysense_source_rejects", "Items that could not become rows", ["source"])
SPOOLED = Counter("citysense_source_spooled", "Rows that went to the spool", ["source"])
LOST = Counter("citysense_source_lost_deliveries", "Deliveries that found the spool full", ["source"])
SUCCESS = Gauge("citysense_source_last_success_seconds", "When the source last answered, unix time", ["source"])
NEWEST = Gauge("citysense_source_newest_observed_seconds", "Newest observed_at, unix time", ["source"])


class SourceHealth:
    """What one route did since its last report that Kafka took."""

    def __init__(self, source: str, cadence_s: float | None) -> None:
        self.source = source
        self.cadence_s = cadence_s
        self.polls = self.failures = self.rows = self.rejects = self.spooled = 0
        self.last_success_at: datetime | None = None
        self.newest_observed_at: datetime | None = None
        self.error: str | None = None
        self.changed = asyncio.Event()  # a poll is over: report soon

    def polled(self) -> None:
        self.polls += 1
        POLLS.labels(self.source).inc()

    def succeeded(self, at: datetime) -> None:
        """The source answered and what it said is safe, or it said that nothing is new."""
        self.last_success_at = at
        self.error = None
        SUCCESS.labels(self.source).set(at.timestamp())
        self.changed.set()

    def failed(self, error: str) -> None:
        self.failures += 1
        self.error = error.replace("\x00", "\\0")[:TEXT_LIMIT]
        FAILURES.labels(self.source).inc()
        self.changed.set()

    def took(self, rows: Iterable[Row], rejects: int, *, spooled: bool) -> None:
        count = 0
        for row in rows:
            count += 1
            at = row.observed_at if isinstance(row, (Observation, StationReading)) else None
            if at is not None and (self.newest_observed_at is None or at > self.newest_observed_at):
                self.newest_observed_at = at
        self.rows += count
        self.rejects += rejects
        ROWS.labels(self.source).inc(count)
        REJECTS.labels(self.source).inc(rejects)
        if spooled:
            self.spooled += count + rejects
            SPOOLED.labels(self.source).inc(count + rejects)
        if self.newest_observed_at is not None:
            NEWEST.labels(self.source).set(self.newest_observed_at.timestamp())

    def turned_away(self, count: int = 1) -> None:
        """Rejects that are counted and not told one by one (a flood of bad signatures)."""
        self.rejects += count
        REJECTS.labels(self.source).inc(count)

    def report(self, at: datetime) -> Health:
        return Health(
            source=self.source,
            received_at=at,
            polls=self.polls,
            failures=self.failures,
            rows=self.rows,
            rejects=self.rejects,
            spooled=self.spooled,
            last_success_at=self.last_success_at,
            newest_observed_at=self.newest_observed_at,
            cadence_s=self.cadence_s,
            error=self.error,
        )

    def told(self, report: Health) -> None:
        """Kafka has the report: count from there on."""
        self.polls -= report.polls
        self.failures -= report.failures
        self.rows -= report.rows
        self.rejects -= report.rejects
        self.spooled -= report.spooled


async def report_forever(
    health: SourceHealth,
    publisher: Publisher,
    every_s: float,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """One report at each poll and at least every `every_s`. What Kafka does not take is told with the next."""
    while True:
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every_s):
                await health.changed.wait()
        await asyncio.sleep(max(0.0, min(SOON_S, every_s) - (time.monotonic() - began)))
        health.changed.clear()
        await report_once(health, publisher, now())


async def report_once(health: SourceHealth, publisher: Publisher, at: datetime) -> None:
    report = health.report(at)
    try:
        await publisher.publish([report])
    except NotConfirmed as error:
        log.info("health of %s waits: %s", health.source, error)
    else:
        health.told(report)


def summary(health: SourceHealth) -> dict[str, Any]:
    """For /health: what a person wants to know first."""
    return {
        "source": health.source,
        "last_success_at": None if health.last_success_at is None else health.last_success_at.isoformat(),
        "newest_observed_at": None if health.newest_observed_at is None else health.newest_observed_at.isoformat(),
        "error": health.error,
    }
