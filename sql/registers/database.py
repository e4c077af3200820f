"""How does a register lie in its tables? Read whole, written as planned; SQL is in queries/*registers.sql."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from schemas.registers import ParkingRegister
from schemas.water_registers import WaterRegister
from sql.connect import Connection
from sql.named import named
from sql.registers.plan import Hold, Plan
from sql.registers.tables import PARKING, Catalogue
from sql.registers.water_tables import WATER

QUERIES: Any = named("registers")
WATER_QUERIES: Any = named("water_registers")

_TUPLES = {"weekdays", "entrances"}
_JSON = {"geometry", "entrances", "thresholds"}


def read_database(connection: Connection) -> ParkingRegister:
    """All versions of everything of parking: see `_read`."""
    register: ParkingRegister = _read(connection, PARKING, QUERIES)
    return register


def read_water(connection: Connection) -> WaterRegister:
    """All versions of everything of water: see `_read`."""
    register: WaterRegister = _read(connection, WATER, WATER_QUERIES)
    return register


def _read(connection: Connection, catalogue: Catalogue, queries: Any) -> Any:
    """As of one snapshot when the connection is in a transaction of repeatable read.

    The version is read first: a change that comes between makes the next look at it differ, so it is read again.
    """
    version = int(QUERIES.version(connection, register=catalogue.name))
    tables: dict[str, tuple[Any, ...]] = {}
    for table in catalogue.tables:
        names = table.row_type.__struct_fields__
        tuples = [index for index, name in enumerate(names) if name in _TUPLES]
        rows = []
        for values in getattr(queries, table.name)(connection):
            cells = list(values)
            for index in tuples:
                cells[index] = tuple(cells[index])
            rows.append(table.row_type(**dict(zip(names, cells, strict=True))))
        tables[table.name] = tuple(rows)
    return catalogue.register_type(version=version, **tables)


def read_holds(connection: Connection, *, all_states: bool) -> list[Hold]:
    return [_hold(row) for row in QUERIES.holds(connection, all_states=all_states)]


def read_hold(connection: Connection, hold_id: int) -> Hold | None:
    """One hold, locked until the transaction ends."""
    row = QUERIES.hold(connection, hold_id=hold_id)
    return None if row is None else _hold(row)


def write(connection: Connection, plan: Plan, at: datetime, by: str) -> int | None:
    """Writes a plan in the caller's transaction; the new version of the register, None when it stays as it is."""
    _write_tables(connection, plan, PARKING, QUERIES)
    for hold_id in plan.outdated_holds:
        QUERIES.decide_hold(connection, hold_id=hold_id, state="rejected", at=at, by=f"{by}: a newer row")
    if plan.holds:
        QUERIES.insert_holds(
            connection, [{**msgspec.structs.asdict(hold), "row": Jsonb(hold.row), "at": at} for hold in plan.holds]
        )
    adopted = QUERIES.adopt_windows(connection) if plan.inserts.get("lot_sources") else 0
    return _bump(connection, PARKING) if plan.changes_register or adopted else None


def write_water(connection: Connection, plan: Plan) -> int | None:
    """The same for a plan of water."""
    _write_tables(connection, plan, WATER, WATER_QUERIES)
    return _bump(connection, WATER) if plan.changes_register else None


def lock_version(connection: Connection, catalogue: Catalogue) -> None:
    """No other load of this register until the transaction ends."""
    QUERIES.lock_version(connection, register=catalogue.name)


def _bump(connection: Connection, catalogue: Catalogue) -> int:
    return int(QUERIES.bump_version(connection, register=catalogue.name))


def _write_tables(connection: Connection, plan: Plan, catalogue: Catalogue, queries: Any) -> None:
    """Tables in their order, so that a row finds what it names; what goes, goes last and the other way round."""
    for close in plan.closes:
        table = catalogue.table(close.table)
        keys = {field: getattr(close.row, field) for field in (*table.key, "valid_from")}
        keys["version"] = getattr(close.row, "version", None)
        getattr(queries, f"close_{close.table}")(connection, [{**keys, "valid_to": close.valid_to}])
    for table in catalogue.tables:
        for verb, rows in (("upsert", plan.upserts.get(table.name)), ("insert", plan.inserts.get(table.name))):
            if rows:
                getattr(queries, f"{verb}_{table.name}")(connection, [_params(row) for row in rows])
    for table in reversed(catalogue.tables):
        if rows := plan.deletes.get(table.name):
            getattr(queries, f"delete_{table.name}")(connection, [_params(row) for row in rows])


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
