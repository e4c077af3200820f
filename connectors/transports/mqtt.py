"""How do messages of a broker come in? One session a source, PUBACK only when the readings are safe in Kafka.

The session outlives the connection: what is not acknowledged is sent again by the broker, after a fall of either side.
A delivery that Kafka does not take is offered again until it does; its message stays unacknowledged meanwhile, and of
those a broker sends only so many. QoS 0 cannot be sent again (The Things Stack has no other), so such a source spools.
A repetition of what is safe, or under way, is not published again: `repetition` names what two messages have in common.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery, Holds
from schemas.settings import Connectors, Source

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
SESSION_S = 7 * 86_400  # so long a broker keeps what we have not acknowledged
UNACKNOWLEDGED = 1_000  # messages that a broker sends without an answer
AGAIN_FIRST_S, AGAIN_LAST_S = 0.5, 10.0
REMEMBERED = 50_000
AGAIN_WITHIN = timedelta(minutes=15)  # of the network's own times: later it is another uplink

Repetition = Callable[[bytes], tuple[str, datetime] | None]


class MqttSession:
    """One source's side: an async iterator of its deliveries."""

    def __init__(
        self,
        source: Source,
        password: str,
        client_id: str,
        limits: Connectors,
        holds: Holds,
        health: SourceHealth,
        repetition: Repetition | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source, self._limits, self._holds, self._health, self._now = source, limits, holds, health, now
        self._repetition = repetition
        self._room = threading.BoundedSemaphore(limits.messages_under_way)
        self._stopping = threading.Event()
        self._connection = 0  # a message is acknowledged on the connection that it came on, or not at all
        self._coming: asyncio.Queue[Delivery] = asyncio.Queue()  # bounded by the room
        self._safe: OrderedDict[str, datetime] = OrderedDict()
        self._under_way: dict[str, list[Callable[[], None]]] = {}
        self._client = _client(source, password, client_id)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._loop: asyncio.AbstractEventLoop
        self.subscribed = asyncio.Event()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        self._loop = asyncio.get_running_loop()
        host, port = address_of(self._source.url)
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            asked: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            asked.SessionExpiryInterval = SESSION_S
            asked.ReceiveMaximum = min(UNACKNOWLEDGED, self._limits.messages_under_way)
            asked.MaximumPacketSize = self._limits.push_body_limit_bytes
            self._client.connect_async(host, port, KEEPALIVE_S, clean_start=False, properties=asked)
        else:
            self._client.connect_async(host, port, KEEPALIVE_S)
        self._client.loop_start()
        try:
            while True:
                yield await self._coming.get()
        finally:
            self._stopping.set()
            self._client.disconnect()
            await asyncio.shield(self._loop.run_in_executor(None, self._client.loop_stop))

    # in the thread of the client

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._connection += 1
        if reason.is_failure:
            self._tell(self._health.failed, f"the broker refused: {reason}")
            return
        client.subscribe([(topic, 1) for topic in self._source.topics])

    def _on_subscribe(self, client: mqtt.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._tell(self._health.failed, f"the broker refused a subscription: {', '.join(refused)}")
        else:
            self._tell(self.subscribed.set)

    def _on_disconnect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._connection += 1
        if not self._stopping.is_set():
            log.warning("%s: the broker is away: %s", self._source.name, reason)
            self._tell(self._health.failed, f"the broker is away: {reason}")

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        while not self._room.acquire(timeout=1.0):  # too much is under way: the broker waits
            if self._stopping.is_set():
                return
        self._tell(self._arrived, self._connection, message.mid, message.qos, message.topic, message.payload)

    def _tell(self, work: Callable[..., object], *values: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(work, *values)

    # in the loop

    def _arrived(self, connection: int, mid: int, qos: int, topic: str, payload: bytes) -> None:
        at = self._now()
        self._health.polled()

        def settle() -> None:
            self._room.release()
            if qos and connection == self._connection:
                self._client.ack(mid, qos)

        named = self._repetition(payload) if self._repetition is not None else None
        name = named[0] if named else None
        if named is not None and self._is_safe(*named):
            self._health.succeeded(at)
            settle()
            return
        if name is not None and name in self._under_way:
            self._under_way[name].append(settle)
            return
        if name is not None:
            self._under_way[name] = [settle]
        self._deliver(payload, at, {"topic": topic}, named, settle, AGAIN_FIRST_S)

    def _deliver(
        self,
        payload: bytes,
        received_at: datetime,
        meta: Mapping[str, str],
        named: tuple[str, datetime] | None,
        settle: Callable[[], None],
        again_s: float,
    ) -> None:
        release = self._holds.hold(self._now())  # not the first time of one that is offered again: connectors/kafka.py

        async def acknowledge() -> None:
            release()
            self._health.succeeded(self._now())
            if named is None:
                settle()
                return
            self._safe[named[0]] = named[1]
            if len(self._safe) > REMEMBERED:
                self._safe.popitem(last=False)
            for one in self._under_way.pop(named[0]):
                one()

        async def refuse(reason: str) -> None:
            release()
            self._health.failed(reason)
            later_s = min(2 * again_s, AGAIN_LAST_S)
            self._loop.call_later(again_s, self._deliver, payload, received_at, meta, named, settle, later_s)

        self._coming.put_nowait(
            Delivery(payload=payload, received_at=received_at, acknowledge=acknowledge, refuse=refuse, meta=meta)
        )

    def _is_safe(self, name: str, at: datetime) -> bool:
        known = self._safe.get(name)
        return known is not None and abs(at - known) <= AGAIN_WITHIN


def address_of(url: str) -> tuple[str, int]:
    """Host and port of mqtt:// or mqtts://. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("must be mqtt://host:1883 or mqtts://host:8883")
    return parts.hostname, parts.port or (1883 if parts.scheme == "mqtt" else 8883)


def _client(source: Source, password: str, client_id: str) -> mqtt.Client:
    is_v5 = source.options.get("protocol", "3.1.1" if source.decoder == "ttn" else "5") == "5"
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if is_v5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    client.reconnect_delay_set(1, 30)
    if source.username:
        client.username_pw_set(source.username, password or None)
    if source.url.startswith("mqtts://"):
        client.tls_set(ca_certs=source.options.get("ca_file"))
    return client
