"""The Things Stack v3: which readings are in a message of topic `v3/{app}@{tenant}/devices/{dev}/up`?

Empty fields are omitted (`f_cnt` 0, no `frm_payload`). The broker sends with QoS 0 only, so gaps are certain; stored
values of the devices fill them. A simulated uplink is no reading. `decoded_payload` is not read: the bytes are.
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
        raise Unreadable("bad_document", f"{shown(document)} is no message")
    if document.get("simulated"):
        raise Unreadable("simulated", "an uplink that a person made up in the console")
    ids = table(document.get("end_device_ids"), "end_device_ids")
    if "uplink_message" not in document:
        raise Unreadable("bad_document", "no uplink_message")
    message = table(document["uplink_message"], "uplink_message")
    versions = table(message.get("version_ids"), "version_ids")
    attributes = table(message.get("attributes"), "attributes")
    return Uplink(
        device=ident(ids.get("dev_eui") or ids.get("device_id"), "dev_eui"),
        session=ident(message.get("session_key_id") or ids.get("dev_addr") or "-", "session_key_id"),
        counter=whole(message.get("f_cnt"), "f_cnt") or 0,
        data=bytes_of(message.get("frm_payload"), "frm_payload"),
        at=message.get("received_at") or document.get("received_at"),
        models=(attributes.get("model"), versions.get("model_id"), ids.get("device_id")),
    )


def _with_data(document: Any, data: str) -> Any:
    message = document["uplink_message"]
    names = ("session_key_id", "f_cnt", "received_at", "version_ids", "attributes")
    kept = {name: message[name] for name in names if name in message}
    top = {name: document[name] for name in ("end_device_ids", "received_at") if name in document}
    return {**top, "uplink_message": {**kept, "frm_payload": data}}
