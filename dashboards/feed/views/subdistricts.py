"""Where are the subdistricts? subdistricts.geojson (RFC 7946), the register's own outlines: the ground of a map."""

from __future__ import annotations

from typing import Any

import msgspec

from dashboards.feed.snapshot import Snapshot
from schemas.registers import Subdistrict

_encode = msgspec.json.Encoder().encode


def subdistricts_geojson(snapshot: Snapshot) -> bytes:
    register = snapshot.register
    return _encode(
        {
            "type": "FeatureCollection",
            "last_updated": snapshot.local(register.changed_at),
            "content_seq": register.seq,
            "features": [_feature(area) for area in register.subdistricts],
        }
    )


def _feature(area: Subdistrict) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": area.code,
        "geometry": area.geometry or None,
        "properties": {"code": area.code, "name_zh": area.name_zh, "name_en": area.name_en},
    }
