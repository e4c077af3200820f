"""Which water stations does the simulated district have? Gauges, rivers, the reservoir, pipe nodes, underpasses.

Rivers, subdistricts and roads are real names; the stations, their levels and their pipes are invented. Pure.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import exp
from typing import Literal

import msgspec

from demo.draws import between, draw, pick
from demo.ground import distance_m, subdistricts
from demo.names import ROADS
from demo.water.places import Point, basin_of, lake, on_land, rivers, rounded, subdistrict_of

GAUGES, RIVERS, NODES, UNDERPASSES = 69, 24, 60, 20
SL651, HJ212, LORA = "demo-sl651", "demo-hj212", "demo-lora"
CENTRE = 5
BRANCH = 5  # nodes from the far end of a branch to its outfall into the river
STUCK_OPEN = (3, 8)  # branches whose flap gate does not close when the river rises
OUTFALL_M = 0.4  # of the last node of a branch, above the river in dry weather

Device = Literal["sl651", "hj212", "EM500-SWL", "EM500-UDL", "EM400-MUD"]
Kind = Literal["rain", "river", "reservoir", "pipe_node", "underpass"]

_GAUGES_OF = (7, 7, 6, 6, 6, 6, 9, 8, 7, 7)  # of the subdistricts in the order of their codes
_RIVER_STATIONS = {"buji": 7, "shenzhen": 7, "liantang": 4, "shawan": 3}  # and 3 on the reservoir
_BRANCHES = (("buji", 0.35), ("buji", 0.5), ("buji", 0.62), ("buji", 0.75), ("buji", 0.88), ("shenzhen", 0.2),
             ("shenzhen", 0.35), ("shenzhen", 0.5), ("shenzhen", 0.65), ("shenzhen", 0.8), ("liantang", 0.3),
             ("liantang", 0.7))  # fmt: skip
_BED_M = {"buji": (18.0, 1.0), "shenzhen": (3.0, -0.5), "liantang": (24.0, 4.0), "shawan": (34.0, 27.0)}
_DRY_M = 0.6  # of water over its bed
_RISE_M = {"buji": 3.6, "shenzhen": 2.9, "liantang": 2.6, "shawan": 2.2}
_LAG_MIN = {"buji": 35.0, "shenzhen": 80.0, "liantang": 30.0, "shawan": 25.0}  # of each of two linear stores
_HJ212_EVERY = 3  # of the river stations, so many-th speaks HJ 212
_MUD_EVERY = 12


class Station(msgspec.Struct, frozen=True, kw_only=True):
    number: int  # of all
    kind: Kind
    device: Device
    name_zh: str
    name_en: str
    point: Point  # (lon, lat)
    basin: str
    base_m: float = 0.0  # its level or depth in dry weather
    rise_m: float = 0.0  # how far it rises in the reference storm
    lag_min: float = 10.0
    gateway: str | None = None
    invert_m: float = 0.0  # of a pipe node
    crown_m: float = 0.0
    ground_m: float = 0.0
    height_m: float = 0.0  # of a sensor that looks down
    priority: int | None = None

    @property
    def station_id(self) -> str:
        return f"{_SHORT[self.kind]}-{self.number:03d}"

    @property
    def source(self) -> str:
        return {"sl651": SL651, "hj212": HJ212}.get(self.device, LORA)

    @property
    def address(self) -> str:
        """Its own id in its protocol."""
        if self.device == "sl651":
            return f"440303{self.number:04X}"
        if self.device == "hj212":
            return f"440303LHSW{self.number:04d}"
        return f"24e124713d{self.number:06d}"

    @property
    def subdistrict(self) -> str | None:
        return subdistrict_of(self.point)

    @property
    def second(self) -> int:
        """When in its minute it reports; all nodes of a branch at once, so that the ends of a pipe can be compared."""
        if self.kind != "pipe_node":
            return int(draw("second", self.number) * 50) + 2
        return int(draw("second", "branch", (self.number - GAUGES - RIVERS - 1) // BRANCH) * 50) + 2


class Pipe(msgspec.Struct, frozen=True):
    pipe_id: str
    upstream: Station
    downstream: Station
    diameter_m: float


_SHORT: dict[Kind, str] = {"rain": "rg", "river": "rv", "reservoir": "rs", "pipe_node": "pn", "underpass": "up"}


@cache
def stations() -> tuple[Station, ...]:
    """All stations by number. The same at every call, in every process."""
    return (*gauges(), *river_stations(), *nodes(), *underpasses())


@cache
def by_id() -> dict[str, Station]:
    return {station.station_id: station for station in stations()}


@cache
def gauges() -> tuple[Station, ...]:
    points = [
        (area, point)
        for area, count in zip(subdistricts(), _GAUGES_OF, strict=True)
        for point in on_land(area, count, 250.0, "gauge")
    ]
    found = []
    for number, (area, point) in enumerate(points, 1):
        place = area.name_zh.removesuffix("街道")
        found.append(
            Station(
                number=number,
                kind="rain",
                device="sl651",
                name_zh=f"{place}雨量站{number}",
                name_en=f"{area.name_en} gauge {number}",
                point=point,
                basin=basin_of(point),
            )
        )
    return tuple(found)


@cache
def river_stations() -> tuple[Station, ...]:
    found: list[Station] = []
    number = GAUGES
    for key, count in _RIVER_STATIONS.items():
        river = rivers()[key]
        for place in range(count):
            number += 1
            share = (place + 0.5) / count
            high, low = _BED_M[key]
            found.append(
                Station(
                    number=number,
                    kind="river",
                    device="hj212" if number % _HJ212_EVERY == 0 else "sl651",
                    name_zh=f"{river.name_zh}{place + 1}号水位站",
                    name_en=f"{river.name_en} {place + 1}",
                    point=rounded(river.at(share)),
                    basin=key,
                    base_m=round(high + (low - high) * share + _DRY_M, 3),
                    rise_m=round(_RISE_M[key] * between(0.85, 1.15, "rise", number), 3),
                    lag_min=_LAG_MIN[key] * (0.6 + 0.8 * share),
                )
            )
    centre = lake()
    for place, (east, north) in enumerate(((0.0, 0.006), (0.0, 0.0), (0.001, -0.010)), 1):
        number += 1
        found.append(
            Station(
                number=number,
                kind="reservoir",
                device="hj212" if number % _HJ212_EVERY == 0 else "sl651",
                name_zh=f"深圳水库{place}号水位站",
                name_en=f"Shenzhen Reservoir {place}",
                point=rounded((centre[0] + east, centre[1] + north)),
                basin="shawan",
                base_m=26.4,
                rise_m=1.35,
                lag_min=45.0,
            )
        )
    return tuple(found)


@cache
def nodes() -> tuple[Station, ...]:
    """Branches of five manholes each; the last one of a branch is next to the river."""
    found = []
    number = GAUGES + RIVERS
    for branch, (key, share) in enumerate(_BRANCHES, 1):
        river = rivers()[key]
        side = 1.0 if river.key == "buji" and branch % 2 == 0 else -1.0  # south of the others is another city
        high, low = _BED_M[key]
        outfall_m = high + (low - high) * share + _DRY_M + OUTFALL_M
        for place in range(BRANCH):
            number += 1
            metres = side * (60.0 + 170.0 * (BRANCH - 1 - place))
            invert = outfall_m + 0.35 * (BRANCH - 1 - place)
            diameter = 0.8 + 0.2 * place
            cover = between(1.2, 2.6, "cover", number)
            ground = invert + diameter + cover
            found.append(
                Station(
                    number=number,
                    kind="pipe_node",
                    device="EM400-MUD" if number % _MUD_EVERY == 0 else "EM500-UDL",
                    name_zh=f"{river.name_zh}{branch}号支管{place + 1}号井",
                    name_en=f"Branch {branch} node {place + 1}, {river.name_en}",
                    point=rounded(river.away(share, metres)),
                    basin=key,
                    base_m=round(invert + 0.12 * diameter, 3),
                    rise_m=between(0.7, 2.8, "load", branch),  # of the flow that fills the pipe
                    lag_min=8.0 + 3.0 * place,
                    gateway=f"demo-gw-{(branch - 1) // 2 + 1}",
                    invert_m=round(invert, 3),
                    crown_m=round(invert + diameter, 3),
                    ground_m=round(ground, 3),
                    height_m=round(ground + 0.3, 3),  # it looks down through a grating
                )
            )
    return tuple(found)


def branch_of(node: Station) -> tuple[int, tuple[Station, ...], int]:
    """Its number, its nodes from the far end to the outfall, and the place of this one among them."""
    before, place = divmod(nodes().index(node), BRANCH)
    return before + 1, nodes()[before * BRANCH : (before + 1) * BRANCH], place


@cache
def pipes() -> tuple[Pipe, ...]:
    found = []
    for branch in range(len(_BRANCHES)):
        chain = nodes()[branch * BRANCH : (branch + 1) * BRANCH]
        for upper, lower in pairwise(chain):
            diameter = round(upper.crown_m - upper.invert_m, 2)
            found.append(Pipe(f"{upper.station_id}-{lower.station_id}", upper, lower, diameter))
    return tuple(found)


@cache
def underpasses() -> tuple[Station, ...]:
    found = []
    number = GAUGES + RIVERS + NODES
    areas = subdistricts()
    for place in range(UNDERPASSES):
        number += 1
        area = areas[place % len(areas)]
        point = on_land(area, place // len(areas) + 1, 400.0, "underpass")[-1]
        zh, en = pick(ROADS[area.code], "road", number)
        found.append(
            Station(
                number=number,
                kind="underpass",
                device="EM500-SWL",
                name_zh=f"{zh}下穿通道{place + 1}",
                name_en=f"{en} underpass {place + 1}",
                point=point,
                basin=basin_of(point),
                rise_m=between(0.012, 0.030, "pond", number),  # metres of depth for each mm that is not pumped away
                lag_min=6.0,
                gateway=f"demo-gw-{7 + place % 3}",
                priority=1 + place,
            )
        )
    return tuple(found)


@cache
def wettest() -> Station:
    """The gauge on which the storm has its maxima: the one nearest to the head of the Shawan River."""
    return min(gauges(), key=lambda gauge: distance_m(gauge.point, rivers()["shawan"].at(0.0)))


@cache
def rain_share(station: Station) -> float:
    """Which share of the storm falls at a station: 1 at the wettest gauge, less with the distance from it."""
    return round(0.64 + 0.36 * exp(-((distance_m(station.point, wettest().point) / 4_200.0) ** 2)), 4)


@cache
def rain_late_min(station: Station) -> float:
    """The storm moves from there: when its rain comes elsewhere."""
    return round(distance_m(station.point, wettest().point) / 500.0, 1)
