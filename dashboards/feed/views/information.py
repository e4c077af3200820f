"""Where is each lot and what is it? lot_information.json: WGS-84 with GCJ-02 beside it."""

from __future__ import annotations

from typing import Any

from dashboards.feed.register_records import (
    Entrance,
    LotInformation,
    LotInformationData,
    Point,
    PoolInformation,
    Subdistrict,
)
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import of_register
from schemas.gcj02 import wgs84_to_gcj02
from schemas.registers import Lot, Pool


def lot_information(snapshot: Snapshot) -> bytes:
    register = snapshot.register
    return of_register(
        snapshot,
        LotInformationData(
            subdistricts=tuple(
                Subdistrict(code=area.code, name_zh=area.name_zh, name_en=area.name_en)
                for area in register.subdistricts
            ),
            lots=tuple(_lot(lot, snapshot) for lot in register.lots),
        ),
    )


def point(lat: float, lon: float) -> Point:
    return Point(lat=round(lat, 7), lon=round(lon, 7))


def shifted(lat: float, lon: float) -> Point:
    return point(*wgs84_to_gcj02(lat, lon))


def _lot(lot: Lot, snapshot: Snapshot) -> LotInformation:
    register = snapshot.register
    operator = register.operators.get(lot.operator_id or "")
    return LotInformation(
        lot_id=lot.lot_id,
        name_zh=lot.name_zh,
        name_en=lot.name_en,
        subdistrict_code=lot.subdistrict_code,
        operator_id=lot.operator_id,
        operator_zh=operator.name_zh if operator else None,
        operator_en=operator.name_en if operator else None,
        kind=lot.kind,
        wgs84=point(lot.lat, lot.lon),
        gcj02=shifted(lot.lat, lot.lon),
        address_zh=lot.address_zh,
        address_en=lot.address_en,
        entrances=tuple(_entrance(raw, index) for index, raw in enumerate(lot.entrances, 1)),
        height_limit_m=None if lot.height_limit_m is None else round(lot.height_limit_m, 2),
        opening_hours=lot.opening_hours,
        contact=lot.contact or (operator.contact if operator else None),
        accessibility=lot.accessibility,
        thresholds=lot.thresholds,
        pools=tuple(_pool(pool, snapshot) for pool in register.pools.get(lot.lot_id, ())),
        sources=tuple(dict.fromkeys(row.source for row in register.sources.get(lot.lot_id, ()))),
        valid_from=snapshot.local(lot.valid_from),
        withdrawn_at=snapshot.local_or_none(lot.withdrawn_at),
    )


def _entrance(raw: dict[str, Any], index: int) -> Entrance:
    lat, lon = raw.get("lat"), raw.get("lon")
    has_place = isinstance(lat, int | float) and isinstance(lon, int | float)
    return Entrance(
        entrance_id=str(raw.get("entrance_id", index)),
        name_zh=raw.get("name_zh"),
        name_en=raw.get("name_en"),
        wgs84=point(lat, lon) if has_place else None,  # type: ignore[arg-type]
        gcj02=shifted(lat, lon) if has_place else None,  # type: ignore[arg-type]
        shared_users=raw.get("shared_users"),
    )


def _pool(pool: Pool, snapshot: Snapshot) -> PoolInformation:
    return PoolInformation(
        pool=pool.pool,
        vehicle=pool.vehicle,
        audience=pool.audience,
        product=pool.product,
        exclusive=pool.exclusive,
        capacity=pool.capacity,
        capacity_basis=pool.capacity_basis,
        valid_from=snapshot.local(pool.valid_from),
    )
