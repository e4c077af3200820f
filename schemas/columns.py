"""How do the readings of one record become columns of equal length, and readings again? For the contract with a rate.

Encoded for the line, a reading is its cells, one JSON value a line: a line break cannot stand in JSON, so the publisher
knows the size of a reading before it sends, and a record is made by turning cells around, without reading them again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas import water
from schemas.fields import check_text
from schemas.water import StationReading, WaterReadings, columns_of

SCHEMA = "water.readings.v1"
NAMES = WaterReadings.__struct_fields__
LATER = ("code",)  # columns that the first records did not have

_encoder = msgspec.json.Encoder()
_table = msgspec.json.Decoder(WaterReadings)
_cells = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
_reading = msgspec.json.Decoder(StationReading)
_words = msgspec.json.Decoder(str)


class ColumnsError(ValueError):
    """The columns are no table: one is missing, or they differ in length."""


def encode_cells(reading: StationReading) -> bytes:
    return _encoder.encode_lines(
        (
            reading.source,
            reading.station,
            reading.element,
            reading.observed_at,
            reading.received_at,
            reading.value,
            reading.quality,
            ",".join(reading.flags) or None,
            reading.raw_ref,
            reading.code,
        )
    )


def join_cells(readings: list[bytes]) -> bytes:
    """The table of readings that are encoded already."""
    turned = zip(*(cells.split(b"\n") for cells in readings), strict=True) if readings else ((),) * len(NAMES)
    columns = (b'"%s":[%s]' % (name.encode(), b",".join(column)) for name, column in zip(NAMES, turned, strict=False))
    return b"{" + b",".join(columns) + b"}"


def decode_columns(raw: msgspec.Raw) -> tuple[WaterReadings, list[tuple[int, bytes, str]]]:
    """The good places as a table, and of each bad place its number, the reading as a row, and what is wrong.

    Raises ColumnsError.
    """
    data = bytes(raw)
    if b"\\" not in data and b"\x7f" not in data:  # a control character stands in JSON in no other way
        try:
            table = _table.decode(raw)
        except msgspec.MsgspecError:
            return _place_by_place(raw)
        if not table.faults():
            return table, []
    return _place_by_place(raw)


def _place_by_place(raw: msgspec.Raw) -> tuple[WaterReadings, list[tuple[int, bytes, str]]]:
    try:
        columns = _cells.decode(raw)
    except msgspec.MsgspecError as error:
        raise ColumnsError(str(error)) from error
    known = {name: columns[name] for name in NAMES if name in columns}
    missing = [name for name in NAMES if name not in known and name not in LATER]
    if missing:
        raise ColumnsError(f"no column {', '.join(missing)}")
    lengths = {len(column) for column in known.values()}
    if len(lengths) != 1:
        raise ColumnsError(f"columns of {sorted(lengths)} places")
    good: list[StationReading] = []
    bad: list[tuple[int, bytes, str]] = []
    for place in range(lengths.pop()):
        row = _encoder.encode(_row({name: column[place] for name, column in known.items()}))
        try:
            reading = _reading.decode(row)
            check_text(reading)
            water.check(reading)
            good.append(reading)
        except (msgspec.MsgspecError, ValueError) as error:
            bad.append((place, row, str(error)))
    return columns_of(good), bad


def _row(cells: dict[str, Any]) -> dict[str, Any]:
    """The cells of one place under the names of a reading, whose flags are an array."""
    try:
        flags: Any = tuple(_words.decode(cells["flags"]).split(","))
    except msgspec.MsgspecError:
        flags = () if bytes(cells["flags"]) == b"null" else cells["flags"]
    return {**cells, "flags": flags}
