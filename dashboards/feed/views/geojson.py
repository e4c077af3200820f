"""Where is a space on a map? lots.geojson (RFC 7946: WGS-84, longitude first), status as properties."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.status import record
from schemas.minute import Freshness, LotMinute, Opening, Status, Trend, WindowState
from schemas.registers import Lot


class LotPoint(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["Point"] = "Point"
    coordinates: tuple[float, float]


class LotProperties(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: str
    name_zh: str | None
    name_en: str | None
    subdistrict_code: str | None
    kind: str | None
    status: Status
    opening_status: Opening
    available: int | None
    capacity: int | None
    freshness: Freshness
    observed_at: datetime | None
    received_at: datetime | None
    age_s: int | None
    trend: Trend | None
    shared_available: int | None
    share_state: WindowState | None
    must_leave_by: datetime | None
    reason: str | None
    source: str | None


class LotFeature(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["Feature"] = "Feature"
    id: str
    geometry: LotPoint | None
    properties: LotProperties


class LotFeatures(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["FeatureCollection"] = "FeatureCollection"
    last_updated: datetime
    content_seq: int
    features: tuple[LotFeature, ...]


_encode = msgspec.json.Encoder().encode


def lots_geojson(snapshot: Snapshot) -> bytes:
    places = {lot.lot_id: lot for lot in snapshot.register.lots}
    return _encode(
        LotFeatures(
            last_updated=snapshot.local(snapshot.minute),
            content_seq=snapshot.run.content_seq,
            features=tuple(_feature(lot, places.get(lot.lot_id), snapshot) for lot in snapshot.lots),
        )
    )


def _feature(minute: LotMinute, lot: Lot | None, snapshot: Snapshot) -> LotFeature:
    status = record(minute, snapshot)
    share = status.share
    return LotFeature(
        id=status.lot_id,
        geometry=None if lot is None else LotPoint(coordinates=(round(lot.lon, 7), round(lot.lat, 7))),
        properties=LotProperties(
            lot_id=status.lot_id,
            name_zh=lot.name_zh if lot else None,
            name_en=lot.name_en if lot else None,
            subdistrict_code=lot.subdistrict_code if lot else None,
            kind=lot.kind if lot else None,
            status=status.status,
            opening_status=status.opening_status,
            available=status.available,
            capacity=status.capacity,
            freshness=status.freshness,
            observed_at=status.observed_at,
            received_at=status.received_at,
            age_s=status.age_s,
            trend=status.trend,
            shared_available=share.available if share else None,
            share_state=share.state if share else None,
            must_leave_by=share.must_leave_by if share else None,
            reason=status.reason,
            source=status.source,
        ),
    )
