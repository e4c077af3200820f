"""ChirpStack v4: which readings are in an event of topic `application/{id}/device/{devEui}/event/up`?

JSON of proto3: what is zero or empty is left out (`fCnt` 0, no `data`). `object`, the network server's own decoding, is
not read: the bytes are. The session is the device address, which each join changes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.numbers import whole
from connectors.water.uplinks import Uplink, bytes_of, decode_uplink, repetition_of, table
from connectors.words import ident


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_uplink(payload, source, _read, _with_data)


def repetition(payload: bytes) -> tuple[str, datetime] | None:
    return repetition_of(payload, _read)


def _read(document: Any) -> Uplink:
    if not isinstance(document, dict):
        raise Unreadable("bad_document", f"{shown(document)} is no event")
    device = table(document.get("deviceInfo"), "deviceInfo")
    tags = table(device.get("tags"), "tags")
    return Uplink(
        device=ident(device.get("devEui"), "devEui"),
        session=ident(document.get("devAddr", "-"), "devAddr"),
        counter=whole(document.get("fCnt"), "fCnt") or 0,
        data=bytes_of(document.get("data"), "data"),
        at=document.get("time"),
        models=(tags.get("model"), device.get("deviceProfileName"), device.get("deviceName")),
    )


def _with_data(document: Any, data: str) -> Any:
    kept = {name: document[name] for name in ("time", "devAddr", "fCnt") if name in document}
    device = document["deviceInfo"]
    known = {name: device[name] for name in ("devEui", "deviceProfileName", "deviceName", "tags") if name in device}
    return {**kept, "deviceInfo": known, "data": data}
