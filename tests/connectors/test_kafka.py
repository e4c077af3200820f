"""Rows on their way into the real Kafka: grouped, in order, bounded, confirmed per delivery; and the clock."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.kafka import Publisher
from connectors.lanes import Lane, NotConfirmed, Parcel, Ticket
from connectors.producer import SendFailed
from schemas import settings, topics
from schemas.batch import decode
from schemas.parking import Observation
from schemas.settings import Settings
from schemas.source import Reject
from schemas.topics import PARKING_OBSERVATIONS, REJECTS, TOPICS
from tests.connectors import log
from tests.connectors.clocks import until

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
LIMITS = settings.Publisher()


def lot(number: int, free: int = 1, at: datetime = NOON) -> Observation:
    return Observation(source="s", ref=f"lot-{number}", free=free, observed_at=at, received_at=at)


def with_publisher(
    bootstrap: str,
    work: Callable[[Publisher], Awaitable[None]],
    limits: settings.Publisher = LIMITS,
    *,
    ticking: bool = False,
) -> None:
    async def working() -> None:
        publisher = Publisher(bootstrap, limits, TOPICS, "test", now=lambda: NOON)
        publisher.start(ticking=ticking)
        try:
            async with asyncio.timeout(60):
                await work(publisher)
        finally:
            await publisher.close(5.0)

    asyncio.run(working())


@pytest.mark.stack
def test_rows_are_grouped_by_the_partition_of_their_series(kafka: Settings) -> None:
    rows = [lot(number) for number in range(300)]
    reject = Reject(source="s", reason="bad_number", detail="d", raw="{}", received_at=NOON)

    async def work(publisher: Publisher) -> None:
        await publisher.publish([*rows, reject])

    with_publisher(kafka.bootstrap, work)
    found = log.batches(kafka, PARKING_OBSERVATIONS)
    assert [len(records) for records in found.values()] == [1, 1, 1, 1]
    for partition, records in found.items():
        for row in records[0].rows:
            assert topics.partition_of(topics.series_key("s", row.ref), 4) == partition
    assert sorted(row.ref for row in log.rows(kafka, PARKING_OBSERVATIONS)) == sorted(row.ref for row in rows)
    assert log.rows(kafka, REJECTS) == [reject]


@pytest.mark.stack
def test_a_series_is_in_the_order_of_its_deliveries_and_no_record_is_too_long(kafka: Settings) -> None:
    async def work(publisher: Publisher) -> None:
        tickets = [await publisher.offer([lot(1, free) for free in range(n, n + 500)]) for n in range(0, 10_000, 500)]
        await asyncio.gather(*(ticket.confirmed() for ticket in tickets))

    with_publisher(kafka.bootstrap, work)
    records = [record for found in log.batches(kafka, PARKING_OBSERVATIONS).values() for record in found]
    assert [row.free for record in records for row in record.rows] == list(range(10_000))
    assert max(len(record.rows) for record in records) <= 2_000
    assert max(len(msgspec.json.encode(record.rows)) for record in records) <= 256 * 1024
    assert len(records) < 20


@pytest.mark.stack
def test_a_tick_stands_behind_the_rows_in_line_and_before_later_ones_in_every_partition(kafka: Settings) -> None:
    async def work(publisher: Publisher) -> None:
        await publisher.offer([lot(number) for number in range(100)])
        publisher.tick()
        await publisher.publish([lot(number) for number in range(100)])

    with_publisher(kafka.bootstrap, work)
    for topic in TOPICS:
        for records in log.batches(kafka, topic).values():
            schemas = [record.schema for record in records]
            if topic is PARKING_OBSERVATIONS:
                assert schemas == ["parking.observation.v1", "tick.v1", "parking.observation.v1"]
            else:
                assert schemas == ["tick.v1"]


@pytest.mark.stack
def test_no_tick_goes_past_what_is_not_published_yet(kafka: Settings) -> None:
    async def work(publisher: Publisher) -> None:
        release = publisher.hold(NOON - timedelta(seconds=7))
        later = publisher.hold(NOON - timedelta(seconds=3))
        for let_go in (None, release, later):
            if let_go is not None:
                let_go()
                let_go()  # a second time does nothing
            publisher.tick()
            publisher.tick()  # one at a time: the last is not confirmed yet
            await until(lambda: publisher.pending_rows == 0)

    with_publisher(kafka.bootstrap, work)
    (records,) = log.batches(kafka, REJECTS).values()
    ticks = [row.received_at for record in records for row in record.rows]
    assert ticks == [NOON - timedelta(seconds=7), NOON - timedelta(seconds=3), NOON]


@pytest.mark.stack
def test_the_clock_is_published_by_itself(kafka: Settings) -> None:
    async def work(publisher: Publisher) -> None:
        await until(lambda: publisher.sent_records >= 2 * sum(topic.partitions for topic in TOPICS))

    with_publisher(kafka.bootstrap, work, settings.Publisher(tick_s=0.1, linger_ms=1), ticking=True)


@pytest.mark.stack
def test_closing_sends_what_is_in_line(kafka: Settings) -> None:
    async def work(publisher: Publisher) -> None:
        await publisher.offer([lot(number) for number in range(50)])

    with_publisher(kafka.bootstrap, work, settings.Publisher(linger_ms=500))
    assert len(log.rows(kafka, PARKING_OBSERVATIONS)) == 50


@pytest.mark.stack
def test_more_than_may_wait_waits_at_the_door(kafka: Settings) -> None:
    async def work(publisher: Publisher) -> None:
        most = 0

        async def offer() -> None:
            nonlocal most
            ticket = await publisher.offer([lot(number) for number in range(400)])
            most = max(most, publisher.pending_rows)
            await ticket.confirmed()

        await asyncio.gather(*(offer() for _ in range(20)))
        assert most <= 1_000

    with_publisher(kafka.bootstrap, work, settings.Publisher(pending_rows=1_000, linger_ms=1))
    assert len(log.rows(kafka, PARKING_OBSERVATIONS)) == 8_000


def refused(bootstrap: str) -> None:
    """A broker that is not there or says nothing: refused in time, then at once, memory given back, closed soon."""

    async def work(publisher: Publisher) -> None:
        before = time.monotonic()
        with pytest.raises(NotConfirmed, match=r"not confirmed within 0\.5 s"):
            await publisher.publish([lot(1)], 0.5)
        assert time.monotonic() - before < 2
        await until(lambda: publisher.is_away)
        before = time.monotonic()
        for _ in range(100):
            with pytest.raises(NotConfirmed, match="Kafka has confirmed nothing for"):
                await publisher.publish([lot(number) for number in range(1_000)], 5.0)
        assert time.monotonic() - before < 1
        assert publisher.pending_rows <= 1 + sum(topic.partitions for topic in TOPICS)
        before = time.monotonic()
        await publisher.close(5.0)
        assert time.monotonic() - before < 6

    with_publisher(bootstrap, work, ticking=True)


def test_a_broker_that_is_not_there() -> None:
    refused("127.0.0.1:1")


def test_a_broker_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused(f"127.0.0.1:{silent.getsockname()[1]}")


class Broker:
    """Confirms or fails records as it is told, and keeps those that it has."""

    def __init__(self) -> None:
        self.fails = 0
        self.records: list[bytes] = []
        self.pending = [0, 0]
        self.tries: list[int] = []

    async def send(self, topic: str, partition: int, record: bytes, rows: int) -> None:
        self.tries.append(rows)
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise SendFailed("as told")
        self.records.append(record)

    def account(self, rows: int, size: int) -> None:
        self.pending[0] += rows
        self.pending[1] += size


def in_lane(work: Callable[[Lane, Broker], Awaitable[None]], limits: settings.Publisher = LIMITS) -> None:
    async def working() -> None:
        broker = Broker()
        lane = Lane("t", 0, limits, broker.send, broker.account)
        task = asyncio.create_task(lane.run())
        try:
            async with asyncio.timeout(20):
                await work(lane, broker)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(working())


def parcel(*numbers: int, schema: str = "parking.observation.v1") -> Parcel:
    made = Parcel(schema, Ticket())
    made.rows = [msgspec.json.encode(lot(number)) for number in numbers]
    made.size = sum(len(row) + 1 for row in made.rows)
    made.ticket.waiting_rows = len(numbers)
    return made


def refs(broker: Broker) -> list[str]:
    return [row.ref for record in broker.records for row in decode(record).rows]


def test_a_failed_record_is_sent_again_before_anything_of_its_partition() -> None:
    async def work(lane: Lane, broker: Broker) -> None:
        broker.fails = 3
        first, second = parcel(1, 2), parcel(3)
        lane.put(first)
        await until(lambda: bool(broker.tries))
        lane.put(second)
        await second.ticket.confirmed()
        assert first.ticket.settled.done()
        assert refs(broker) == ["lot-1", "lot-2", "lot-3"]
        await until(lambda: broker.pending == [0, 0])

    in_lane(work)


def test_a_refused_delivery_is_left_out_when_its_record_is_sent_again() -> None:
    async def work(lane: Lane, broker: Broker) -> None:
        broker.fails = 10**9
        refused, kept = parcel(1), parcel(2)
        lane.put(refused)
        lane.put(kept)
        await until(lambda: broker.fails < 10**9)
        refused.ticket.refuse("its time is up")
        broker.fails = 0
        await kept.ticket.confirmed()
        with pytest.raises(NotConfirmed, match="its time is up"):
            await refused.ticket.confirmed()
        assert refs(broker) == ["lot-2"]
        await until(lambda: broker.pending == [0, 0])

    in_lane(work)


def test_a_long_delivery_is_confirmed_by_its_last_record() -> None:
    async def work(lane: Lane, broker: Broker) -> None:
        long = parcel(*range(25))
        lane.put(long)
        await long.ticket.confirmed()
        assert broker.tries == [10, 10, 5]
        assert refs(broker) == [f"lot-{number}" for number in range(25)]

    in_lane(work, settings.Publisher(max_rows=10))


def test_a_record_keeps_to_its_bytes() -> None:
    async def work(lane: Lane, broker: Broker) -> None:
        long = parcel(*range(100))
        lane.put(long)
        await long.ticket.confirmed()
        assert len(refs(broker)) == 100
        assert max(len(record) for record in broker.records) < 1024 + 60

    in_lane(work, settings.Publisher(max_bytes=1024))
