"""What does a LoRaWAN sensor of the demo send, as ChirpStack v4 tells it on MQTT? Milesight's bytes in proto3's JSON.

Written from the makers' descriptions a second time, so that a mistake in the connector is not made on both sides.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

APPLICATION = "demo-water"
NO_ECHO = 0xFFFD  # an ultrasonic sensor that hears nothing


def topic(device: str) -> str:
    return f"application/{APPLICATION}/device/{device}/event/up"


def submersible(depth_m: float, battery: int) -> bytes:
    """EM500-SWL: whole centimetres."""
    return b"\x01\x75" + bytes((battery,)) + b"\x03\x77" + _little(round(depth_m * 100))


def ultrasonic(distance_m: float | None, battery: int) -> bytes:
    """EM500-UDL: millimetres down to the water; None: no echo."""
    return b"\x01\x75" + bytes((battery,)) + b"\x03\x82" + _millimetres(distance_m)


def multi(distance_m: float | None, battery: int, celsius: float, *, is_tilted: bool) -> bytes:
    """EM400-MUD: beside the distance its temperature, and whether it hangs aslant."""
    temperature = round(celsius * 10).to_bytes(2, "little", signed=True)
    head = b"\x01\x75" + bytes((battery,)) + b"\x03\x67" + temperature
    return head + b"\x04\x82" + _millimetres(distance_m) + b"\x05\x00" + bytes((is_tilted,))


def stored(at: datetime, distance_m: float) -> bytes:
    """A value of EM500-UDL that waited for its gateway, with the time at which it was measured."""
    return b"\x20\xce" + int(at.timestamp()).to_bytes(4, "little") + _millimetres(distance_m)


def uplink(device: str, model: str, gateway: str, counter: int, at: datetime, data: bytes) -> bytes:
    """The event. What is zero is left out, as proto3's JSON does."""
    event: dict[str, Any] = {
        "deduplicationId": str(uuid5(NAMESPACE_URL, f"demo/{device}/{counter}/{at.isoformat()}")),
        "time": at.isoformat(timespec="microseconds"),
        "deviceInfo": {
            "tenantName": "demo",
            "applicationName": APPLICATION,
            "deviceProfileName": model,
            "deviceName": f"{model} {device[-4:]}",
            "devEui": device,
            "tags": {"model": model},
        },
        "devAddr": f"01{device[-6:]}",
        "fCnt": counter,
        "fPort": 85,
        "confirmed": True,
        "data": base64.b64encode(data).decode(),
        "rxInfo": [{"gatewayId": gateway, "rssi": -97, "snr": 6.5}],
        "txInfo": {"frequency": 486_300_000},
    }
    return json.dumps({name: value for name, value in event.items() if value != 0}, separators=(",", ":")).encode()


def _millimetres(distance_m: float | None) -> bytes:
    return _little(NO_ECHO if distance_m is None else min(max(round(distance_m * 1000), 0), NO_ECHO - 1))


def _little(number: int) -> bytes:
    return number.to_bytes(2, "little")
