"""How does a register that was read come into the database, and who decides about capacities that look wrong?

Promise: a load is one transaction; loading the same again changes nothing; no version is ever edited but for its end.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from schemas.registers import ParkingRegister
from schemas.settings import Parking
from schemas.water_registers import WaterRegister
from sql.connect import Connection
from sql.registers.database import (
    QUERIES,
    WATER_QUERIES,
    lock_version,
    read_database,
    read_hold,
    read_holds,
    read_water,
    write,
    write_water,
)
from sql.registers.plan import Hold, Plan, confirmed, plan_load, plan_whole
from sql.registers.tables import PARKING
from sql.registers.water_tables import WATER


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    plan: Plan
    version: int | None  # None: nothing changed


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    hold_id: int
    done: bool
    detail: str


def load(
    connection: Connection,
    register: ParkingRegister,
    *,
    at: datetime,
    limits: Parking,
    by: str = "register load",
    dry_run: bool = False,
) -> Loaded:
    """Writes what differs from the database. Rows whose valid_from is `at` hold from now on."""
    with connection.transaction():
        lock_version(connection, PARKING)
        plan = plan_load(read_database(connection), register, read_holds(connection, all_states=True), at, limits)
        return Loaded(plan=plan, version=None if dry_run else write(connection, plan, at, by))


def load_water(
    connection: Connection, register: WaterRegister, *, whole: Collection[str] = (), dry_run: bool = False
) -> Loaded:
    """Writes what differs from the database. `whole`: tables of which the register has every row that is true."""
    with connection.transaction():
        lock_version(connection, WATER)
        plan = plan_whole(WATER, read_water(connection), register, whole)
        return Loaded(plan=plan, version=None if dry_run else write_water(connection, plan))


def decide(connection: Connection, hold_ids: list[int], *, confirm: bool, at: datetime, by: str) -> list[Decision]:
    """Confirms or rejects held capacities. A confirmed one becomes a version from `at`; a rejected one may be confirmed
    later while the register still has the capacity that it was compared with."""
    return [_decide(connection, hold_id, confirm=confirm, at=at, by=by) for hold_id in hold_ids]


def unregistered(connection: Connection) -> list[tuple[Any, ...]]:
    """(source, ref, pool, first_seen, newest observation's time, free, capacity) of series that no lot claims."""
    return list(QUERIES.unregistered(connection))


def unregistered_water(connection: Connection) -> list[tuple[Any, ...]]:
    """(source, station, element, first_seen, newest reading's time, value) of series whose station is unknown."""
    return list(WATER_QUERIES.unregistered(connection))


def _decide(connection: Connection, hold_id: int, *, confirm: bool, at: datetime, by: str) -> Decision:
    with connection.transaction():
        lock_version(connection, PARKING)
        hold = read_hold(connection, hold_id)
        if hold is None:
            return Decision(hold_id=hold_id, done=False, detail="there is no such hold")
        if hold.state == "confirmed" or (hold.state == "rejected" and not confirm):
            return Decision(hold_id=hold_id, done=False, detail=f"was {hold.state} before")
        if not confirm:
            QUERIES.decide_hold(connection, hold_id=hold_id, state="rejected", at=at, by=by)
            return Decision(hold_id=hold_id, done=True, detail=f"{_what(hold)} stays {hold.capacity_old}")
        plan = confirmed(read_database(connection), hold, at)
        if plan is None:
            detail = f"{_what(hold)} is no longer {hold.capacity_old}: load the register again"
            return Decision(hold_id=hold_id, done=False, detail=detail)
        write(connection, plan, at, by)
        QUERIES.decide_hold(connection, hold_id=hold_id, state="confirmed", at=at, by=by)
        return Decision(hold_id=hold_id, done=True, detail=f"{_what(hold)} is {hold.capacity_new}")


def _what(hold: Hold) -> str:
    return f"capacity of {hold.lot_id} {hold.pool}"
