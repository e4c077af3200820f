"""What is known of each station for the decision aid: its danger, its pace, and how it stands around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, cast

import msgspec

from schemas.water_registers import Station, WaterRegister
from streams.water.forecast import WINDOW, theil_sen
from streams.water.gauges import Samples
from streams.water.knowledge import State
from streams.water.network import fresh_for, recent_of
from streams.water.rain import Areal
from streams.water.rules import SECOND, HazardRules, SeriesKey, SeriesRules, micros, period_at
from streams.water.storm import Asset

PACE_STEPS: Final = 4  # of its reporting step: the pace of a slow station is seen over so long
LEAST_POINTS: Final = 3


class Hazard(msgspec.Struct, frozen=True, kw_only=True):
    """A row of water_hazard: the danger of a station, and what is known of it."""

    station_id: str
    hazard: str
    level: int
    knowledge: str
    knowledge_since: datetime | None
    value: float | None
    observed_at: datetime | None


def stations_at(register: WaterRegister, at: datetime) -> dict[str, Station]:
    """Every station that is there at a time."""
    found: dict[str, Station] = {}
    for station in sorted(register.stations, key=lambda each: (each.valid_from, each.version)):
        if station.valid_from <= at or station.station_id not in found:
            found[station.station_id] = station
    return {
        station_id: station
        for station_id, station in found.items()
        if (station.valid_to is None or at < station.valid_to)
        and (station.withdrawn_at is None or at < station.withdrawn_at)
    }


def pace_window(station: Station) -> int:
    return max(WINDOW, round(PACE_STEPS * station.cadence_s * SECOND))


def assets_of(
    register: WaterRegister,
    stations: Mapping[str, Station],
    keys: Mapping[str, tuple[SeriesKey, ...]],
    rules: Mapping[SeriesKey, SeriesRules],
    hazards: Iterable[Hazard],
    samples: Mapping[SeriesKey, Samples],
    means: Mapping[str, Mapping[int, Areal]],
    now: int,
) -> list[Asset]:
    """One for each station, by the worst of its hazards. Who has no row of a hazard was never heard of."""
    worst: dict[str, Hazard] = {}
    for each in hazards:
        if each.station_id not in worst or each.level > worst[each.station_id].level:
            worst[each.station_id] = each
    levels = {station_id: each.level for station_id, each in worst.items()}
    upstream, near = upstream_levels(register, levels), near_levels(register, stations, levels)
    found = []
    for station_id, station in sorted(stations.items()):
        row, own = worst.get(station_id), keys.get(station_id, ())
        is_rain = station.kind == "rain"  # its sums cross lines in the fold; here it may be blind
        asset = Asset(
            station=station,
            level=0 if row is None else row.level,
            knowledge="never" if row is None else cast(State, row.knowledge),
            silent_since=None if row is None or row.knowledge_since is None else micros(row.knowledge_since),
            value=None if row is None or is_rain else row.value,
            at=None if row is None or row.observed_at is None else micros(row.observed_at),
            slope_per_min=None if is_rain else pace(station, own, rules, samples, now),
            hazard=None if row is None or is_rain else _lines(row.hazard, own, rules, now),
            rain_1h=means.get(station.basin_id or "", {}).get(1),
            upstream_level=upstream.get(station_id, 0),
            near_level=near.get(station_id, 0) if station.kind in ("street", "underpass") else 0,
        )
        found.append(asset)
    return found


def pace(
    station: Station,
    keys: tuple[SeriesKey, ...],
    rules: Mapping[SeriesKey, SeriesRules],
    samples: Mapping[SeriesKey, Samples],
    now: int,
) -> float | None:
    """How much it rises in a minute, by its last samples. None: there are too few, or they are too old."""
    recent = recent_of(keys, rules, samples, now, fresh_for(station))
    if recent is None:
        return None
    within = recent.ats > recent.at - pace_window(station)
    ats, values = recent.ats[within].tolist(), recent.values[within].tolist()
    return round(theil_sen(ats, values), 5) if len(ats) >= LEAST_POINTS else None


def _lines(
    hazard: str, keys: Iterable[SeriesKey], rules: Mapping[SeriesKey, SeriesRules], now: int
) -> HazardRules | None:
    of_keys = (each for key in keys for each in period_at(rules[key], now).hazards)
    return next((each for each in of_keys if each.hazard == hazard), None)


def upstream_levels(register: WaterRegister, levels: Mapping[str, int]) -> dict[str, int]:
    """The worst danger of all that lies upstream of a station: along rivers, and along pipes."""
    below: dict[str, set[str]] = {}
    for each in register.neighbours:
        if each.kind == "downstream":
            below.setdefault(each.station_id, set()).add(each.neighbour_id)
        elif each.kind == "upstream":
            below.setdefault(each.neighbour_id, set()).add(each.station_id)
    station_of = {node.node_id: node.station_id for node in register.nodes}
    for edge in register.edges:
        upper, lower = station_of.get(edge.upstream), station_of.get(edge.downstream)
        if upper is not None and lower is not None:
            below.setdefault(upper, set()).add(lower)
    found: dict[str, int] = {}
    for station_id, level in sorted(levels.items(), key=lambda each: (-each[1], each[0])):
        reached = list(below.get(station_id, ())) if level else []
        while reached:  # what is marked has been reached from a place that is worse
            name = reached.pop()
            if name not in found:
                found[name] = level
                reached += below.get(name, ())
    return found


def near_levels(register: WaterRegister, stations: Mapping[str, Station], levels: Mapping[str, int]) -> dict[str, int]:
    """The worst danger of the pipe nodes beside a station."""
    found: dict[str, int] = {}
    for each in register.neighbours:
        if each.kind == "near":
            for one, other in ((each.station_id, each.neighbour_id), (each.neighbour_id, each.station_id)):
                if other in stations and stations[other].kind == "pipe_node":
                    found[one] = max(found.get(one, 0), levels.get(other, 0))
    return found
