"""The LoRaWAN network of the demo: uplinks of its devices, published until the broker has them for good.

A gateway that is down keeps nothing: its devices keep their values and send them, stored, when it is back.
A broker answers before it has saved: killed then, it forgets its last seconds. So an uplink is kept for a while after
its answer, and said again when the connection broke within it. Who subscribes knows repetitions by their counters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from demo.water.lorawan import topic
from demo.water.network import Station
from demo.water.reports import Report

CLIENT = "demo-lorawan-network"
MEMORY = 50_000  # uplinks that wait for the broker
LOOK_S = 0.2
KEPT_S = 5.0  # after the answer: longer than a broker goes without saving (deploy/local/mosquitto.py)


class _Said(msgspec.Struct):
    device: str
    report: Report
    taken_at: float | None = None  # monotonic; None: the broker has not answered


class Gateways:
    """`safe` is told of each report that the broker has for good. Used inside one event loop."""

    def __init__(
        self, port: int, *, client_id: str = CLIENT, safe: Callable[[Report], None] = lambda report: None
    ) -> None:
        self.said = self.taken = self.again = 0
        self._safe = safe
        self._held: dict[str, list[Report]] = {}  # by device
        self._out: dict[int, _Said] = {}  # by the number of the message
        self._down_at: float | None = None
        self._loop: asyncio.AbstractEventLoop
        self._client: Any = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        self._client.max_queued_messages_set(MEMORY)
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = lambda client, userdata, flags, reason, *_: self._tell(self._connected, reason)
        self._client.on_disconnect = lambda *_: self._tell(self._disconnected, time.monotonic())
        self._client.on_publish = lambda client, userdata, mid, *_: self._tell(self._published, mid, time.monotonic())
        self._client.connect_async("127.0.0.1", port)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, station: Station, report: Report) -> None:
        """Publishes at QoS 1; paho sends it again until the broker says that it has it."""
        if report.waits:
            self._held.setdefault(station.address, []).append(report)
            return
        for each in (*self._held.pop(station.address, ()), report):
            self.said += 1
            self.publish(station.address, each)

    def publish(self, device: str, report: Report) -> None:
        sent = self._client.publish(topic(device), report.data, qos=1)
        self._out[sent.mid] = _Said(device, report)

    @property
    def waiting(self) -> int:
        """Reports that may be said again."""
        self._let_go()
        return len(self._out)

    async def settled(self) -> None:
        """Until all that was said is safe."""
        while True:
            if not self.waiting:
                return
            await asyncio.sleep(LOOK_S)

    def _let_go(self) -> None:
        """What the broker has had for long enough, on a connection that held, is safe."""
        until = (time.monotonic() if self._down_at is None else self._down_at) - KEPT_S
        for mid, one in list(self._out.items()):
            if one.taken_at is not None and one.taken_at <= until:
                del self._out[mid]
                self._safe(one.report)

    def _tell(self, work: Callable[..., None], *values: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *values)

    def _published(self, mid: int, at: float) -> None:
        one = self._out.get(mid)
        if one is not None and one.taken_at is None:
            one.taken_at = at
            self.taken += 1
        self._let_go()

    def _disconnected(self, at: float) -> None:
        self._let_go()
        if self._down_at is None:
            self._down_at = at

    def _connected(self, reason: Any) -> None:
        if reason.is_failure:
            return
        self._let_go()
        self._down_at = None
        for mid, one in list(self._out.items()):
            if one.taken_at is not None:
                del self._out[mid]
                self.again += 1
                self.publish(one.device, one.report)
