"""Which readings are in the registers of a Modbus station? The register map is configuration, per station.

The payload is what `transports/modbus_poll.py` read, one document a poll of one station:
    {"station": "pump-3", "read": [{"element": "level_m", "at": 2, "words": [0, 1234]}]}
`options.stations` has the map: station, unit, and per register element, address, words (1, 2 or 4), order (big: high
word first; little), scale, offset, signed, is_float, kind (holding or input), none (raw values that mean none).
Word order, sign and scale are per device, and nothing in the data tells them.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import Misfit, array, decode_items
from connectors.water.readings import LARGEST, reading_of
from schemas.water import Element

Word16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    element: Element
    address: Word16
    words: Literal[1, 2, 4] = 1
    order: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0
    signed: bool = False
    is_float: bool = False
    kind: Literal["holding", "input"] = "holding"
    none: tuple[int, ...] = ()


class StationMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    station: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    registers: Annotated[tuple[Register, ...], msgspec.Meta(min_length=1, max_length=256)]


class Maps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of a Modbus source."""

    stations: Annotated[tuple[StationMap, ...], msgspec.Meta(min_length=1)]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0


class _Read(msgspec.Struct, frozen=True):
    element: str
    at: Word16
    words: Annotated[list[Word16], msgspec.Meta(min_length=1, max_length=4)]


_Item = tuple[StationMap, Any]


def maps_of(options: Any) -> Maps:
    """The register maps of a source. Raises msgspec.ValidationError."""
    return msgspec.convert(options, Maps)


def address_of(url: str) -> tuple[str, int]:
    """Host and port of modbus://. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "modbus" or not parts.hostname:
        raise ValueError("must be modbus://host:502")
    return parts.hostname, parts.port or 502


def decode(payload: bytes, source: SourceContext) -> Decoded:
    def items(document: Any) -> list[_Item | Misfit]:
        read = array(document, "read")
        try:
            found = {one.station: one for one in maps_of(source.options).stations}
        except msgspec.ValidationError as error:
            raise Unreadable("bad_map", f"options: {error}") from error
        station = document.get("station")
        if not isinstance(station, str) or station not in found:
            raise Unreadable("unknown_station", f"{shown(station)} has no register map")
        return [(found[station], one) for one in read]

    return decode_items(payload, source, items, _fields, _alone, make=reading_of)


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    station, raw = item
    try:
        read = msgspec.convert(raw, _Read)
    except msgspec.ValidationError as error:
        raise Unreadable("bad_item", str(error)) from error
    register = next((r for r in station.registers if (r.element, r.address) == (read.element, read.at)), None)
    if register is None:
        raise Unreadable("unknown_register", f"no {shown(read.element)} at {read.at} in the map of {station.station}")
    if len(read.words) != register.words:
        raise Unreadable("bad_item", f"{len(read.words)} words, the map has {register.words}")
    value = number_of(read.words, register)
    return {
        "station": station.station,
        "element": register.element,
        "observed_at": source.received_at,
        "value": value,
        "quality": "missing" if value is None else "unknown",
    }


def number_of(words: list[int], register: Register) -> float | None:
    """The value of these words; None for a raw value that means that there is none. Raises Unreadable bad_number."""
    ordered = words if register.order == "big" else words[::-1]
    data = b"".join(word.to_bytes(2, "big") for word in ordered)
    raw = int.from_bytes(data, "big", signed=register.signed)
    if raw in register.none:
        return None
    if register.is_float and register.words > 1:
        (number,) = struct.unpack(">f" if register.words == 2 else ">d", data)
        if math.isnan(number):
            return None
        exact = Decimal(repr(number)) if math.isfinite(number) else LARGEST
    else:
        exact = Decimal(raw)
    exact = exact * Decimal(repr(register.scale)) + Decimal(repr(register.offset))
    if abs(exact) >= LARGEST:
        raise Unreadable("bad_number", f"{data.hex()} is larger than any reading")
    return float(exact)


def _alone(item: _Item) -> Any:
    station, raw = item
    return {"station": station.station, "read": [raw]}
