"""Where are the subdistricts? subdistricts.geojson (RFC 7946), the register's own outlines: the ground of a map."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from dashboards.feed.snapshot import Snapshot
from schemas.registers import Subdistrict


class SubdistrictProperties(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    name_zh: str
    name_en: str


class SubdistrictFeature(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["Feature"] = "Feature"
    id: str
    geometry: dict[str, Any] | None
    properties: SubdistrictProperties


class SubdistrictFeatures(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["FeatureCollection"] = "FeatureCollection"
    last_updated: datetime
    content_seq: int
    features: tuple[SubdistrictFeature, ...]


_encode = msgspec.json.Encoder().encode


def subdistricts_geojson(snapshot: Snapshot) -> bytes:
    register = snapshot.register
    return _encode(
        SubdistrictFeatures(
            last_updated=snapshot.local(register.changed_at),
            content_seq=register.seq,
            features=tuple(_feature(area) for area in register.subdistricts),
        )
    )


def _feature(area: Subdistrict) -> SubdistrictFeature:
    return SubdistrictFeature(
        id=area.code,
        geometry=area.geometry or None,
        properties=SubdistrictProperties(code=area.code, name_zh=area.name_zh, name_en=area.name_en),
    )
