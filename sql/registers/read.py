"""Which rows of a directory of CSV files make the parking register, and what is wrong with the others? No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from schemas.fields import EARLIEST
from schemas.registers import ParkingRegister
from sql.registers.places import Box
from sql.registers.rows import CheckRow, Known, Refused, no_check, read_tables, strangers
from sql.registers.tables import PARKING, RowProblem, Table
from sql.registers.water_tables import WATER

SHANGHAI = ZoneInfo("Asia/Shanghai")


def read_register(
    files: Mapping[str, bytes],
    *,
    at: datetime = EARLIEST,
    zone: ZoneInfo = SHANGHAI,
    box: Box | None = None,
    known: ParkingRegister | None = None,
) -> tuple[ParkingRegister, list[RowProblem]]:
    """The good rows of files by name, and a problem for each field that refuses a row.

    at     the valid_from of rows that give none: the time of the load; without a database, always
    box    a lot outside it is refused
    known  what the database has: rows may name its lots, and must not rewrite its history
    """
    base = known or ParkingRegister()
    problems = strangers(files, (PARKING, WATER))
    rows = read_tables(PARKING, files, base, problems, at=at, zone=zone, box=box, check_of=_check_of)
    return ParkingRegister(version=base.version, **rows), problems


def _check_of(table: Table, known: Known) -> CheckRow:
    if table.name != "share_windows":
        return no_check(table, known)
    entrances = _entrances(known.rows("lots"))

    def check(row: Any, versions: list[Any]) -> None:
        _check_window(row, entrances, versions)

    return check


def _entrances(lots: Iterable[Any]) -> dict[str, set[Any]]:
    found: dict[str, set[Any]] = {}
    for lot in lots:
        found.setdefault(lot.lot_id, set()).update(entrance.get("entrance_id") for entrance in lot.entrances)
    return found


def _check_window(row: Any, entrances: dict[str, set[Any]], versions: list[Any]) -> None:
    if any(version.source != "register" for version in versions):
        raise Refused(("window_id", f"belongs to source {versions[0].source!r}", "choose another window_id"))
    if row.entrance_id is not None and row.entrance_id not in entrances.get(row.lot_id, ()):
        raise Refused(("entrance_id", f"{row.entrance_id!r} is no entrance of {row.lot_id}", "see lots.csv entrances"))
