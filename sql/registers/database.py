"""How does a ParkingRegister lie in its tables? Read whole, written as planned; SQL is in queries/registers.sql."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import aiosql
import msgspec
from psycopg.types.json import Jsonb

from schemas.registers import ParkingRegister
from sql.connect import Connection
from sql.registers.plan import Hold, Plan
from sql.registers.tables import BY_NAME, TABLES

QUERIES: Any = aiosql.from_path(
    Path(__file__).parent.parent / "queries" / "registers.sql", "psycopg", mandatory_parameters=False
)

_TUPLES = {"weekdays", "entrances"}
_JSON = {"geometry", "entrances", "thresholds"}


def read_database(connection: Connection) -> ParkingRegister:
    """All versions of everything, as of one snapshot when the connection is in a transaction of repeatable read.

    The version is read first: a change that comes between makes the next look at it differ, so it is read again.
    """
    version = int(QUERIES.version(connection))
    tables: dict[str, tuple[Any, ...]] = {}
    for table in TABLES:
        names = table.row_type.__struct_fields__
        tuples = [index for index, name in enumerate(names) if name in _TUPLES]
        rows = []
        for values in getattr(QUERIES, table.name)(connection):
            cells = list(values)
            for index in tuples:
                cells[index] = tuple(cells[index])
            rows.append(table.row_type(**dict(zip(names, cells, strict=True))))
        tables[table.name] = tuple(rows)
    return ParkingRegister(version=version, **tables)


def read_holds(connection: Connection, *, all_states: bool) -> list[Hold]:
    return [_hold(row) for row in QUERIES.holds(connection, all_states=all_states)]


def read_hold(connection: Connection, hold_id: int) -> Hold | None:
    """One hold, locked until the transaction ends."""
    row = QUERIES.hold(connection, hold_id=hold_id)
    return None if row is None else _hold(row)


def write(connection: Connection, plan: Plan, at: datetime, by: str) -> int | None:
    """Writes a plan in the caller's transaction; the new version of the register, None when it stays as it is."""
    for name, rows in plan.upserts.items():
        if rows:
            getattr(QUERIES, f"upsert_{name}")(connection, [_params(row) for row in rows])
    for close in plan.closes:
        table = BY_NAME[close.table]
        keys = {field: getattr(close.row, field) for field in (*table.key, "valid_from")}
        keys["version"] = getattr(close.row, "version", None)
        getattr(QUERIES, f"close_{close.table}")(connection, [{**keys, "valid_to": close.valid_to}])
    for name, rows in plan.inserts.items():
        if rows:
            getattr(QUERIES, f"insert_{name}")(connection, [_params(row) for row in rows])
    for hold_id in plan.outdated_holds:
        QUERIES.decide_hold(connection, hold_id=hold_id, state="rejected", at=at, by=f"{by}: a newer row")
    if plan.holds:
        QUERIES.insert_holds(
            connection, [{**msgspec.structs.asdict(hold), "row": Jsonb(hold.row), "at": at} for hold in plan.holds]
        )
    adopted = QUERIES.adopt_windows(connection) if plan.inserts.get("lot_sources") else 0
    return int(QUERIES.bump_version(connection)) if plan.changes_register or adopted else None


def _params(row: Any) -> dict[str, Any]:
    params = msgspec.structs.asdict(row)
    for name in params.keys() & _JSON:
        params[name] = Jsonb(list(params[name]) if name == "entrances" else params[name])
    if "weekdays" in params:
        params["weekdays"] = list(params["weekdays"])
    return params


def _hold(row: tuple[Any, ...]) -> Hold:
    names = ("hold_id", "lot_id", "pool", "capacity_old", "capacity_new", "reason", "state", "row", "at")
    return Hold(**dict(zip(names, row, strict=True)))
