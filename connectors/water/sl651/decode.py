"""What would these SL 651 frames become? Hex text with one frame a line, or the bytes of a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.decoding import Decoded, SourceContext, reject
from connectors.water.scanner import Rubbish
from connectors.water.sl651.connection import Connection, Event, Refused
from connectors.water.sl651.packets import GivenUp, Message
from connectors.water.sl651.reports import decoded
from connectors.water.stations import NONE_KNOWN, StationFacts, Stations
from schemas.batch import Row
from schemas.source import Reject

_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]*")  # a frame has bytes that no text has


def decode(payload: bytes, source: SourceContext) -> Decoded:
    """A heartbeat or an answer without readings is no item. Every station is believed.

    Option `stations.<id>.reference_value_m` is the register's: relative levels become levels with it.
    """
    connection = Connection()
    stations = _stations(source.options)
    rows: list[Row] = []
    rejects: list[Reject] = []

    def take(events: list[Event]) -> None:
        for event in events:
            one = outcome(event, source, stations)
            rows.extend(one.rows)
            rejects.extend(one.rejects)

    if not _TEXT.fullmatch(payload):
        take(connection.receive(payload))
    else:
        for line in payload.split():
            try:
                data = bytes.fromhex(line.decode("ascii"))
            except ValueError as error:
                rejects.append(reject(source, line, "not_hex", str(error)))
                continue
            take(connection.receive(data))
            take(connection.cut())
    take(connection.close())
    if len(rows) + len(rejects) > source.rows_limit:
        detail = f"{len(rows) + len(rejects)} items, at most {source.rows_limit} are allowed"
        return Decoded(rows=[], rejects=[reject(source, payload, "too_many_rows", detail)])
    return Decoded(rows=rows, rejects=rejects)


def outcome(event: Event, source: SourceContext, stations: Stations = NONE_KNOWN) -> Decoded:
    """The rows and rejects of one event of a connection. Missing packets are asked for, not rejected."""
    if isinstance(event, Message):
        return decoded(event, source, stations)
    if isinstance(event, Rubbish):
        detail = f"{len(event.data)} bytes that are no frame"
        return Decoded(rows=[], rejects=[reject(source, event.data.hex().upper(), event.reason, detail)])
    if isinstance(event, Refused):
        detail = f"station {event.frame.station}, centre {event.frame.centre}"
        return Decoded(rows=[], rejects=[reject(source, event.frame.text, event.reason, detail)])
    if isinstance(event, GivenUp):
        first = event.frames[0]
        detail = f"{len(event.frames)} of {first.packets} packets of station {first.station}"
        raw = "\n".join(frame.text for frame in event.frames)
        return Decoded(rows=[], rejects=[reject(source, raw, event.reason, detail)])
    return Decoded(rows=[], rejects=[])


def _stations(options: Mapping[str, Any]) -> Stations:
    told = options.get("stations")
    return {
        station: StationFacts(reference_value_m=float(facts["reference_value_m"]), speaks_for=None)
        for station, facts in (told.items() if isinstance(told, dict) else ())
        if isinstance(facts, dict) and isinstance(facts.get("reference_value_m"), (int, float))
    }
