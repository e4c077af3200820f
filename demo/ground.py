"""Where in the district may a car park lie? Subdistricts and the reservoir of the sketch map, points inside them."""

from __future__ import annotations

import json
from itertools import pairwise
from math import cos, hypot, radians, sin, sqrt, tan
from pathlib import Path
from typing import Any

import msgspec

from demo.draws import between

SKETCH = Path(__file__).parent / "luohu-sketch.geojson"
METRES_PER_DEGREE = 111_320.0

Ring = tuple[tuple[float, float], ...]  # (lon, lat), the first point again at the end


class Area(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    name_zh: str
    name_en: str
    ring: Ring

    def holds(self, lon: float, lat: float) -> bool:
        return inside(lon, lat, self.ring)


def sketch() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SKETCH.read_text(encoding="utf-8"))
    return document


def subdistricts() -> tuple[Area, ...]:
    return tuple(
        Area(code=p["code"], name_zh=p["name_zh"], name_en=p["name_en"], ring=_ring(feature))
        for feature in sketch()["features"]
        if (p := feature["properties"])["kind"] == "subdistrict"
    )


def water() -> Ring:
    """The reservoir, in which nobody parks."""
    return next(_ring(f) for f in sketch()["features"] if f["properties"]["kind"] == "reservoir")


def inside(lon: float, lat: float, ring: Ring) -> bool:
    """Whether a ray to the east crosses the ring an odd number of times."""
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > lat) != (y2 > lat) and lon < x1 + (lat - y1) / (y2 - y1) * (x2 - x1):
            crossings += 1
    return crossings % 2 == 1


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two (lon, lat) of the same neighbourhood."""
    east = (one[0] - other[0]) * METRES_PER_DEGREE * cos(radians(one[1]))
    return hypot(east, (one[1] - other[1]) * METRES_PER_DEGREE)


def scatter(area: Area, count: int, lake: Ring, apart_m: float) -> list[tuple[float, float]]:
    """(lon, lat) of so many points in an area, none in the lake, none nearer to another than apart_m."""
    west, east = min(x for x, _ in area.ring), max(x for x, _ in area.ring)
    south, north = min(y for _, y in area.ring), max(y for _, y in area.ring)
    points: list[tuple[float, float]] = []
    attempt = 0
    while len(points) < count:
        attempt += 1
        lon = round(between(west, east, "lon", area.code, attempt), 6)
        lat = round(between(south, north, "lat", area.code, attempt), 6)
        if not area.holds(lon, lat) or inside(lon, lat, lake):
            continue
        if all(distance_m((lon, lat), point) >= apart_m for point in points):
            points.append((lon, lat))
    return points


def gauss_kruger(lat: float, lon: float, meridian: float = 114.0) -> tuple[float, float]:
    """(easting, northing) in metres of EPSG:4547: CGCS2000, 3-degree zone of 114 E. To a centimetre near it."""
    a, f = 6_378_137.0, 1 / 298.257222101
    e2 = f * (2 - f)
    second = e2 / (1 - e2)
    phi, d = radians(lat), radians(lon - meridian)
    n = a / sqrt(1 - e2 * sin(phi) ** 2)
    t2, c, eta2 = tan(phi) ** 2, cos(phi), second * cos(phi) ** 2
    arc = a * (
        (1 - e2 / 4 - 3 * e2**2 / 64 - 5 * e2**3 / 256) * phi
        - (3 * e2 / 8 + 3 * e2**2 / 32 + 45 * e2**3 / 1024) * sin(2 * phi)
        + (15 * e2**2 / 256 + 45 * e2**3 / 1024) * sin(4 * phi)
        - 35 * e2**3 / 3072 * sin(6 * phi)
    )
    east = n * c * d * (1 + (d * c) ** 2 / 6 * (1 - t2 + eta2) + (d * c) ** 4 / 120 * (5 - 18 * t2 + t2**2))
    north = arc + n * tan(phi) * (d * c) ** 2 / 2 * (1 + (d * c) ** 2 / 12 * (5 - t2 + 9 * eta2 + 4 * eta2**2))
    return 500_000.0 + east, north


def _ring(feature: dict[str, Any]) -> Ring:
    return tuple((float(x), float(y)) for x, y in feature["geometry"]["coordinates"][0])
