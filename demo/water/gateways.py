"""The LoRaWAN network of the demo: uplinks of its devices, published until the broker has them.

A gateway that is down keeps nothing: its devices keep their values and send them, stored, when it is back.
"""

from __future__ import annotations

import logging
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from demo.water.lorawan import topic
from demo.water.network import Station
from demo.water.reports import Report

log = logging.getLogger(__name__)

CLIENT = "demo-lorawan-network"
MEMORY = 50_000  # uplinks that wait for the broker


class Gateways:
    def __init__(self, port: int, *, client_id: str = CLIENT) -> None:
        self.said = self.taken = 0
        self._held: dict[str, list[Report]] = {}  # by device
        self._client: Any = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        self._client.max_queued_messages_set(MEMORY)
        self._client.reconnect_delay_set(1, 30)
        self._client.on_publish = self._published
        self._client.connect_async("127.0.0.1", port)

    def start(self) -> None:
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
            self._client.publish(topic(station.address), each.data, qos=1)

    def _published(self, *_: Any) -> None:
        self.taken += 1
