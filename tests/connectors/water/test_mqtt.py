"""A real broker: a message is acknowledged when its readings are safe, and comes again when they are not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.health import SourceHealth
from connectors.routes import plug
from connectors.run import run as run_connectors
from connectors.transports.delivery import Delivery
from connectors.transports.mqtt import MqttSession, address_of
from connectors.water import chirpstack
from schemas import settings as tables
from schemas.settings import Connectors, Settings, Source
from schemas.topics import WATER_READINGS
from tests.connectors import log
from tests.connectors.clocks import HeldClock, until
from tests.connectors.water.brokers import Broker
from tests.connectors.water.stations import free_port

pytestmark = pytest.mark.stack
TOPIC = "application/+/device/+/event/up"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path)
    yield started
    started.stop()


def uplink(counter: int, distance_mm: int = 30, **fields: Any) -> bytes:
    document: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(),
        "deviceInfo": {"devEui": "24e124713c140001", "deviceProfileName": "EM500-UDL"},
        "devAddr": "00189440",
        "fCnt": counter,
        "data": base64.b64encode(b"\x03\x82" + distance_mm.to_bytes(2, "little")).decode(),
    }
    return msgspec.json.encode(document | fields)


def source_of(broker: Broker, **fields: Any) -> Source:
    table = {"name": "lora", "decoder": "chirpstack", "transport": "mqtt", "topic": "water.readings",
             "url": broker.url, "topics": (TOPIC,)}  # fmt: skip
    return msgspec.convert(table | fields, Source)


class Receiver:
    """A session whose deliveries a test settles."""

    def __init__(self, source: Source, limits: Connectors) -> None:
        self.clock = HeldClock()
        self.health = SourceHealth(source.name, 60.0)
        self.session = MqttSession(
            source, "", "citysense-test-lora", limits, self.clock, self.health, chirpstack.repetition
        )
        self.came: list[Delivery] = []

    async def collect(self) -> None:
        coming = self.session.deliveries()
        try:
            async for delivery in coming:
                self.came.append(delivery)
        finally:
            await coming.aclose()  # type: ignore[attr-defined]

    async def next(self, count: int = 1) -> list[Delivery]:
        await until(lambda: len(self.came) >= count)
        taken, self.came = self.came[:count], self.came[count:]
        return taken


@contextlib.asynccontextmanager
async def receiver(broker: Broker, limits: Connectors | None = None, **fields: Any) -> AsyncIterator[Receiver]:
    ours = Receiver(source_of(broker, **fields), limits or Connectors())
    collecting = asyncio.create_task(ours.collect())
    try:
        await asyncio.wait_for(ours.session.subscribed.wait(), 15)
        yield ours
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(limited())


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(broker: Broker) -> None:
    async def work() -> None:
        async with receiver(broker) as ours:
            await asyncio.to_thread(broker.publish, uplink(1, 10), uplink(2, 20))
            first, second = await ours.next(2)
            assert len(ours.clock.held) == 2
            await first.acknowledge()
            assert len(ours.clock.held) == 1
            assert second.meta["topic"].endswith("/event/up")
        async with receiver(broker) as ours:  # the second was in nobody's hands when we fell
            (again,) = await ours.next()
            assert again.payload == second.payload
            await again.acknowledge()
        async with receiver(broker) as ours:
            await asyncio.to_thread(broker.publish, uplink(3, 30))
            (last,) = await ours.next()
            assert b'"fCnt":3' in last.payload and not ours.came

    run(work)


def test_what_kafka_does_not_take_is_offered_again(broker: Broker) -> None:
    async def work() -> None:
        async with receiver(broker) as ours:
            await asyncio.to_thread(broker.publish, uplink(1))
            for _ in range(2):
                (delivery,) = await ours.next()
                await delivery.refuse("Kafka is away")
                assert ours.clock.held == []
            (again,) = await ours.next()
            assert again.received_at == delivery.received_at  # when it was first got
            await again.acknowledge()
        async with receiver(broker) as ours:
            await asyncio.to_thread(broker.publish, uplink(2))
            (last,) = await ours.next()
            assert b'"fCnt":2' in last.payload

    run(work)


def test_a_repetition_is_not_published_again_whatever_its_deduplication_id(broker: Broker) -> None:
    async def work() -> None:
        at = datetime.now(UTC)
        other_time: dict[str, Any] = {"time": (at + timedelta(seconds=4)).isoformat(), "deduplicationId": "b"}
        async with receiver(broker) as ours:
            same = [uplink(1, deduplicationId="a"), uplink(1, **other_time)]
            await asyncio.to_thread(broker.publish, *same, uplink(1, devAddr="00189441"))
            first, rejoined = await ours.next(2)
            assert b"00189440" in first.payload and b"00189441" in rejoined.payload
            await first.acknowledge()
            await rejoined.acknowledge()
            much_later: dict[str, Any] = {"time": (at + timedelta(hours=2)).isoformat()}  # a counter that began anew
            await asyncio.to_thread(broker.publish, uplink(1), uplink(1, **much_later), b"no json", b"no json")
            rest = await ours.next(3)
            assert [one.payload[:7] for one in rest[1:]] == [b"no json", b"no json"]
            assert much_later["time"].encode() in rest[0].payload
            for one in rest:
                await one.acknowledge()
        async with receiver(broker) as ours:  # all were acknowledged, the repetitions too
            await asyncio.to_thread(broker.publish, uplink(9))
            (last,) = await ours.next()
            assert b'"fCnt":9' in last.payload

    run(work)


def test_a_message_is_acknowledged_on_its_own_connection_or_not_at_all(broker: Broker) -> None:
    async def work() -> None:
        async with receiver(broker) as ours:
            await asyncio.to_thread(broker.publish, uplink(1))
            (held,) = await ours.next()
            await asyncio.to_thread(broker.stop)
            await until(lambda: ours.health.error is not None)
            await held.acknowledge()  # its connection is gone: the broker will send it again
            ours.session.subscribed.clear()
            await asyncio.to_thread(broker.start)
            await asyncio.wait_for(ours.session.subscribed.wait(), 20)
            await asyncio.to_thread(broker.publish, uplink(2))
            (next_one,) = await ours.next()
            assert b'"fCnt":2' in next_one.payload  # the first came again and is known to be safe

    run(work)


def test_only_so_many_messages_wait(broker: Broker) -> None:
    async def work() -> None:
        async with receiver(broker, Connectors(messages_under_way=5)) as ours:
            await asyncio.to_thread(broker.publish, *(uplink(number) for number in range(20)))
            first = await ours.next(5)
            assert not ours.came
            seen = list(first)
            while len(seen) < 20:
                await seen[len(seen) - 5].acknowledge()
                seen += await ours.next()
            assert len({one.payload for one in seen}) == 20

    run(work)


def test_a_broker_that_only_speaks_3_1_1(broker: Broker) -> None:
    async def work() -> None:
        async with receiver(broker, options={"protocol": "3.1.1"}) as ours:
            await asyncio.to_thread(broker.publish, uplink(1))
            await ours.next()
        async with receiver(broker, options={"protocol": "3.1.1"}) as ours:
            (again,) = await ours.next()
            await again.acknowledge()

    run(work)


def test_the_address_of_a_broker() -> None:
    assert address_of("mqtts://eu1.example") == ("eu1.example", 8883)
    for bad in ("http://x", "mqtt://", "mqtt"):
        with pytest.raises(ValueError, match="mqtt://"):
            address_of(bad)


def test_uplinks_are_kept_by_the_broker_while_kafka_is_away(kafka: Settings, broker: Broker, tmp_path: Path) -> None:
    """Nobody is acknowledged, the connector goes, another one with Kafka takes all."""
    source = source_of(broker)
    limits = msgspec.structs.replace(kafka.connectors, stop_timeout_s=1.0)
    here = msgspec.structs.replace(
        kafka,
        kafka=tables.Kafka(bootstrap=kafka.bootstrap),
        instance="main",
        database=tables.Database(host="127.0.0.1", port=free_port()),
        connectors=limits,
        publisher=tables.Publisher(delivery_timeout_ms=1_000),
        sources=(source,),
    )
    away = msgspec.structs.replace(here, kafka=tables.Kafka(bootstrap=f"127.0.0.1:{free_port()}"))

    async def connector(settings: Settings, work: Callable[[], Awaitable[None]]) -> None:
        stop = asyncio.Event()
        routes = plug(settings, [], lambda name: "")
        running = asyncio.create_task(run_connectors(settings, routes, tmp_path / "spool", stop))
        try:
            await work()
        finally:
            stop.set()
            await asyncio.wait_for(running, 30)

    async def arrived(count: int) -> None:
        await until(lambda: len(log.rows(kafka, WATER_READINGS)) >= count, 30.0)

    async def first() -> None:
        while not log.rows(kafka, WATER_READINGS):  # until it has subscribed, and the broker has its session
            await asyncio.to_thread(broker.publish, uplink(0, 0))

    async def publish() -> None:
        await asyncio.to_thread(broker.publish, *(uplink(number, number) for number in range(1, 31)))

    async def all_of_it() -> None:
        await connector(here, first)
        await connector(away, publish)
        await connector(here, lambda: arrived(31))

    run(all_of_it)
    assert {row.value for row in log.rows(kafka, WATER_READINGS)} == {number / 1000 for number in range(31)}
