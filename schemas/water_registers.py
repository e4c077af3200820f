"""What is known of water without a sensor: stations, thresholds, the pipe network, basins and neighbours."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

StationKind = Literal["river", "reservoir", "pipe_node", "street", "underpass", "rain", "pump", "sluice"]
Level = Literal["blue", "yellow", "orange", "red"]
LEVELS: tuple[Level, ...] = ("blue", "yellow", "orange", "red")  # 1 .. 4
Hazard = Literal["flood", "surcharge", "ponding", "rain", "reversal", "blockage"]


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """A station as the district knows it. All levels are metres above its datum; depths are above its zero."""

    station_id: str  # the district's own; (source, station) of a reading finds it
    version: int = 1
    valid_from: datetime
    valid_to: datetime | None = None
    source: str
    station: str  # the source's own id
    name_zh: str
    name_en: str
    kind: StationKind
    lat: float
    lon: float
    subdistrict_code: str | None = None
    basin_id: str | None = None
    element: str = "level_m"  # the element that its hazard is judged by
    datum: str = ""  # e.g. "1956 Yellow Sea", "site zero"
    reference_value_m: float | None = None  # SL 651: relative levels are above this (parameter 28)
    cadence_s: float = 300.0
    range_low: float | None = None  # physical range of the judged element; outside it is FAIL
    range_high: float | None = None
    rate_limit_per_min: float | None = None  # 1.5 x the steepest real rise seen here
    noise_p99: float = 0.005
    flat_line_min: float = 60.0
    day_start: str = "08:00"  # when its daily counters reset, local
    centre: int | None = None  # SL 651: the centre it reports to; another is refused
    may_query: bool = False  # the server may ask it (37, 38, 3A)
    may_set_clock: bool = False  # and set its clock (4A)
    gateway: str | None = None  # stations behind one gateway go silent together
    underpass_priority: int | None = None
    withdrawn_at: datetime | None = None


class SensorHeight(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment period of a downward-looking sensor: level = height_m - distance_m."""

    station_id: str
    height_m: float
    lowest_point_m: float = 0.0  # how much lower the deepest point beside it lies: for people, nothing is judged by it
    valid_from: datetime
    valid_to: datetime | None = None


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One level of one hazard of one station, dated, with the document it comes from."""

    station_id: str
    hazard: Hazard
    element: str
    level: Level
    version: int = 1
    on: float
    off: float
    confirm: int = 1  # further good samples needed beside the first; 0 raises at once
    confirm_max_s: float = 120.0
    hold_min: float = 30.0  # below `off` for so long before it ends
    source: str
    valid_from: datetime
    valid_to: datetime | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A manhole or outlet of the pipe network; levels in metres of the district's datum."""

    node_id: str
    station_id: str | None = None
    invert_m: float
    crown_m: float
    ground_m: float
    lat: float
    lon: float


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A pipe; water runs from upstream to downstream by design."""

    edge_id: str
    upstream: str
    downstream: str
    diameter_m: float | None = None


class Basin(msgspec.Struct, frozen=True, kw_only=True):
    basin_id: str
    name_zh: str
    name_en: str
    parent_id: str | None = None


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    station_id: str
    neighbour_id: str
    kind: Literal["upstream", "downstream", "near", "rain"]


class RainWeight(msgspec.Struct, frozen=True, kw_only=True):
    """The share of a gauge in the areal mean of a basin; the shares of a basin sum to 1."""

    basin_id: str
    station_id: str
    weight: float


class WaterRegister(msgspec.Struct, frozen=True, kw_only=True):
    version: int = 0
    stations: tuple[Station, ...] = ()
    heights: tuple[SensorHeight, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    basins: tuple[Basin, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    rain_weights: tuple[RainWeight, ...] = ()
