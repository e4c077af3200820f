"""Whose movement is evidence for whom? When a neighbour rises or it rains hard, a line that stands still is stuck."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from schemas.water_registers import WaterRegister
from streams.water.rules import SeriesKey, SeriesRules


def evidence_links(
    register: WaterRegister, slots: Mapping[SeriesKey, int], rules: list[SeriesRules]
) -> dict[int, npt.NDArray[np.int64]]:
    """Of each series those of other stations that it speaks for: neighbours by the register, gauges for their basin."""
    speaks_for: dict[str, set[str]] = {}
    for each in register.neighbours:
        speaks_for.setdefault(each.neighbour_id, set()).add(each.station_id)
        if each.kind != "rain":
            speaks_for.setdefault(each.station_id, set()).add(each.neighbour_id)
    in_basin: dict[str, set[str]] = {}
    for station in register.stations:
        if station.basin_id is not None and station.kind != "rain":
            in_basin.setdefault(station.basin_id, set()).add(station.station_id)
    for weight in register.rain_weights:
        speaks_for.setdefault(weight.station_id, set()).update(in_basin.get(weight.basin_id, ()))
    by_station: dict[str, list[int]] = {}
    for slot in slots.values():
        by_station.setdefault(rules[slot].station_id, []).append(slot)
    found = {}
    for station_id, others in speaks_for.items():
        near = sorted(slot for other in others if other != station_id for slot in by_station.get(other, ()))
        for slot in by_station.get(station_id, ()):
            if near:
                found[slot] = np.array(near, np.int64)
    return found
