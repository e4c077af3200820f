"""Which files make a register, what does each row become, and by what is a row known again?"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from schemas.registers import (
    CalendarDay,
    Lot,
    LotSource,
    Operator,
    ParkingRegister,
    Pool,
    Price,
    ShareWindow,
    SourceTerms,
    Subdistrict,
)


class RowProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a row was refused. `line` is the line of the file as an editor counts it; 0 is the file itself."""

    file: str
    line: int
    field: str
    value: str
    problem: str
    advice: str


@cache
def _fields_of(row_type: Any) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(row_type)}


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of a register: `name` is its field in the register's type."""

    name: str
    row_type: Any
    key: tuple[str, ...]
    versioned: bool = True  # has valid_from and valid_to: a change is a new row, and history stays
    replaced: bool = False  # its file says all there is: what is not in it any more goes
    needs: dict[str, str] = {}  # field -> the table that must know its value
    not_given: tuple[str, ...] = ("version", "received_at", "crs_given")  # fields that are no columns
    file_name: str = ""  # empty: <name>.csv

    @property
    def file(self) -> str:
        return self.file_name or f"{self.name}.csv"

    @property
    def fields(self) -> dict[str, msgspec.structs.FieldInfo]:
        return _fields_of(self.row_type)

    @property
    def columns(self) -> dict[str, Any]:
        """The types of the columns; the needed ones are the required fields but valid_from."""
        found = {name: field.type for name, field in self.fields.items() if name not in self.not_given}
        return {**found, "crs": str} if "lat" in found else found

    def rows(self, register: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = getattr(register, self.name)
        return found

    def key_of(self, row: Any) -> tuple[Any, ...]:
        return tuple(getattr(row, field) for field in self.key)


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """One register: its name in register_version, its type, and its tables in the order in which they are read and
    written: a row may name only what stands above it."""

    name: str
    register_type: Any
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


TABLES = (
    Table(name="subdistricts", row_type=Subdistrict, key=("code",), versioned=False),
    Table(name="operators", row_type=Operator, key=("operator_id",), versioned=False),
    Table(name="source_terms", row_type=SourceTerms, key=("source",), versioned=False),
    Table(name="calendar", row_type=CalendarDay, key=("day",), versioned=False),
    Table(
        name="lots",
        row_type=Lot,
        key=("lot_id",),
        needs={"subdistrict_code": "subdistricts", "operator_id": "operators"},
    ),
    Table(name="lot_sources", row_type=LotSource, key=("source", "ref"), needs={"lot_id": "lots"}),
    Table(name="pools", row_type=Pool, key=("lot_id", "pool"), needs={"lot_id": "lots"}),
    Table(name="prices", row_type=Price, key=("lot_id", "line"), needs={"lot_id": "lots"}),
    Table(
        name="share_windows",
        row_type=ShareWindow,
        key=("window_id",),
        needs={"lot_id": "lots"},
        not_given=("version", "received_at", "source", "ref"),  # of windows that come by message
    ),
)
BY_NAME = {table.name: table for table in TABLES}
PARKING = Catalogue(name="parking", register_type=ParkingRegister, tables=TABLES)
SUBDISTRICTS_GEOJSON = "subdistricts.geojson"

_NOT_CONTENT = {"version", "valid_from", "valid_to", "received_at"}


def content(row: Any) -> dict[str, Any]:
    """What a row says, without when it says so: two versions with equal content are one."""
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name not in _NOT_CONTENT}


def in_force(versions: list[Any], at: datetime) -> Any | None:
    """The version that holds at a time, if any; of two (rows of one load, not closed yet) the later one."""
    holding = [row for row in versions if row.valid_from <= at and (row.valid_to is None or at < row.valid_to)]
    return max(holding, key=lambda row: row.valid_from, default=None)
