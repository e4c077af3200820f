"""What does a register given now change in the register known? New versions, closed versions, held capacities."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec

from schemas.registers import ParkingRegister, Pool
from schemas.settings import Parking
from sql.registers.tables import BY_NAME, TABLES, Catalogue, Table, content, in_force

HoldReason = Literal["jump", "placeholder"]
HoldState = Literal["held", "confirmed", "rejected"]


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A capacity that waits for a person (reference parking 5.2). hold_id 0: not in the database yet."""

    hold_id: int = 0
    lot_id: str
    pool: str
    capacity_old: int | None
    capacity_new: int | None
    reason: HoldReason
    state: HoldState = "held"
    row: dict[str, Any] = {}
    at: datetime | None = None


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """The version `row` ends at valid_to."""

    table: str
    row: Any
    valid_to: datetime


class Plan(msgspec.Struct, kw_only=True):
    """Inserts are written after closes. `upserts` are of tables without versions."""

    upserts: dict[str, list[Any]] = msgspec.field(default_factory=dict)
    inserts: dict[str, list[Any]] = msgspec.field(default_factory=dict)
    closes: list[Close] = msgspec.field(default_factory=list)
    deletes: dict[str, list[Any]] = msgspec.field(default_factory=dict)  # of tables whose file says all there is
    holds: list[Hold] = msgspec.field(default_factory=list)
    outdated_holds: list[int] = msgspec.field(default_factory=list)
    still_held: int = 0
    rejected_before: int = 0
    unchanged: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def changes_register(self) -> bool:
        written = (self.upserts, self.inserts, self.deletes)
        return bool(self.closes or any(rows for tables in written for rows in tables.values()))


def plan_load(
    known: ParkingRegister, given: ParkingRegister, holds: Iterable[Hold], at: datetime, limits: Parking
) -> Plan:
    """The changes that make `known` say what `given` says. A row that says nothing new changes nothing."""
    plan = Plan()
    for table in TABLES:
        rows = list(table.rows(given))
        if table.name == "pools":
            rows = _held_back(known, rows, list(holds), limits, plan)
        if table.versioned:
            _plan_versions(table, known, rows, plan)
        else:
            _plan_upserts(table, known, rows, plan)
    return plan


def plan_whole(catalogue: Catalogue, known: Any, given: Any, whole: Collection[str]) -> Plan:
    """The same for a register in which nothing is held. `whole`: tables of which `given` has every row that is true."""
    plan = Plan()
    for table in catalogue.tables:
        rows = list(table.rows(given))
        if table.versioned:
            _plan_versions(table, known, rows, plan)
            continue
        _plan_upserts(table, known, rows, plan)
        if table.replaced and table.name in whole:
            kept = {table.key_of(row) for row in rows}
            plan.deletes[table.name] = [row for row in table.rows(known) if table.key_of(row) not in kept]
    return plan


def hold_reason(old: int | None, new: int | None, limits: Parking) -> HoldReason | None:
    """Why a capacity must be confirmed by a person, if it must."""
    if new is None or new == old:
        return None
    if new in limits.placeholder_capacities:
        return "placeholder"
    if old is not None and abs(new - old) > limits.capacity_jump * old:
        return "jump"
    return None


def confirmed(known: ParkingRegister, hold: Hold, at: datetime) -> Plan | None:
    """The new version of a confirmed capacity; None when the register has moved on since it was held."""
    versions = [pool for pool in known.pools if pool.lot_id == hold.lot_id and pool.pool == hold.pool]
    planned_from = msgspec.convert(hold.row.get("valid_from", at), datetime)
    start = max(at, planned_from)
    current = in_force(versions, start)
    if current is None or current.capacity != hold.capacity_old:
        return None
    plan = Plan()
    pool = msgspec.structs.replace(current, capacity=hold.capacity_new, valid_from=start, valid_to=current.valid_to)
    _plan_versions(BY_NAME["pools"], known, [pool], plan)
    return plan


def _plan_upserts(table: Table, known: Any, rows: list[Any], plan: Plan) -> None:
    old = {table.key_of(row): row for row in table.rows(known)}
    changed = [row for row in rows if old.get(table.key_of(row)) != row]
    plan.upserts[table.name] = changed
    plan.unchanged[table.name] = len(rows) - len(changed)


def _plan_versions(table: Table, known: Any, rows: list[Any], plan: Plan) -> None:
    by_key: dict[Any, list[Any]] = {}
    for row in table.rows(known):
        by_key.setdefault(table.key_of(row), []).append(row)
    inserts = plan.inserts.setdefault(table.name, [])
    plan.unchanged.setdefault(table.name, 0)
    for row in sorted(rows, key=lambda row: row.valid_from):
        versions = by_key.setdefault(table.key_of(row), [])
        holding = in_force(versions, row.valid_from)
        if holding is not None and content(holding) == content(row):
            if row.valid_to is None or row.valid_to == holding.valid_to:
                plan.unchanged[table.name] += 1
            else:
                plan.closes.append(Close(table=table.name, row=holding, valid_to=row.valid_to))
            continue
        if "version" in row.__struct_fields__:
            number = max((version.version for version in versions), default=0) + 1
            row = msgspec.structs.replace(row, version=number)
        inserts.append(row)
        versions.append(row)
        if holding is not None:
            _close(table, holding, row.valid_from, versions, inserts, plan)


def _close(table: Table, holding: Any, valid_to: datetime, versions: list[Any], inserts: list[Any], plan: Plan) -> None:
    """Ends a version: one that this load itself inserts is inserted with its end."""
    ended = msgspec.structs.replace(holding, valid_to=valid_to)
    versions[versions.index(holding)] = ended
    if holding in inserts:
        inserts[inserts.index(holding)] = ended
    else:
        plan.closes.append(Close(table=table.name, row=holding, valid_to=valid_to))


def _held_back(known: ParkingRegister, rows: list[Pool], holds: list[Hold], limits: Parking, plan: Plan) -> list[Pool]:
    """The pools with the old capacity where the new one must wait; their other fields load."""
    old: dict[tuple[str, str], list[Pool]] = {}
    for pool in known.pools:
        old.setdefault((pool.lot_id, pool.pool), []).append(pool)
    waiting = {(hold.lot_id, hold.pool): hold for hold in holds if hold.state == "held"}
    rejected = {(h.lot_id, h.pool, h.capacity_old, h.capacity_new) for h in holds if h.state == "rejected"}
    loaded: list[Pool] = []
    for row in sorted(rows, key=lambda row: row.valid_from):
        key = (row.lot_id, row.pool)
        versions = old.setdefault(key, [])
        before = in_force(versions, row.valid_from) or (versions[-1] if versions else None)
        capacity = before.capacity if before else None
        reason = hold_reason(capacity, row.capacity, limits)
        wait = waiting.get(key)
        if wait is not None and reason is not None and wait.capacity_new == row.capacity:
            plan.still_held += 1
        elif (*key, capacity, row.capacity) in rejected:
            plan.rejected_before += 1
        else:
            if wait is not None and wait.hold_id:
                plan.outdated_holds.append(wait.hold_id)
                del waiting[key]
            if reason is None:
                loaded.append(row)
                versions.append(row)
                continue
            hold = Hold(
                lot_id=row.lot_id,
                pool=row.pool,
                capacity_old=capacity,
                capacity_new=row.capacity,
                reason=reason,
                row=msgspec.to_builtins(row),
            )
            plan.holds.append(hold)
            waiting[key] = hold
        loaded.append(msgspec.structs.replace(row, capacity=capacity))
    return loaded
