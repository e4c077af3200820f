"""Which series tell of the pipes, their pumps and sluices, and what do they say now?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from schemas.storm import Machine
from schemas.water_registers import Station, WaterRegister
from streams.alerts.episodes import Alert, Clearing, Subject
from streams.water.defaults import newest_stations
from streams.water.gauges import NONE, Samples
from streams.water.pipes import PipeState, Recent, gate_state, pump_state
from streams.water.rain import Areal, Sum
from streams.water.rules import (
    FRESH_MIN,
    MINUTE,
    SECOND,
    SeriesKey,
    SeriesRules,
    instant,
    period_at,
)

KINDS: Final = ("reversal", "blockage", "pump_idle")
STALE_STEPS: Final = 3  # of its own reporting step
DRY_HOURS: Final = 6

Rain = tuple[float | None, float]  # mm, missing share


class NetworkKeys(msgspec.Struct, frozen=True, kw_only=True):
    """By station, of the newest version of each. A pump's sump is the level of its own station."""

    levels: dict[str, tuple[SeriesKey, ...]]
    velocities: dict[str, SeriesKey]
    pumps: dict[str, SeriesKey]
    sluices: dict[str, SeriesKey]
    stations: dict[str, Station]

    def all(self) -> set[SeriesKey]:
        levels = {key for keys in self.levels.values() for key in keys}
        return levels | {*self.velocities.values(), *self.pumps.values(), *self.sluices.values()}


def network_keys(register: WaterRegister, rules: Mapping[SeriesKey, SeriesRules]) -> NetworkKeys:
    stations = newest_stations(register)
    judged = judged_keys(stations.values(), rules)
    nodes = {node.station_id for node in register.nodes if node.station_id in stations}
    pumps = {each.station_id for each in stations.values() if each.kind == "pump"}
    sluices = {each.station_id for each in stations.values() if each.kind == "sluice"}

    def own(names: Iterable[str | None], element: str) -> dict[str, SeriesKey]:
        return {name: (stations[name].source, stations[name].station, element) for name in names if name is not None}

    return NetworkKeys(
        levels={name: judged[name] for name in nodes | pumps if name is not None and name in judged},
        velocities=own(nodes, "velocity_ms"),
        pumps=own(pumps, "pump_running"),
        sluices=own(sluices, "gate_opening_m"),
        stations={name: stations[name] for name in (*nodes, *pumps, *sluices) if name is not None},
    )


def judged_keys(
    stations: Iterable[Station], rules: Mapping[SeriesKey, SeriesRules]
) -> dict[str, tuple[SeriesKey, ...]]:
    """The series by which each station is judged: a logger may tell a level, a distance, or both."""
    found: dict[str, list[SeriesKey]] = {}
    elements = {each.station_id: each.element for each in stations}
    for key, each in rules.items():
        if each.element == elements.get(each.station_id) and each.kind != "rain":
            found.setdefault(each.station_id, []).append(key)
    return {station_id: tuple(sorted(keys)) for station_id, keys in found.items()}


def recent_of(
    keys: Collection[SeriesKey],
    rules: Mapping[SeriesKey, SeriesRules],
    samples: Mapping[SeriesKey, Samples],
    now: int,
    fresh_for: int,
) -> Recent | None:
    """The samples of the series that spoke last, as they are judged. None: there are none, or they are too old."""
    best: Recent | None = None
    for key in keys:
        own = samples.get(key, NONE)
        of_key = rules.get(key)
        ats, values = own if of_key is None else _judged(of_key, own)
        upto = int(np.searchsorted(ats, now, side="right"))
        if upto and now - ats[upto - 1] <= fresh_for and (best is None or ats[upto - 1] > best.at):
            best = Recent(ats[:upto], values[:upto])
    return best


def fresh_for(station: Station) -> int:
    """How old the newest word of a station may be to say something of now."""
    return max(FRESH_MIN * MINUTE, round(STALE_STEPS * station.cadence_s * SECOND))


def _judged(rules: SeriesRules, samples: Samples) -> Samples:
    ats, values = samples
    if len(rules.periods) == 1:
        period = rules.periods[0]
        return Samples(ats, values * period.scale + period.offset)
    judged, known = np.empty(len(ats)), np.zeros(len(ats), np.bool_)
    for period in rules.periods:
        within = (ats >= period.begins) & (ats < period.ends)
        judged[within] = values[within] * period.scale + period.offset
        known[within] = period.low <= period.high  # else nobody knows what a distance means
    return Samples(ats[known], judged[known])


