"""Freiburg's guidance system (WFS, GeoJSON): what do its car parks say, and where do they lie?

Numbers are strings (Q1), the stamp is one for all and without a zone (Q8, Q19), coordinates are EPSG:25832 inside
GeoJSON (Q22). `prozent` is the share that is free (Q24); the counts say the same, so it is not used. Only `obs_state` 1
is known to mean open: any other is unknown until `options.status` says what it is.
"""

from __future__ import annotations

import math
from typing import Any

from pyproj import Transformer

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document
from connectors.items import array, decode_items
from connectors.numbers import decimal, whole
from connectors.times import observed
from connectors.words import ident, status

_STATES = {"1": "open"}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def positions(payload: bytes, crs: str = "EPSG:25832") -> list[tuple[str, float | None, float | None]]:
    """(ref, longitude, latitude) in WGS-84 of every feature with an id; null where it has no point.

    `crs` is the source's, as configured. Raises Unreadable when the document is none.
    """
    to_wgs84 = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    found: list[tuple[str, float | None, float | None]] = []
    for feature in _items(json_document(payload)):
        try:
            ref = ident(_properties(feature).get("obs_parkid"), "obs_parkid")
        except Unreadable:
            continue
        point = _point(feature)
        lon, lat = to_wgs84.transform(*point) if point else (math.inf, math.inf)
        found.append((ref, lon, lat) if math.isfinite(lon) and math.isfinite(lat) else (ref, None, None))
    return found


def _items(document: Any) -> list[Any]:
    return array(document, "features")


def _fields(item: Any, source: SourceContext) -> dict[str, Any]:
    lot = _properties(item)
    at, basis, flags = observed(lot.get("obs_ts"), source, basis="feed")
    state, noticed = status(lot.get("obs_state"), _STATES, source)
    return {
        "ref": ident(lot.get("obs_parkid"), "obs_parkid"),
        "mode": "closed" if state == "closed" else "count",
        "free": whole(lot.get("obs_free"), "obs_free"),
        "capacity": whole(lot.get("obs_max"), "obs_max"),
        "observed_at": at,
        "time_basis": basis,
        "source_status": state,
        "flags": (*flags, *noticed),
    }


def _properties(feature: Any) -> dict[str, Any]:
    found = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(found, dict):
        raise Unreadable("bad_item", "a feature has no properties")
    return found


def _point(feature: dict[str, Any]) -> tuple[float, float] | None:
    geometry = feature.get("geometry")
    pair = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(pair, list) or len(pair) < 2:
        return None
    try:
        x, y = decimal(pair[0], "x"), decimal(pair[1], "y")
    except Unreadable:
        return None
    return None if x is None or y is None else (x, y)


def _alone(item: Any) -> Any:
    return {"features": [item]}
