"""What would these HJ 212 packets become? The bytes of a connection, or packets one a line."""

from __future__ import annotations

import re

from connectors.decoding import Decoded, SourceContext, reject
from connectors.water.hj212.connection import Connection, Event, Message, Refused
from connectors.water.hj212.readings import decoded
from connectors.water.scanner import Rubbish
from schemas.batch import Row
from schemas.source import Reject

_LINE_END = re.compile(rb"\r?\n")  # editors leave the CR out


def decode(payload: bytes, source: SourceContext) -> Decoded:
    """A heartbeat, an answer or a question is no item."""
    connection = Connection()
    rows: list[Row] = []
    rejects: list[Reject] = []
    lines = _LINE_END.sub(b"\r\n", payload.rstrip(b"\r\n") + b"\n")
    for event in [*connection.receive(lines), *connection.close()]:
        if isinstance(event, Rubbish) and not event.data.strip():
            continue
        one = outcome(event, source)
        rows += one.rows
        rejects += one.rejects
    if len(rows) + len(rejects) > source.rows_limit:
        detail = f"{len(rows) + len(rejects)} items, at most {source.rows_limit} are allowed"
        return Decoded(rows=[], rejects=[reject(source, payload, "too_many_rows", detail)])
    return Decoded(rows=rows, rejects=rejects)


def outcome(event: Event, source: SourceContext) -> Decoded:
    """The rows and rejects of one event of a connection."""
    if isinstance(event, Message):
        return decoded(event, source)
    if isinstance(event, Rubbish):
        detail = f"{len(event.data)} bytes that are no packet"
        return Decoded(rows=[], rejects=[reject(source, event.data, event.reason, detail)])
    if isinstance(event, Refused):
        detail = f"station {event.packet.station[:128]}"
        return Decoded(rows=[], rejects=[reject(source, event.packet.data, event.reason, detail)])
    first = event.packets[0]
    detail = f"{len(event.packets)} of {first.packets} packets of station {first.station[:128]}"
    raw = b"".join(packet.data for packet in event.packets)
    return Decoded(rows=[], rejects=[reject(source, raw, event.reason, detail)])
