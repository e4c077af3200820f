"""Milesight's level sensors EM500-SWL, EM500-UDL and EM400-MUD: which values are in the bytes of an uplink?

Pieces of channel(1) type(1) data, little endian. 0175 battery %; 0377 depth cm; 0382 and 0482 distance mm; 0367
temperature 0.1 degree; 0500 position (0 upright, 1 tilted: the distance then means nothing); 8367, 8377, 8382 and 8482
the same value with an alarm byte (1: a threshold on the device was passed); 20CE a stored value with its own time,
whose fields depend on the model. FFxx says what device it is. After a piece that is not known, nothing can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from schemas.water import Element

Model = Literal["EM500-SWL", "EM500-UDL", "EM400-MUD"]
MODELS: tuple[Model, ...] = ("EM500-SWL", "EM500-UDL", "EM400-MUD")


class Value(msgspec.Struct, frozen=True):
    """One quantity that the device measured; null with `flags` saying why when it could not."""

    element: Element
    value: float | None
    raw: bytes  # the piece that it stood in
    flags: tuple[str, ...] = ()
    epoch_s: int | None = None  # of a stored value: when it was measured, by the device's clock


class Unknown(msgspec.Struct, frozen=True):
    """From here on nothing can be read; `reason` is a word to count by."""

    raw: bytes
    reason: str
    detail: str


_Read = Callable[[bytes], tuple[Element, float | None, tuple[str, ...]]]


def _battery(data: bytes) -> tuple[Element, float | None, tuple[str, ...]]:
    return "battery_pct", float(data[0]) if data[0] <= 100 else None, ()


def _depth(data: bytes) -> tuple[Element, float | None, tuple[str, ...]]:
    number, flags = _u16(data)
    return "depth_m", None if number is None else number / 100, flags


def _distance(data: bytes) -> tuple[Element, float | None, tuple[str, ...]]:
    number, flags = _u16(data)
    return "distance_m", None if number is None else number / 1000, flags


def _temperature(data: bytes) -> tuple[Element, float | None, tuple[str, ...]]:
    return "temperature_c", int.from_bytes(data[:2], "little", signed=True) / 10, ()


def _u16(data: bytes) -> tuple[int | None, tuple[str, ...]]:
    """FFFF: the sensor failed. FFFD: out of its range."""
    number = int.from_bytes(data[:2], "little")
    if number >= 0xFFFD:
        return None, ("out_of_range" if number == 0xFFFD else "sensor_fault",)
    return number, ()


_VALUES: Mapping[bytes, tuple[int, _Read]] = {
    b"\x01\x75": (1, _battery),
    b"\x03\x67": (2, _temperature),
    b"\x03\x77": (2, _depth),
    b"\x03\x82": (2, _distance),
    b"\x04\x82": (2, _distance),
    b"\x83\x67": (3, _temperature),
    b"\x83\x77": (3, _depth),
    b"\x83\x82": (3, _distance),
    b"\x84\x82": (3, _distance),
}
_SILENT: Mapping[bytes, int] = {  # what the device says of itself, and where it is
    b"\xff\x01": 1, b"\xff\x09": 2, b"\xff\x0a": 2, b"\xff\x0b": 1, b"\xff\x0f": 1, b"\xff\x16": 8, b"\xff\x18": 1,
    b"\xff\xff": 2, b"\xff\xfe": 1, b"\x06\x88": 9,
}  # fmt: skip
_POSITION = b"\x05\x00"
_STORED = b"\x20\xce"
_STORED_FIELDS: Mapping[str, tuple[_Read, ...]] = {
    "EM500-SWL": (_depth,),
    "EM500-UDL": (_distance,),
    "EM400-MUD": (_temperature, _distance),
}


def values(data: bytes, model: str | None = None) -> list[Value | Unknown]:
    """The quantities of an uplink, in order. A tilted device's distance is flagged `tilt`."""
    found: list[Value | Unknown] = []
    at = 0
    tilted = False
    while at < len(data):
        head, rest = data[at : at + 2], data[at + 2 :]
        if head in _VALUES:
            size, read = _VALUES[head]
            piece = data[at : at + 2 + size]
            if len(rest) < size:
                found.append(Unknown(piece, "truncated", f"channel {head.hex()} lacks {size - len(rest)} bytes"))
                break
            element, value, flags = read(piece[2:])
            found.append(Value(element, value, piece, flags + (_alarm(piece[4]) if size == 3 else ())))
            at += 2 + size
        elif head == _STORED:
            size = _stored(rest, model, found)
            if not size:
                break
            at += 2 + size
        elif head == _POSITION and rest:
            tilted = tilted or rest[0] != 0
            at += 3
        elif head in _SILENT and len(rest) >= _SILENT[head]:
            at += 2 + _SILENT[head]
        else:
            found.append(Unknown(data[at:], "unknown_channel", f"channel {head.hex()} is not known, or cut short"))
            break
    return [_tilted(one) for one in found] if tilted else found


def model_of(text: object) -> Model | None:
    """The model that a name or tag speaks of, if it is one of ours."""
    if not isinstance(text, str):
        return None
    return next((model for model in MODELS if model in text.upper()), None)


def _stored(rest: bytes, model: str | None, found: list[Value | Unknown]) -> int:
    """The values of one stored record behind its head; how many bytes it has, 0 when it cannot be read."""
    fields = _STORED_FIELDS.get(model or "")
    raw = _STORED + rest
    if fields is None:
        detail = "which fields a stored record has depends on the model: options.model, options.models or a tag say it"
        found.append(Unknown(raw, "unknown_model", detail))
        return 0
    if len(fields) == 2 and (len(rest) == 6 or rest[6:8] == _STORED):  # firmware that stores the distance alone
        fields = fields[1:]
    size = 4 + 2 * len(fields)
    if len(rest) < size:
        found.append(Unknown(raw, "truncated", f"a stored record lacks {size - len(rest)} bytes"))
        return 0
    epoch_s = int.from_bytes(rest[:4], "little")
    for number, read in enumerate(fields):
        element, value, flags = read(rest[4 + 2 * number : 6 + 2 * number])
        found.append(Value(element, value, raw[: 2 + size], ("backfill", *flags), epoch_s))
    return size


def _alarm(byte: int) -> tuple[str, ...]:
    return ("threshold",) if byte == 1 else ("threshold_released",) if byte == 0 else (f"alarm_{byte}",)


def _tilted(one: Value | Unknown) -> Value | Unknown:
    if isinstance(one, Value) and one.element == "distance_m" and one.epoch_s is None:
        return msgspec.structs.replace(one, flags=("tilt", *one.flags))
    return one
