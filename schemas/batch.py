"""What is one Kafka record? A batch of rows of one schema, as JSON: an array of rows, or a table of columns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from schemas import alerts, columns, parking, water
from schemas.alerts import AlertAcknowledged
from schemas.columns import ColumnsError, decode_columns, encode_cells, join_cells
from schemas.fields import check_text
from schemas.parking import Observation
from schemas.registers import ShareWindowChange
from schemas.source import Health, Reject, Tick
from schemas.water import StationReading, StationTest, WaterReadings

Row = Observation | ShareWindowChange | StationReading | StationTest | Health | Reject | AlertAcknowledged | Tick

ROW_TYPES: dict[str, type[Any]] = {
    "parking.observation.v1": Observation,
    "parking.share_window.v1": ShareWindowChange,
    columns.SCHEMA: StationReading,  # a table in the record: WaterReadings
    "water.test.v1": StationTest,
    "source.health.v1": Health,
    "reject.v1": Reject,
    alerts.ACKNOWLEDGED: AlertAcknowledged,
    "tick.v1": Tick,
}
SCHEMA_OF: dict[type[Any], str] = {row_type: schema for schema, row_type in ROW_TYPES.items()}


class _Envelope(msgspec.Struct, frozen=True):
    schema: str
    rows: msgspec.Raw


class BadRow(msgspec.Struct, frozen=True):
    """A row of a readable batch that breaks its contract; `index` is its place in the batch."""

    index: int
    raw: bytes
    detail: str


class DecodedBatch(msgspec.Struct, frozen=True):
    """The good rows, as a list or as the columns that they travelled in; both have a length. And the bad ones."""

    schema: str
    rows: Any  # list[Row] | WaterReadings
    bad: list[BadRow]

    def each(self) -> list[Any]:
        """The good rows one by one, whatever they travelled in."""
        return self.rows.rows() if isinstance(self.rows, WaterReadings) else list(self.rows)

    def newest(self) -> datetime:
        """The newest received_at of the good rows. There must be one."""
        at: datetime = self.rows.newest() if isinstance(self.rows, WaterReadings) else _newest(self.rows)
        return at

    def places(self) -> list[int]:
        """The place in the record of each good row: the bad ones in between are counted."""
        bad = {row.index for row in self.bad}
        return [index for index in range(len(self.rows) + len(bad)) if index not in bad]

    def without(self, excluded: Collection[int]) -> DecodedBatch:
        """This batch without the good rows that stand at these places of the record."""
        kept = [number for number, place in enumerate(self.places()) if place not in excluded]
        if isinstance(self.rows, WaterReadings):
            return msgspec.structs.replace(self, rows=self.rows.at_places(kept))
        return msgspec.structs.replace(self, rows=[self.rows[number] for number in kept])


class BatchError(ValueError):
    """The record is not a batch at all, or of a schema that this release does not know."""


_encoder = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(_Envelope)
_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])
_lists = {schema: msgspec.json.Decoder(list[row_type]) for schema, row_type in ROW_TYPES.items()}  # type: ignore[valid-type]
_singles = {schema: msgspec.json.Decoder(row_type) for schema, row_type in ROW_TYPES.items()}


def check(row: Row) -> None:
    """Raise ValueError when a row breaks the part of its contract that types cannot say."""
    check_text(row)
    if isinstance(row, Observation):
        parking.check(row)
    elif isinstance(row, StationReading):
        water.check(row)
    elif isinstance(row, StationTest):
        water.check_test(row)


def encode_row(row: Row) -> bytes:
    return encode_cells(row) if isinstance(row, StationReading) else _encoder.encode(row)


def join(schema: str, encoded_rows: list[bytes]) -> bytes:
    """The record of rows that are encoded already: the publisher knows their sizes before it sends."""
    if schema == columns.SCHEMA:
        return b'{"schema":"' + schema.encode() + b'","rows":' + join_cells(encoded_rows) + b"}"
    return b'{"schema":"' + schema.encode() + b'","rows":[' + b",".join(encoded_rows) + b"]}"


def encode(schema: str, rows: list[Any]) -> bytes:
    return join(schema, [encode_row(row) for row in rows])


def decode(record: bytes) -> DecodedBatch:
    """The rows of a record; a bad row lies beside its good neighbours.

    Raises BatchError when the record is no batch.
    """
    try:
        envelope = _envelope.decode(record)
    except msgspec.MsgspecError as error:
        raise BatchError(str(error)) from error
    schema = envelope.schema
    if schema not in _lists:
        raise BatchError(f"unknown schema {schema[:64]!r}")
    if schema == columns.SCHEMA:
        return _columns(schema, envelope.rows)
    try:
        rows = _lists[schema].decode(envelope.rows)
    except msgspec.MsgspecError:
        return _one_by_one(schema, envelope.rows)
    # A control character can only stand in JSON behind a backslash, or as a bare DEL: most records have neither.
    raw = bytes(envelope.rows)
    has_control = b"\\" in raw or b"\x7f" in raw
    if has_control or (rows and isinstance(rows[0], Observation) and not parking.are_sound(rows)):
        return _one_by_one(schema, envelope.rows)
    return DecodedBatch(schema, rows, [])


def _columns(schema: str, raw: msgspec.Raw) -> DecodedBatch:
    try:
        table, bad = decode_columns(raw)
    except ColumnsError as error:
        raise BatchError(str(error)) from error
    return DecodedBatch(schema, table, [BadRow(*one) for one in bad])


def _newest(rows: list[Any]) -> datetime:
    at: datetime = max(row.received_at for row in rows)
    return at


def _one_by_one(schema: str, raw: msgspec.Raw) -> DecodedBatch:
    try:
        items = _raw_rows.decode(raw)
    except msgspec.MsgspecError as error:
        raise BatchError(str(error)) from error
    rows: list[Any] = []
    bad: list[BadRow] = []
    decoder = _singles[schema]
    for index, item in enumerate(items):
        try:
            row = decoder.decode(item)
            check(row)
            rows.append(row)
        except (msgspec.MsgspecError, ValueError) as error:
            bad.append(BadRow(index, bytes(item), str(error)))
    return DecodedBatch(schema, rows, bad)
