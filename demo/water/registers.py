"""Which CSV files does the demo's water register have? Stations, thresholds and pipes as sql/registers reads them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from demo.ground import distance_m
from demo.registers import csv_bytes
from demo.water.hydrology import highest_m, steepest_per_min
from demo.water.network import (
    CENTRE,
    Station,
    gauges,
    nodes,
    pipes,
    river_stations,
    stations,
    underpasses,
)
from demo.water.places import rivers
from demo.water.storm import FASTEST

VALID_FROM = "2026-01-01"
DATUM = "1956 Yellow Sea (demo)"
SHARES = (("blue", 0.35, 2), ("yellow", 0.52, 1), ("orange", 0.72, 1), ("red", 0.88, 0))  # of the rise; confirmations
DEPTHS_M = (("blue", 0.15, 1), ("yellow", 0.27, 1), ("orange", 0.40, 0), ("red", 0.60, 0))
RAIN = (("blue", 12, 50.0), ("yellow", 6, 50.0), ("orange", 3, 50.0), ("red", 3, 100.0))
SOURCE = "demo: made for a simulated district, no official threshold"
RAIN_SOURCE = "demo: after the national rain signals (12 h 50 mm, 6 h 50 mm, 3 h 50 mm, 3 h 100 mm)"
STEEPER = 1.5  # than the steepest rise of the reference storm: water.md 2.3


def files(factor: float = FASTEST) -> dict[str, bytes]:
    """`factor`: how many hours of the storm pass in one; what is steep depends on it.

    One register serves calm and storm: what is in force is not rewritten when the weather changes.
    """
    return {
        "basins.csv": csv_bytes(_basins()),
        "stations.csv": csv_bytes(_station(one, factor) for one in stations()),
        "sensor_heights.csv": csv_bytes(_height(one) for one in nodes()),
        "thresholds.csv": csv_bytes(row for one in stations() for row in _thresholds(one)),
        "nodes.csv": csv_bytes(_node(one) for one in nodes()),
        "edges.csv": csv_bytes(
            {
                "edge_id": pipe.pipe_id,
                "upstream": pipe.upstream.station_id,
                "downstream": pipe.downstream.station_id,
                "diameter_m": pipe.diameter_m,
            }
            for pipe in pipes()
        ),
        "neighbours.csv": csv_bytes(_neighbours()),
        "rain_weights.csv": csv_bytes(_weights()),
    }


def _basins() -> Iterable[dict[str, Any]]:
    for river in rivers().values():
        yield {
            "basin_id": river.key,
            "name_zh": f"{river.name_zh}流域",
            "name_en": f"{river.name_en} basin",
            "parent_id": "" if river.key == "shenzhen" else "shenzhen",
        }


def _station(one: Station, factor: float) -> dict[str, Any]:
    low, high = _range(one)
    row: dict[str, Any] = {
        "station_id": one.station_id,
        "source": one.source,
        "station": one.address,
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "kind": one.kind,
        "lat": one.point[1],
        "lon": one.point[0],
        "subdistrict_code": one.subdistrict or "",
        "basin_id": one.basin,
        "element": element_of(one),
        "datum": "road" if one.kind == "underpass" else "" if one.kind == "rain" else DATUM,
        "cadence_s": 60,
        "range_low": low,
        "range_high": high,
        "rate_limit_per_min": "",
        "noise_p99": 0.01,
        "flat_line_min": 60,
        "day_start": "08:00",
        "centre": CENTRE if one.device == "sl651" else "",
        "may_query": "yes" if one.device == "sl651" else "no",
        "may_set_clock": "yes" if one.device == "sl651" else "no",
        "gateway": one.gateway or "",
        "underpass_priority": one.priority or "",
        "valid_from": VALID_FROM,
    }
    if one.kind != "rain":
        row["rate_limit_per_min"] = round(max(STEEPER * steepest_per_min(one, factor), 0.1), 3)
    return row


def element_of(one: Station) -> str:
    """The quantity that a station is judged by."""
    return {"rain": "rain_total_mm", "underpass": "depth_m"}.get(one.kind, "level_m")


def _range(one: Station) -> tuple[float, float]:
    if one.kind == "rain":
        return 0.0, 99_999.9
    if one.kind == "underpass":
        return 0.0, 5.0
    if one.kind == "pipe_node":
        return round(one.invert_m - 0.2, 3), round(one.ground_m + 1.0, 3)
    return round(one.base_m - 1.5, 3), round(highest_m(one) + 3.0, 3)


def _height(one: Station) -> dict[str, Any]:
    return {"station_id": one.station_id, "height_m": one.height_m, "lowest_point_m": 0, "valid_from": VALID_FROM}


def _thresholds(one: Station) -> Iterable[dict[str, Any]]:
    if one.kind == "rain":
        for level, hours, mm in RAIN:
            yield _line(one, "rain", f"rain_sum_{hours}h_mm", level, mm, mm * 0.9, 0, 60, RAIN_SOURCE)
        return
    element = element_of(one)
    if one.kind == "underpass":
        for level, depth, confirm in DEPTHS_M:
            yield _line(one, "ponding", element, level, depth, depth - 0.05, confirm, 15, SOURCE)
    elif one.kind == "pipe_node":
        for level, on, confirm in _of_node(one):
            yield _line(one, "surcharge", element, level, on, on - 0.05, confirm, 15, SOURCE)
    else:
        rise = highest_m(one) - one.base_m
        for level, share, confirm in SHARES:
            on = one.base_m + share * rise
            yield _line(one, "flood", element, level, on, on - max(0.05, 0.03 * rise), confirm, 30, SOURCE)


def _of_node(one: Station) -> list[tuple[str, float, int]]:
    """Filling 0.8, the crown, half a metre and a tenth below the street; of two that lie the wrong way the worse."""
    lines: list[tuple[str, float, int]] = []
    for level, on, confirm in (
        ("blue", one.invert_m + 0.8 * (one.crown_m - one.invert_m), 1),
        ("yellow", one.crown_m, 1),
        ("orange", one.ground_m - 0.5, 0),
        ("red", one.ground_m - 0.1, 0),
    ):
        while lines and lines[-1][1] >= on:
            lines.pop()
        lines.append((level, on, confirm))
    return lines


def _line(
    one: Station, hazard: str, element: str, level: str, on: float, off: float, confirm: int, hold: int, source: str
) -> dict[str, Any]:
    return {
        "station_id": one.station_id,
        "hazard": hazard,
        "element": element,
        "level": level,
        "on": round(on, 3),
        "off": round(off, 3),
        "confirm": confirm,
        "confirm_max_s": 120,
        "hold_min": hold,
        "source": source,
        "valid_from": VALID_FROM,
    }


def _node(one: Station) -> dict[str, Any]:
    return {
        "node_id": one.station_id,
        "station_id": one.station_id,
        "invert_m": one.invert_m,
        "crown_m": one.crown_m,
        "ground_m": one.ground_m,
        "lat": one.point[1],
        "lon": one.point[0],
    }


def _neighbours() -> Iterable[dict[str, Any]]:
    """The next one of a river or a branch, the gauge nearest to it, and the node nearest to an underpass."""
    by_river: dict[str, list[Station]] = {}
    for one in river_stations():
        by_river.setdefault(f"{one.basin} {one.kind}", []).append(one)
    chains = [chain for key, chain in by_river.items() if key.endswith("river")]
    steps = [(upper, lower) for chain in chains for upper, lower in pairwise(chain)]
    steps += [(pipe.upstream, pipe.downstream) for pipe in pipes()]
    for upper, lower in steps:
        yield {"station_id": upper.station_id, "neighbour_id": lower.station_id, "kind": "downstream"}
        yield {"station_id": lower.station_id, "neighbour_id": upper.station_id, "kind": "upstream"}
    for one in (*river_stations(), *nodes(), *underpasses()):
        yield {"station_id": one.station_id, "neighbour_id": _nearest(one, gauges()).station_id, "kind": "rain"}
    for one in underpasses():
        yield {"station_id": one.station_id, "neighbour_id": _nearest(one, nodes()).station_id, "kind": "near"}


def _nearest(one: Station, others: Iterable[Station]) -> Station:
    return min(others, key=lambda other: distance_m(one.point, other.point))


def _weights() -> Iterable[dict[str, Any]]:
    """Every gauge of a basin counts alike; the last one takes what is left of 1."""
    by_basin: dict[str, list[Station]] = {}
    for one in gauges():
        by_basin.setdefault(one.basin, []).append(one)
    for basin, own in sorted(by_basin.items()):
        share = round(1 / len(own), 4)
        for place, one in enumerate(own, 1):
            weight = share if place < len(own) else round(1 - share * (len(own) - 1), 4)
            yield {"basin_id": basin, "station_id": one.station_id, "weight": weight}