def pipe_state(
    keys: NetworkKeys,
    rules: Mapping[SeriesKey, SeriesRules],
    samples: Mapping[SeriesKey, Samples],
    rain_6h: Mapping[str, Rain],
    active: Iterable[Alert],
    now: int,
) -> PipeState:
    """`rain_6h`: empty where blockages are not looked for now."""
    limits = {name: rules[own[0]] for name, own in keys.levels.items()}
    starts = {name: lowest for name in keys.pumps if (lowest := _lowest_line(limits.get(name), now)) is not None}
    return PipeState(
        levels=_recents(keys, keys.levels, rules, samples, now),
        velocities=_recents(keys, _alone(keys.velocities), rules, samples, now),
        rain_6h=rain_6h,
        pumps=_recents(keys, _alone(keys.pumps), rules, samples, now),
        pump_starts_m=starts,
        blocked_over_m={
            each.subject.subject: float(each.detail["usual_m"])
            for each in active
            if each.subject.kind == "blockage" and "usual_m" in each.detail
        },
    )


def machines(
    keys: NetworkKeys, rules: Mapping[SeriesKey, SeriesRules], samples: Mapping[SeriesKey, Samples], now: int
) -> list[Machine]:
    """What pumps and sluices do now. One that is silent or stale is unknown."""
    pumps = _recents(keys, _alone(keys.pumps), rules, samples, now)
    gates = _recents(keys, _alone(keys.sluices), rules, samples, now)
    found = [(name, pump_state(pumps.get(name)), pumps.get(name)) for name in keys.pumps]
    found += [(name, gate_state(gates.get(name)), gates.get(name)) for name in keys.sluices]
    return [
        Machine(
            station_id=name,
            name_zh=keys.stations[name].name_zh,
            name_en=keys.stations[name].name_en,
            kind=keys.stations[name].kind,
            state=state,
            observed_at=None if recent is None else instant(recent.at),
        )
        for name, state, recent in sorted(found, key=lambda each: each[0])
    ]


def _alone(keys: Mapping[str, SeriesKey]) -> dict[str, tuple[SeriesKey, ...]]:
    return {name: (key,) for name, key in keys.items()}


def _recents(
    of: NetworkKeys,
    keys: Mapping[str, tuple[SeriesKey, ...]],
    rules: Mapping[SeriesKey, SeriesRules],
    samples: Mapping[SeriesKey, Samples],
    now: int,
) -> dict[str, Recent]:
    found = {name: recent_of(own, rules, samples, now, fresh_for(of.stations[name])) for name, own in keys.items()}
    return {name: recent for name, recent in found.items() if recent is not None}


def _lowest_line(rules: SeriesRules | None, now: int) -> float | None:
    """A pump must run from the lowest line of its station on."""
    hazards = () if rules is None else period_at(rules, now).hazards
    return min((each.lowest_on for each in hazards), default=None)


def rain_at(
    register: WaterRegister, gauges: Mapping[str, Sequence[Sum]], basins: Mapping[str, Mapping[int, Areal]]
) -> dict[str, Rain]:
    """The rain of six hours at each node: of the gauges that the register names for it, else of its basin."""
    named: dict[str, list[str]] = {}
    for each in register.neighbours:
        if each.kind == "rain":
            named.setdefault(each.station_id, []).append(each.neighbour_id)
    stations = newest_stations(register)
    found: dict[str, Rain] = {}
    for node in register.nodes:
        station = stations.get(node.station_id or "")
        if station is None:
            continue
        own = [gauges[name] for name in named.get(station.station_id, ()) if name in gauges]
        sums = [each for of_gauge in own for each in of_gauge if each.hours == DRY_HOURS and each.missing_share < 1]
        mean = basins.get(station.basin_id or "", {}).get(DRY_HOURS)
        if sums:
            found[station.station_id] = (max(each.mm for each in sums), max(each.missing_share for each in sums))
        elif mean is not None:
            found[station.station_id] = (mean.mm, mean.missing_share)
    return found


def gone(register: WaterRegister, active: Iterable[Alert]) -> list[Clearing]:
    """Alerts of what the register no longer has: nobody would ever end them."""
    known: dict[str, set[str]] = {
        "reversal": {each.edge_id for each in register.edges},
        "blockage": {each.node_id for each in register.nodes},
        "pump_idle": {each.station_id for each in register.stations if each.kind == "pump"},
    }
    return [_gone(each.subject) for each in active if each.subject.subject not in known.get(each.subject.kind, set())]


def _gone(subject: Subject) -> Clearing:
    return Clearing(
        subject=subject,
        sentence_zh=f"{subject.subject} 已从登记表中移除，不再监视。",
        sentence_en=f"{subject.subject} is no longer in the register and no longer watched.",
    )
