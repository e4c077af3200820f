"""What a source did is told once: nothing twice, and nothing forgotten while Kafka is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.health import SourceHealth, report_forever
from connectors.kafka import Publisher
from schemas import settings
from schemas.parking import Observation
from schemas.settings import Settings
from schemas.source import Health
from schemas.topics import SOURCES_HEALTH
from tests.connectors import log
from tests.connectors.clocks import until

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def lot(free: int, at: datetime | None) -> Observation:
    return Observation(source="s", ref="1", free=free, observed_at=at, received_at=NOON)


def test_a_report_says_what_happened_since_the_last_that_was_taken() -> None:
    health = SourceHealth("s", 60.0)
    health.polled()
    health.took([lot(0, NOON), lot(1, NOON - timedelta(minutes=5)), lot(2, None)], 2, spooled=False)
    health.succeeded(NOON)
    first = health.report(NOON)
    assert (first.polls, first.rows, first.rejects, first.spooled) == (1, 3, 2, 0)
    assert first.newest_observed_at == NOON
    health.polled()
    health.failed("HTTP 500")
    assert health.report(NOON).polls == 2  # the first was not taken: all of it is told again
    health.told(first)
    second = health.report(NOON)
    assert (second.polls, second.failures, second.rows, second.rejects) == (1, 1, 0, 0)
    assert second.error == "HTTP 500"
    assert second.last_success_at == NOON


def test_an_error_is_over_with_the_next_success_and_never_too_long() -> None:
    health = SourceHealth("s", None)
    health.failed("x\x00" * 5_000)
    assert len(health.report(NOON).error or "") == 500
    health.succeeded(NOON)
    assert health.report(NOON).error is None


def test_what_is_spooled_is_counted_apart() -> None:
    health = SourceHealth("s", None)
    health.took([lot(0, NOON)], 1, spooled=True)
    assert (health.report(NOON).rows, health.report(NOON).spooled) == (1, 2)


@pytest.mark.stack
def test_reports_come_at_each_poll_and_without_polls_too(kafka: Settings) -> None:
    async def reporting() -> None:
        publisher = Publisher(kafka.bootstrap, settings.Publisher(linger_ms=1), [SOURCES_HEALTH], "test")
        publisher.start(ticking=False)
        health = SourceHealth("s", 60.0)
        task = asyncio.create_task(report_forever(health, publisher, 0.2))
        await until(lambda: publisher.sent_rows >= 2)
        health.polled()
        health.changed.set()
        await until(lambda: health.polls == 0)
        task.cancel()
        await publisher.close(5.0)

    asyncio.run(reporting())
    reports: list[Health] = log.rows(kafka, SOURCES_HEALTH)
    assert sum(report.polls for report in reports) == 1
    assert len(reports) >= 3
