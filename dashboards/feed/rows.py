"""How do rows of the database become a snapshot? Read in one transaction, decoded by their contracts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from dashboards.feed.snapshot import Alert, Publisher, Snapshot, register_at, snapshot_of
from schemas.minute import (
    AreaMinute,
    Horizon,
    LotMinute,
    MinuteRun,
    PoolMinute,
    QualityMinute,
    ShareMinute,
)
from schemas.registers import ParkingRegister
from sql.connect import Connection
from sql.named import named
from sql.registers.database import read_database

ENDED_ALERTS_FOR = timedelta(days=1)
QUERIES: Any = named("feed")

_RUN = MinuteRun.__struct_fields__
_LOT = tuple(name for name in LotMinute.__struct_fields__ if name != "state")
_pools = msgspec.json.Decoder(tuple[PoolMinute, ...])
_share = msgspec.json.Decoder(ShareMinute)
_forecast = msgspec.json.Decoder(tuple[Horizon, ...])
_dict = msgspec.json.Decoder(dict[str, Any])
_JSON: dict[str, Callable[[Any], Any]] = {
    "thresholds": _dict.decode,
    "pools": _pools.decode,
    "share": _share.decode,
    "forecast": _forecast.decode,
    "last_known": _dict.decode,
    "flags": tuple,
}


class KnownRegister(msgspec.Struct, frozen=True):
    """The register as it was last read; read again when its version has moved."""

    register: ParkingRegister
    changed_at: datetime


def newest_run(connection: Connection) -> MinuteRun | None:
    return run_of(QUERIES.newest_run(connection))


def run_of(row: tuple[Any, ...] | None) -> MinuteRun | None:
    if row is None:
        return None
    fields = dict(zip(_RUN, row, strict=True))
    fields["areas"] = msgspec.convert(fields["areas"], tuple[AreaMinute, ...])
    fields["quality"] = msgspec.convert(fields["quality"], QualityMinute)
    return MinuteRun(**fields)


def lots_of(connection: Connection, run: MinuteRun) -> tuple[LotMinute, ...]:
    rows = QUERIES.lots_of(connection, minute=run.minute, revision=run.revision)
    return tuple(lot_of(row) for row in rows)


def lot_of(row: tuple[Any, ...]) -> LotMinute:
    fields = dict(zip(_LOT, row, strict=True))
    for name, decode in _JSON.items():
        if fields[name] is not None:
            fields[name] = decode(fields[name])
    return LotMinute(**fields)


def register_of(connection: Connection, known: KnownRegister | None) -> KnownRegister:
    version = QUERIES.register_version(connection)
    if known is not None and known.register.version == version:
        return known
    changed_at = QUERIES.register_changed_at(connection)
    return KnownRegister(read_database(connection), changed_at)


def snapshot(connection: Connection, run: MinuteRun, known: KnownRegister, publisher: Publisher) -> Snapshot:
    alerts = QUERIES.alerts_at(connection, minute=run.minute, since=run.minute - ENDED_ALERTS_FOR)
    return snapshot_of(
        run,
        lots_of(connection, run),
        register_at(run.minute, known.register, known.changed_at),
        [Alert(**dict(zip(Alert.__struct_fields__, row, strict=True))) for row in alerts],
        publisher,
    )
