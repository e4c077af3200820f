"""Where on WGS-84 does a point of a register lie, whatever system it was given in?"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from schemas.gcj02 import bd09_to_gcj02, gcj02_to_wgs84
from sql.registers.cells import BadCell

WGS84 = "EPSG:4326"
Box = tuple[float, float, float, float]  # west, south, east, north


def to_wgs84(lat: float, lon: float, crs: str) -> tuple[float, float]:
    """(lat, lon) in WGS-84, to a centimetre. `lat` and `lon` of a projected system are its northing and easting.

    Raises BadCell for a system that nobody knows, and for what is no point of it.
    """
    if not (math.isfinite(lat) and math.isfinite(lon)):
        raise BadCell("is no number", "write degrees, or metres of a projected system")
    name = crs.strip().upper().replace("_", "-").replace("GCJ02", "GCJ-02").replace("BD09", "BD-09")
    if name == "GCJ-02":
        lat, lon = gcj02_to_wgs84(lat, lon)
    elif name == "BD-09":
        lat, lon = gcj02_to_wgs84(*bd09_to_gcj02(lat, lon))
    elif name != WGS84:
        lon, lat = _transformed(name, lon, lat)
    if not (math.isfinite(lat) and math.isfinite(lon)):
        raise BadCell(f"is no point of {crs}", "check the numbers and the crs column")
    return round(lat, 7), round(lon, 7)


def check_inside(lat: float, lon: float, box: Box | None) -> None:
    """Raise BadCell when a point lies outside the district; swapped axes are told, never put right by guessing."""
    if box is None or _is_inside(lat, lon, box):
        return
    if _is_inside(lon, lat, box):
        raise BadCell("lat and lon look swapped", "exchange the two columns")
    west, south, east, north = box
    raise BadCell(
        f"({lat}, {lon}) in WGS-84 is outside the district ({south}..{north} N, {west}..{east} E)",
        "check the point and the crs column (EPSG:4326, GCJ-02, BD-09, EPSG:4547 ...)",
    )


def _is_inside(lat: float, lon: float, box: Box) -> bool:
    west, south, east, north = box
    return west <= lon <= east and south <= lat <= north


def _transformed(name: str, x: float, y: float) -> tuple[float, float]:
    from pyproj.exceptions import ProjError  # here: 30 MB that a worker, which only reads the database, does not need

    try:
        lon, lat = _transformer(name).transform(x, y)
    except ProjError as error:
        raise BadCell(f"crs {name!r} is not known", "write EPSG:<number>, GCJ-02 or BD-09") from error
    return lon, lat


@cache
def _transformer(name: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(name, WGS84, always_xy=True)
