"""The simulated district's register with minutes of every kind: what the page has to show."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from demo import registers
from schemas.minute import LotMinute, MinuteRun, SourceMinute
from schemas.registers import ParkingRegister
from sql.connect import Connection
from sql.registers.read import read_register
from tests.dashboards.feed.minutes import LOADED_AT, minute_rows, minute_run
from tests.dashboards.feed.tables import insert_minute

SILENT = "demo-lta"
HOSTILE = "<img src=x onerror=alert(1)> & Sons"  # what a register must not be able to do to a reader
EVERY = 8  # one lot in so many is of the kinds that minute_rows deals out; the others are counted


@functools.cache
def city() -> ParkingRegister:
    """313 lots in ten subdistricts, as the demo's files say."""
    found, problems = read_register(registers.files(), at=LOADED_AT)
    assert problems == []
    lots = (*found.lots[:-1], msgspec.structs.replace(found.lots[-1], name_en=HOSTILE))
    return msgspec.structs.replace(found, version=7, lots=lots)


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def rows_of(minute: datetime, *, seed: int = 1) -> tuple[LotMinute, ...]:
    """Which lot is of which kind moves on with the seed."""
    lots = city().lots
    moved = msgspec.structs.replace(city(), lots=(*lots[seed % EVERY :], *lots[: seed % EVERY]))
    return tuple(_shown(row, index, minute) for index, row in enumerate(minute_rows(moved, minute, seed=seed)))


def run_of(rows: tuple[LotMinute, ...], *, content_seq: int) -> MinuteRun:
    """With one source that is silent."""
    run = minute_run(rows, content_seq=content_seq)
    named = sorted({row.source for row in rows if row.source})
    sources = tuple(
        SourceMinute(
            source=source,
            state="silent" if source == SILENT else "live",
            last_success_at=run.minute - timedelta(minutes=14 if source == SILENT else 0),
            lots=sum(row.source == source for row in rows),
            lots_fresh=0
            if source == SILENT
            else sum(row.source == source and row.freshness == "fresh" for row in rows),
        )
        for source in named
    )
    return msgspec.structs.replace(run, quality=msgspec.structs.replace(run.quality, sources=sources))


def publish(owner: Connection, minute: datetime, *, seq: int, seed: int = 1) -> tuple[LotMinute, ...]:
    rows = rows_of(minute, seed=seed)
    insert_minute(owner, run_of(rows, content_seq=seq), rows)
    return rows


def _shown(row: LotMinute, index: int, minute: datetime) -> LotMinute:
    if index % 20 == 2:
        return _counted(row, index, minute, status="almost_full", available=6, seen=minute - timedelta(seconds=70))
    if index % 20 == 6:
        old = minute - timedelta(minutes=7)
        return _counted(row, index, minute, freshness="stale", available=41, seen=old, flags=("stale_source",))
    if index % 20 == 10:  # a source that does not say when
        untimed: dict[str, Any] = {"observed_at": None, "time_basis": "ingest"}
        return _counted(row, index, minute, available=12, seen=minute - timedelta(seconds=20), **untimed)
    if row.available is None and row.mode != "flag" and index % EVERY > 3 and index % 3:
        return _counted(row, index, minute, available=7 + index % 60, seen=minute - timedelta(seconds=index % 50))
    return row


def _counted(row: LotMinute, index: int, minute: datetime, *, available: int, seen: datetime, **more: Any) -> LotMinute:
    capacity = max(row.capacity or 0, available + 20)
    fields = {
        "status": "open",
        "opening_status": "open",
        "freshness": "fresh",
        "mode": "count",
        "time_basis": "lot",
        "quality_score": 0.9,
        "capacity": capacity,
        "available": available,
        "available_min": available,
        "available_max": available,
        "occupied": capacity - available,
        "observed_at": seen,
        "received_at": seen + timedelta(seconds=2),
        "age_s": int((minute - seen).total_seconds()),
        "reason": None,
        "last_known": None,
        "flags": (),
        **more,
    }
    share = row.share and msgspec.structs.replace(row.share, available=min(available, 3 + index % 9), reason=None)
    return msgspec.structs.replace(row, share=share, **fields)
