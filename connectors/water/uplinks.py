"""What is one LoRaWAN uplink, whichever network server tells it? A device, a session, a counter, bytes; then readings.

A confirmed uplink is repeated with the same counter, and the network server may tell it as new: `repetition_of` names
what two messages of one uplink have in common (device, session, counter, content), and when it was sent.
The time of a reading is the network's, or (stored values) the device's own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document, shown
from connectors.items import decode_items
from connectors.times import instant
from connectors.water import milesight
from connectors.water.milesight import Unknown, Value
from connectors.water.readings import observed_at, reading_of, words
from schemas.fields import EARLIEST

_LONGEST_BASE64 = 1_024  # an uplink has at most 242 bytes
AGAIN_WITHIN = timedelta(minutes=15)  # a repetition comes within seconds; a session that begins anew may count anew


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    device: str  # devEui, as the network server writes it
    session: str
    counter: int
    data: bytes
    at: Any  # when the network received it, as it is written
    models: tuple[Any, ...] = ()  # names and tags that may say which model it is


class _Item(msgspec.Struct, frozen=True):
    uplink: Uplink
    value: Value | Unknown


def decode_uplink(
    payload: bytes,
    source: SourceContext,
    read: Callable[[Any], Uplink],
    with_data: Callable[[Any, str], Any],
) -> Decoded:
    """The readings of an uplink. `read` finds it in a document; `with_data` is the document with other bytes in it."""
    document: Any = None

    def items(found: Any) -> list[_Item]:
        nonlocal document
        document = found
        uplink = read(found)
        return [_Item(uplink, value) for value in milesight.values(uplink.data, _model(uplink, source.options))]

    def alone(item: _Item) -> Any:
        return with_data(document, base64.b64encode(item.value.raw).decode())

    return decode_items(payload, source, items, _fields, alone, make=reading_of)


def repetition_of(payload: bytes, read: Callable[[Any], Uplink]) -> tuple[str, datetime] | None:
    """What two messages of one uplink have in common, and when the network got it; None: it cannot be read."""
    try:
        uplink = read(json_document(payload))
        at = instant(uplink.at, "iso", UTC)
    except Unreadable:
        return None
    if at is None:
        return None
    return f"{uplink.device}|{uplink.session}|{uplink.counter}|{uplink.data.hex()}", at


def bytes_of(value: Any, field: str) -> bytes:
    """The bytes of base64; none for null and empty (proto3 leaves both out). Raises Unreadable bad_base64."""
    if value is None or value == "":
        return b""
    if not isinstance(value, str) or len(value) > _LONGEST_BASE64:
        raise Unreadable("bad_base64", f"{field} is {shown(value)}")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("bad_base64", f"{field} is {shown(value)}") from error


def table(value: Any, field: str) -> dict[str, Any]:
    """An object; empty when it is left out. Raises Unreadable bad_document."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable("bad_document", f"{field} is {shown(value)}, no object")
    return value


def _model(uplink: Uplink, options: Mapping[str, Any]) -> str | None:
    """Of this device, of the whole source, or as the network server's own names say."""
    models = options.get("models")
    configured = models.get(uplink.device) if isinstance(models, dict) else None
    said = (configured, options.get("model"), *uplink.models)
    return next((model for model in map(milesight.model_of, said) if model is not None), None)


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    one = item.value
    if isinstance(one, Unknown):
        raise Unreadable(one.reason, one.detail)
    at, clock = _when(item.uplink, one, source)
    is_tilted = "tilt" in one.flags
    return {
        "station": item.uplink.device,
        "element": one.element,
        "observed_at": at,
        "value": one.value,
        "quality": "missing" if one.value is None else "fail" if is_tilted else "unknown",
        "flags": words(*one.flags, clock),
    }


def _when(uplink: Uplink, one: Value, source: SourceContext) -> tuple[datetime, str | None]:
    """When it was measured; a network without a usable time leaves ours, flagged `clock`. Raises Unreadable."""
    if one.epoch_s is not None:  # the device's clock, and nothing else says when it was
        return observed_at(one.epoch_s, source, form="unix_s"), None
    at = instant(uplink.at, "iso", UTC)
    latest = source.received_at + timedelta(seconds=source.future_limit_s)
    if at is None or not EARLIEST <= at <= latest:
        return source.received_at, "clock"
    return at, None
