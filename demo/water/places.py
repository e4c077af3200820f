"""Where is the water of the district? Its rivers as the sketch map draws them, and points along and beside them."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import cos, hypot, radians

import msgspec

from demo.draws import between
from demo.ground import METRES_PER_DEGREE, Area, distance_m, inside, sketch, subdistricts, water

Point = tuple[float, float]  # (lon, lat)


class River(msgspec.Struct, frozen=True, kw_only=True):
    """Drawn from its source downstream."""

    key: str
    name_zh: str
    name_en: str
    line: tuple[Point, ...]

    @property
    def length_m(self) -> float:
        return sum(distance_m(one, other) for one, other in pairwise(self.line))

    def at(self, share: float) -> Point:
        """The point that so much of its length lies above."""
        left = share * self.length_m
        for one, other in pairwise(self.line):
            length = distance_m(one, other)
            if left <= length:
                part = left / length
                return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part
            left -= length
        return self.line[-1]

    def away(self, share: float, metres: float) -> Point:
        """A point beside it: to its left looking downstream; negative metres: to its right."""
        here, there = self.at(max(share - 0.01, 0.0)), self.at(min(share + 0.01, 1.0))
        east = (there[0] - here[0]) * cos(radians(here[1]))
        north = there[1] - here[1]
        length = hypot(east, north)
        lon, lat = self.at(share)
        step = metres / METRES_PER_DEGREE / length
        return lon - north * step / cos(radians(lat)), lat + east * step


_KEYS = {"布吉河": "buji", "深圳河": "shenzhen", "莲塘河": "liantang", "沙湾河": "shawan"}


@cache
def rivers() -> dict[str, River]:
    found = {}
    for feature in sketch()["features"]:
        told = feature["properties"]
        if told["kind"] == "river":
            key = _KEYS[told["name_zh"]]
            line = tuple((float(lon), float(lat)) for lon, lat in feature["geometry"]["coordinates"])
            found[key] = River(key=key, name_zh=told["name_zh"], name_en=told["name_en"], line=line)
    return found


@cache
def lake() -> Point:
    """The middle of the reservoir."""
    ring = water()[:-1]
    return sum(lon for lon, _ in ring) / len(ring), sum(lat for _, lat in ring) / len(ring)


def basin_of(point: Point) -> str:
    """The river that a point is nearest to."""
    return min(rivers().values(), key=lambda river: _distance_to(river, point)).key


def subdistrict_of(point: Point) -> str | None:
    return next((area.code for area in subdistricts() if area.holds(*point)), None)


def on_land(area: Area, count: int, apart_m: float, *key: object) -> list[Point]:
    """So many points of an area, none in the reservoir, none nearer to another than apart_m. The same at every call."""
    west, east = min(x for x, _ in area.ring), max(x for x, _ in area.ring)
    south, north = min(y for _, y in area.ring), max(y for _, y in area.ring)
    found: list[Point] = []
    attempt = 0
    while len(found) < count:
        attempt += 1
        lon = round(between(west, east, *key, "lon", area.code, attempt), 6)
        lat = round(between(south, north, *key, "lat", area.code, attempt), 6)
        if not area.holds(lon, lat) or inside(lon, lat, water()):
            continue
        if all(distance_m((lon, lat), point) >= apart_m for point in found):
            found.append((lon, lat))
    return found


def rounded(point: Point) -> Point:
    return round(point[0], 6), round(point[1], 6)


def _distance_to(river: River, point: Point) -> float:
    return min(distance_m(river.at(step / 40), point) for step in range(41))
