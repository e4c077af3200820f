"""A polled source is asked at its minute, page by page or lot by lot, and its cursor moves when its rows are safe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery
from connectors.transports.fetch import Client
from connectors.transports.http_poll import backoff_s, deliveries, next_poll, next_tick, page_items
from schemas.settings import Connectors, Source
from tests.connectors.clocks import HeldClock, until
from tests.connectors.servers import Asked, Feed

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
Consume = Callable[[AsyncIterator[Delivery], SourceHealth, HeldClock], Awaitable[None]]


def source(url: str, **fields: object) -> Source:
    table = {"name": "polled", "decoder": "hdb", "transport": "http_poll", "url": url, "allow_private_address": True}
    return msgspec.convert({**table, "cadence_s": 0.2, **fields}, Source)


def poll(polled: Source, consume: Consume, limits: Connectors | None = None) -> None:
    async def polling() -> None:
        client = Client(limits or Connectors(total_timeout_s=5.0, read_timeout_s=5.0))
        health, clock = SourceHealth(polled.name, polled.cadence_s), HeldClock()
        coming = deliveries(polled, {}, client, clock, health)
        async with asyncio.timeout(20):
            await consume(coming, health, clock)
        await coming.aclose()  # type: ignore[attr-defined]
        await client.close()

    asyncio.run(polling())


def test_the_cursor_moves_only_when_the_rows_are_safe() -> None:
    def answer(asked: Asked) -> None:
        if asked.headers.get("if-none-match") == '"7"':
            asked.raw(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            asked.answer(b"minute", ETag='"7"', Last_Modified="Tue, 24 Nov 2026 04:00:00 GMT")

    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        first = await anext(coming)
        await first.refuse("Kafka is away")
        assert health.error == "Kafka is away"
        second = await anext(coming)
        assert "if-none-match" not in feed.asked[1].headers  # refused: it must come again
        await second.acknowledge()
        waiting = asyncio.ensure_future(anext(coming))
        asked_before = len(feed.asked)
        await until(lambda: len(feed.asked) >= asked_before + 2)
        assert not waiting.done()
        assert feed.asked[-1].headers["if-none-match"] == '"7"'
        assert feed.asked[-1].headers["if-modified-since"] == "Tue, 24 Nov 2026 04:00:00 GMT"
        assert health.error is None  # nothing new is a success
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    with Feed(answer).serving() as feed:
        poll(source(feed.url), consume)


def test_an_answer_in_time_is_received_at_the_planned_tick_and_holds_the_clock() -> None:
    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        await (await anext(coming)).acknowledge()
        delivery = await anext(coming)
        assert delivery.received_at.timestamp() % 0.2 == pytest.approx(0.05, abs=1e-5)
        assert clock.held == [delivery.received_at]
        await delivery.acknowledge()
        assert delivery.received_at not in clock.held

    with Feed(lambda asked: asked.answer(b"x")).serving() as feed:
        poll(source(feed.url, offset_s=0.05), consume)


def test_a_late_answer_is_received_when_it_comes_and_does_not_hold_the_clock_meanwhile() -> None:
    go_on = threading.Event()

    def answer(asked: Asked) -> None:
        go_on.wait(10)
        asked.answer(b"x")

    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        waiting = asyncio.ensure_future(anext(coming))
        await until(lambda: bool(feed.asked))
        asked_at = datetime.now(UTC)
        await until(lambda: not clock.held and datetime.now(UTC) > asked_at + timedelta(seconds=0.2))
        before = datetime.now(UTC)
        go_on.set()
        delivery = await waiting
        assert delivery.received_at >= before
        await delivery.acknowledge()

    with Feed(answer).serving() as feed:
        poll(source(feed.url, cadence_s=60.0), consume, Connectors(poll_hold_s=0.1))


def test_pages_are_asked_for_until_one_is_short() -> None:
    def answer(asked: Asked) -> None:
        skip = int(asked.path.partition("skip=")[2])
        items = [{"CarParkID": str(number)} for number in range(skip, min(skip + 500, 1100))]
        asked.answer(msgspec.json.encode({"odata.metadata": "x", "value": items}))

    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        pages = [await anext(coming) for _ in range(3)]
        assert [page_items(page.payload) for page in pages] == [500, 500, 100]
        assert len({page.received_at for page in pages}) == 1
        assert [page.meta["label"] for page in pages] == ["page 0", "page 1", "page 2"]

    with Feed(answer).serving() as feed:
        poll(source(feed.url, cadence_s=60.0, page_param="$skip", page_size=500), consume)
        assert [asked.path for asked in feed.asked] == ["/?%24skip=0", "/?%24skip=500", "/?%24skip=1000"]


def test_a_server_that_ignores_the_page_is_asked_twice() -> None:
    same = msgspec.json.encode([1] * 10)

    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        for _ in range(2):
            await (await anext(coming)).acknowledge()
        await until(lambda: health.polls == 2 and not clock.held)

    with Feed(lambda asked: asked.answer(same)).serving() as feed:
        poll(source(feed.url, cadence_s=60.0, page_param="page", page_size=10), consume)
        assert len(feed.asked) == 2


def test_lots_are_asked_one_by_one_over_the_cadence_and_a_broken_one_costs_only_itself() -> None:
    times: list[datetime] = []

    def answer(asked: Asked) -> None:
        times.append(datetime.now(UTC))
        asked.answer(asked.path.encode(), 404 if asked.path == "/lot/b%2Fb" else 200)

    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        seen = []
        for _ in range(3):
            delivery = await anext(coming)
            await delivery.acknowledge()
            seen.append((delivery.payload, delivery.meta["label"]))
        assert seen == [(b"/lot/a", "a"), (b"/lot/c", "c"), (b"/lot/d", "d")]
        assert health.failures == 1
        assert health.polls == 4

    with Feed(answer).serving() as feed:
        refs = ["a", "b/b", "c", "d"]
        poll(source(feed.url + "/lot/{ref}", cadence_s=0.8, refs=refs, requests_per_s=100), consume)
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(times[:4])]
    assert max(gaps) > 0.1  # 0.2 planned: not all at once


def test_a_failing_source_is_asked_again_after_a_pause_and_says_why() -> None:
    def answer(asked: Asked) -> None:
        asked.answer(b"x", 503 if len(feed.asked) < 3 else 200)

    async def consume(coming: AsyncIterator[Delivery], health: SourceHealth, clock: HeldClock) -> None:
        delivery = await anext(coming)
        assert health.failures == 2
        assert health.error == "HTTP 503"
        await delivery.acknowledge()
        assert health.error is None

    with Feed(answer).serving() as feed:
        poll(source(feed.url), consume)


@pytest.mark.parametrize(
    ("now_s", "offset_s", "tick_s"), [(0.0, 0.0, 60.0), (59.9, 0.0, 60.0), (60.0, 0.0, 120.0), (61.0, 5.0, 65.0)]
)
def test_ticks_are_whole_minutes_of_the_source(now_s: float, offset_s: float, tick_s: float) -> None:
    assert next_tick(NOON + timedelta(seconds=now_s), 60.0, offset_s) == NOON + timedelta(seconds=tick_s)


def test_after_a_failure_it_tries_within_the_minute_and_after_many_at_a_later_one() -> None:
    minutely = source("http://x", cadence_s=60.0)
    assert next_poll(NOON, minutely, failures=1, chance=1.0) == NOON + timedelta(seconds=5)
    assert next_poll(NOON, minutely, failures=1, chance=0.0) == NOON + timedelta(seconds=2.5)
    assert next_poll(NOON, minutely, failures=5, chance=1.0) == NOON + timedelta(seconds=120)
    assert next_poll(NOON, minutely, failures=1, retry_after_s=90.0, chance=1.0) == NOON + timedelta(seconds=120)
    assert backoff_s(60.0, 1000, 1.0) == 300.0


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b"[1,2,3]", 3),
        (b'{"value":[1,2],"x":[1]}', 2),
        (b"{}", 0),
        (b"<xml/>", 0),
        (b"[" * 100_000, 0),
        (b"\xff", 0),
    ],
)
def test_the_length_of_a_page(body: bytes, items: int) -> None:
    assert page_items(body) == items
