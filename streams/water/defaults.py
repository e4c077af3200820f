"""By what lines is a pipe node or a street judged that has none of its own? By its geometry and by depths of ponding.

They hold until the water authority has set its own; each says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.fields import EARLIEST
from schemas.water_registers import LEVELS, Node, Station, Threshold, WaterRegister

SOURCE: Final = "CitySense default, to be set by the water authority"
FULL_SHARE: Final = 0.8  # of the pipe's height: blue
FREEBOARD_ORANGE_M: Final = 0.5
FREEBOARD_RED_M: Final = 0.1
STREET_DEPTHS_M: Final = (0.15, 0.27, 0.40, 0.60)
OFF_M: Final = 0.05  # off this much below on
HOLD_MIN: Final = 15.0


def node_thresholds(node: Node, element: str = "level_m") -> tuple[Threshold, ...]:
    """Filling, surcharge and freeboard of a node that has no thresholds of its own; in the order of the water."""
    if node.station_id is None:
        return ()
    ons = (
        node.invert_m + FULL_SHARE * (node.crown_m - node.invert_m),
        node.crown_m,
        node.ground_m - FREEBOARD_ORANGE_M,
        node.ground_m - FREEBOARD_RED_M,
    )
    lines: list[tuple[int, float]] = []
    for level, on in enumerate(ons, 1):  # a shallow node is near the street before its pipe is full: the worse counts
        while lines and lines[-1][1] >= on:
            lines.pop()
        lines.append((level, on))
    return tuple(
        _default(node.station_id, "surcharge", element, level, on, confirm=1 if level <= 2 else 0)
        for level, on in lines
    )


def street_thresholds(station: Station) -> tuple[Threshold, ...]:
    return tuple(
        _default(station.station_id, "ponding", station.element, level, on, confirm=1 if level <= 2 else 0)
        for level, on in enumerate(STREET_DEPTHS_M, 1)
    )


def all_thresholds(register: WaterRegister) -> tuple[Threshold, ...]:
    """Those of the register, and the defaults of nodes whose levels and streets whose depths have none."""
    newest = newest_stations(register)
    own = {(each.station_id, each.hazard) for each in register.thresholds}
    found: list[Threshold] = list(register.thresholds)
    for node in register.nodes:
        station = newest.get(node.station_id or "")
        if station is not None and station.element == "level_m" and (station.station_id, "surcharge") not in own:
            found += node_thresholds(node)
    for station in newest.values():
        is_street = station.kind in ("street", "underpass") and station.element == "depth_m"
        if is_street and (station.station_id, "ponding") not in own:
            found += street_thresholds(station)
    return tuple(found)


def newest_stations(register: WaterRegister) -> dict[str, Station]:
    ordered = sorted(register.stations, key=lambda each: (each.valid_from, each.version))
    return {station.station_id: station for station in ordered}


def by_station(thresholds: Iterable[Threshold]) -> dict[str, list[Threshold]]:
    found: dict[str, list[Threshold]] = {}
    for threshold in thresholds:
        found.setdefault(threshold.station_id, []).append(threshold)
    return found


def _default(station_id: str, hazard: str, element: str, level: int, on: float, confirm: int) -> Threshold:
    return msgspec.convert(
        {
            "station_id": station_id, "hazard": hazard, "element": element, "level": LEVELS[level - 1],
            "on": round(on, 4), "off": round(on - OFF_M, 4), "confirm": confirm, "hold_min": HOLD_MIN,
            "source": SOURCE, "valid_from": EARLIEST,
        },
        Threshold,
    )  # fmt: skip
