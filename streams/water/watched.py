"""Which stations are there at a time, what do their newest readings say, and what is known of them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from schemas.water_registers import Station, WaterRegister
from streams.water.knowledge import Known
from streams.water.rules import ALWAYS, SeriesKey, SeriesRules, is_gauge, period_at, rules_of


class Newest(NamedTuple):
    """The newest reading of a series up to a time, and the newest good one. Values as they were said."""

    at: int
    heard_at: int
    flag: int
    good_at: int | None
    value: float | None


class Good(NamedTuple):
    """A good value as it is judged: a distance as a level."""

    at: int
    value: float


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A station as the register has it at a time, with the series that are judged for it."""

    station: Station
    rules: SeriesRules  # of the element that its hazard is judged by
    series: tuple[tuple[SeriesKey, SeriesRules], ...]


class Stations:
    """The register of one version, made ready to be asked for any time."""

    def __init__(self, register: WaterRegister) -> None:
        self.register = register
        self.rules = rules_of(register)
        self._dated: dict[str, list[Station]] = {}
        for station in sorted(register.stations, key=lambda each: (each.valid_from, each.version)):
            self._dated.setdefault(station.station_id, []).append(station)
        self._series: dict[tuple[str, str, str], list[tuple[SeriesKey, SeriesRules]]] = {}
        for key, rules in self.rules.items():
            self._series.setdefault((rules.station_id, key[0], key[1]), []).append((key, rules))

    def at(self, time: datetime) -> dict[str, Watched]:
        """Every station that is there at a time. One that was withdrawn is not."""
        found = {}
        for station_id, dated in sorted(self._dated.items()):
            station = next((each for each in reversed(dated) if each.valid_from <= time), None)
            if station is None or _is_over(station, time):
                continue
            series = tuple(self._series.get((station_id, station.source, station.station), ()))
            rules = next((rules for _, rules in series if rules.element == station.element), None)
            if rules is not None:
                found[station_id] = Watched(station=station, rules=rules, series=series)
        return found


def _is_over(station: Station, time: datetime) -> bool:
    return (station.valid_to is not None and station.valid_to <= time) or (
        station.withdrawn_at is not None and station.withdrawn_at <= time
    )


def keys_of(watched: Iterable[Watched]) -> list[SeriesKey]:
    return [key for each in watched for key, _ in each.series]


def good_of(watched: Watched, newest: Mapping[SeriesKey, Newest], element: str) -> Good | None:
    """The newest good value of an element, from whichever series tells it."""
    best: Good | None = None
    for key, rules in watched.series:
        said = newest.get(key)
        if rules.element != element or said is None or said.good_at is None or said.value is None:
            continue
        if best is None or said.good_at > best.at:
            period = period_at(rules, said.good_at)
            best = Good(said.good_at, said.value * period.scale + period.offset)
    return best


def known_of(
    watched: Mapping[str, Watched],
    newest: Mapping[SeriesKey, Newest],
    remembered: Mapping[str, Good],
    levels: Mapping[str, int],
    raining: Mapping[tuple[str, bool], float],
    raining_mm: float,
) -> list[Known]:
    """What is known of each station.

    remembered  the last good values of stations that had none for a day
    raining     the rain of the last hour, by (station, False) or (basin, True)
    """
    return [
        _known(
            each,
            newest,
            remembered.get(station_id),
            levels.get(station_id, 0),
            raining.get((station_id, False), raining.get((each.station.basin_id or "", True), 0.0)) >= raining_mm,
        )
        for station_id, each in watched.items()
    ]


def _known(
    watched: Watched, newest: Mapping[SeriesKey, Newest], remembered: Good | None, level: int, is_raining: bool
) -> Known:
    element = watched.station.element
    said = [newest[key] for key, rules in watched.series if key in newest]
    judged = [newest[key] for key, rules in watched.series if key in newest and rules.element == element]
    good = good_of(watched, newest, element)
    good = remembered if good is None else good
    return Known(
        rules=watched.rules,
        gateway=watched.station.gateway,
        basin_id=watched.station.basin_id,
        heard_at=max((each.heard_at for each in said), default=ALWAYS),
        good_at=ALWAYS if good is None else good.at,
        suspect_at=max((each.at for each in judged if each.flag != 1), default=ALWAYS),
        value=None
        if good is None or is_gauge(watched.rules)
        else good.value,  # a count by itself tells nobody anything
        level=level,
        raining=is_raining,
    )


def heard_later(
    known: Sequence[Known], watched: Mapping[str, Watched], heard: Mapping[tuple[str, str], int]
) -> list[Known]:
    """Stations that were heard by other series than those that are judged."""
    found = []
    for each in known:
        station = watched[each.rules.station_id].station
        at = heard.get((station.source, station.station), ALWAYS)
        found.append(msgspec.structs.replace(each, heard_at=at) if at > each.heard_at else each)
    return found
