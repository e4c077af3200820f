"""SL 651 frames for tests, written with the encoder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.decoding import SourceContext
from connectors.water.sl651 import encode
from connectors.water.sl651.body import Group, Item
from connectors.water.sl651.frames import ETB, ETX, Encoding

STATION = "4403030011"
ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 24, 2, 0, 20, tzinfo=UTC)
CONTEXT = SourceContext(source="river", received_at=NOW, zone=ZONE)


def frame(function: int, body: bytes = b"", *, serial: int = 1, sent: str = "261124100005", **fields: Any) -> bytes:
    encoding: Encoding = fields.get("encoding", "hex")
    content = encode.content(serial, sent, body, encoding)
    return encode.frame(function=function, content=content, **({"station": STATION} | fields))


def level(value: float | None = 13.4, *, at: str = "2611241000", function: int = 0x32, **fields: Any) -> bytes:
    """A report of one level."""
    return frame(function, group(encode.element("39", value, 4, 3), at=at), **fields)


def group(*items: Item, at: str | None = "2611241000", station: str | None = STATION) -> bytes:
    return encode.group(Group(station, "H" if station else None, at, items))


def raw(code: str, data: str) -> Item:
    return Item(code, bytes.fromhex(data))


def packets(function: int, body: bytes, size: int, **fields: Any) -> list[bytes]:
    """The frames of a message of many packets."""
    content = encode.content(fields.pop("serial", 1), "261124100005", body)
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return [
        encode.frame(
            function=function,
            content=part,
            station=STATION,
            packets=len(parts),
            packet=number,
            end=ETX if number == len(parts) else ETB,
            **fields,
        )
        for number, part in enumerate(parts, 1)
    ]
