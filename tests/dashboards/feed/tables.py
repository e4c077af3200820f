"""How do a register and its minutes get into the tables? As the loader and the sweep write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from schemas.minute import LotMinute, MinuteRun
from schemas.registers import ParkingRegister
from sql.connect import Connection
from tests.dashboards.feed.minutes import LOADED_AT, minute_rows, minute_run


def insert_register(connection: Connection, of: ParkingRegister) -> None:
    """Writes a register with the owner's connection, as the loader would have."""
    tables = (
        ("subdistrict", of.subdistricts),
        ("operator", of.operators),
        ("source_terms", of.source_terms),
        ("lot", of.lots),
        ("lot_source", of.lot_sources),
        ("pool", of.pools),
        ("price", of.prices),
        ("share_window", of.share_windows),
    )
    for table, rows in tables:
        _insert(connection, table, rows)
    connection.execute(
        "update register_version set version = %s, changed_at = %s where register = 'parking'", (of.version, LOADED_AT)
    )
    connection.commit()


def insert_minute(connection: Connection, run: MinuteRun, rows: tuple[LotMinute, ...]) -> None:
    """Writes a minute and notifies, in one transaction, as the sweep does."""
    _insert(connection, "parking_minute", rows)
    _insert(connection, "parking_minute_run", (run,))
    connection.execute("select pg_notify('parking_minute', %s)", (f"{run.minute.isoformat()}/{run.revision}",))
    connection.commit()


def publish(
    owner: Connection,
    whole: ParkingRegister,
    minute: datetime,
    *,
    seq: int = 100,
    seed: int = 1,
    revision: int = 1,
    after_s: float = 1.5,
) -> tuple[LotMinute, ...]:
    """A minute of the whole register, computed `after_s` after its tick."""
    rows = minute_rows(whole, minute, seed=seed, revision=revision)
    insert_minute(owner, minute_run(rows, content_seq=seq, computed_after_s=after_s), rows)
    return rows


def _insert(connection: Connection, table: str, rows: tuple[Any, ...]) -> None:
    if not rows:
        return
    names = rows[0].__struct_fields__
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into {table} ({columns}) values ({marks})",  # noqa: S608  names of our own tables
            [[_cell(table, name, getattr(row, name)) for name in names] for row in rows],
        )


_LISTS = {"flags", "weekdays"}
_JSON = {
    "geometry", "entrances", "thresholds", "pools", "share", "forecast", "last_known", "state", "fences", "areas",
    "quality",
}  # fmt: skip


def _cell(table: str, name: str, value: Any) -> Any:
    if name in _JSON and value is not None:
        return Jsonb(msgspec.to_builtins(value))
    if name in _LISTS:
        return list(value)
    return value
