"""By what is a series judged at a time? The dated register as flat rules, one set for each period without a change.

Times are whole microseconds since 1970 (UTC): the only time that the folds of water know.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from schemas.water_registers import LEVELS, SensorHeight, Station, Threshold, WaterRegister
from streams.water.defaults import all_thresholds, by_station

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND
ALWAYS: Final = -(1 << 62)
NEVER: Final = 1 << 62

FRESH_MIN_RIVER: Final = 60  # older data raise no immediate alert (water.md 2.4)
FRESH_MIN: Final = 15
CLOCK_AHEAD: Final = 5 * MINUTE  # a reading from further in the future has a wrong clock
HALF: Final = 0.5  # rain that is not yet below the off-line of a level has a severity so much below it
RAIN_SUM_PREFIX: Final = "rain_sum_"  # thresholds on rain_sum_3h_mm are judged on sums over the gauge's own counts


SeriesKey = tuple[str, str, str]  # source, station, element


class LevelRule(msgspec.Struct, frozen=True):
    """One level of one hazard."""

    level: int  # 1 blue .. 4 red
    on: float
    off: float
    confirm: int
    confirm_max: int
    hold: int
    source: str
    version: int


class HazardRules(msgspec.Struct, frozen=True):
    hazard: str
    levels: tuple[LevelRule, ...]  # from the lowest
    lowest_on: float


class RainRule(msgspec.Struct, frozen=True):
    """A colour of a sum over so many hours."""

    hours: int
    rule: LevelRule


class Period(msgspec.Struct, frozen=True):
    """Rules of a series in [begins, ends). The judged value is scale * reading + offset."""

    begins: int = ALWAYS
    ends: int = NEVER
    scale: float = 1.0
    offset: float = 0.0
    low: float = float("-inf")
    high: float = float("inf")
    rate: float = float("inf")  # of the value in a microsecond
    noise: float = 0.0
    hazards: tuple[HazardRules, ...] = ()
    rain: tuple[RainRule, ...] = ()  # of a gauge: its sums are judged, never its count


class SeriesRules(msgspec.Struct, frozen=True):
    station_id: str
    element: str  # what is judged: distance_m is judged as the level that it means
    kind: str = "river"
    name_zh: str = ""
    name_en: str = ""
    periods: tuple[Period, ...] = (Period(),)
    fresh_for: int = FRESH_MIN_RIVER * MINUTE
    flat_line: int = 60 * MINUTE
    cadence: int = 300 * SECOND


def is_gauge(rules: SeriesRules) -> bool:
    return rules.element.startswith("rain_")


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def period_at(rules: SeriesRules, at: int) -> Period:
    periods = rules.periods
    if at >= periods[-1].begins:
        return periods[-1]
    return periods[max(bisect_right(periods, at, key=lambda period: period.begins) - 1, 0)]


def level_rule(threshold: Threshold) -> LevelRule:
    return LevelRule(
        level=LEVELS.index(threshold.level) + 1,
        on=threshold.on,
        off=threshold.off,
        confirm=threshold.confirm,
        confirm_max=NEVER if threshold.confirm_max_s >= 1e9 else round(threshold.confirm_max_s * SECOND),
        hold=round(threshold.hold_min * MINUTE),
        source=threshold.source,
        version=threshold.version,
    )


def rules_of(register: WaterRegister) -> dict[SeriesKey, SeriesRules]:
    """The rules of every series that is judged, found by what its readings carry.

    A station that reports distances is judged by them as levels, and not by levels that come beside them: a hazard of
    a station has one judge. A raw series that no threshold or range names has no rules and is only stored, and so is a
    relative level: the connector makes levels of those above a known value. Nodes and streets without lines of their
    own have those of defaults.py.
    """
    versions: dict[str, list[Station]] = {}
    for station in register.stations:
        versions.setdefault(station.station_id, []).append(station)
    thresholds = by_station(all_thresholds(register))
    heights: dict[str, list[SensorHeight]] = {}
    for height in register.heights:
        heights.setdefault(height.station_id, []).append(height)
    found: dict[SeriesKey, SeriesRules] = {}
    since: dict[SeriesKey, datetime] = {}
    for station_id, dated in versions.items():
        dated.sort(key=lambda station: (station.valid_from, station.version))
        own = thresholds.get(station_id, [])
        named = {each.element for each in own if not _is_of_sums(each)}
        for row in dated:
            elements = {each.element for each in dated if _reporter(each) == _reporter(row)} | named
            looks_down = heights.get(station_id, [])
            of_row = {element: _series(dated, row, element, own, looks_down) for element in elements}
            if looks_down:
                of_row["distance_m"] = _series(dated, row, _judged(row), own, looks_down, is_distance=True)
            for element, rules in sorted(of_row.items()):
                key = (row.source, row.station, element)
                if row.valid_from >= since.get(key, row.valid_from):  # a logger that moved is the newer station's
                    found[key], since[key] = rules, row.valid_from
    return found


def _judged(station: Station) -> str:
    """What a sensor's distances are judged as."""
    return "level_m" if station.element == "distance_m" else station.element


def _reporter(station: Station) -> tuple[str, str]:
    """Who its readings come from."""
    return station.source, station.station


def _series(
    dated: list[Station],
    reporter: Station,
    element: str,
    thresholds: Iterable[Threshold],
    heights: list[SensorHeight],
    is_distance: bool = False,
) -> SeriesRules:
    """`reporter`: the newest version of its station that this series speaks for."""
    has_sums = reporter.kind == "rain" and element == reporter.element
    own = [each for each in thresholds if each.element == element or (has_sums and _is_of_sums(each))]
    is_river = reporter.kind in ("river", "reservoir")
    return SeriesRules(
        station_id=reporter.station_id,
        element=element,
        kind=reporter.kind,
        name_zh=reporter.name_zh,
        name_en=reporter.name_en,
        periods=_periods(dated, reporter, element, own, heights, is_distance),
        fresh_for=(FRESH_MIN_RIVER if is_river else FRESH_MIN) * MINUTE,
        flat_line=round(reporter.flat_line_min * MINUTE),
        cadence=round(reporter.cadence_s * SECOND),
    )


def _is_of_sums(threshold: Threshold) -> bool:
    return threshold.element.startswith(RAIN_SUM_PREFIX)


def rain_rules(thresholds: Iterable[Threshold]) -> tuple[RainRule, ...]:
    newest: dict[tuple[int, int], RainRule] = {}
    for threshold in sorted(thresholds, key=lambda each: (each.valid_from, each.version)):
        hours = int(threshold.element.removeprefix(RAIN_SUM_PREFIX).split("h", 1)[0])
        found = RainRule(hours, level_rule(threshold))
        newest[found.rule.level, hours] = found
    return tuple(newest[key] for key in sorted(newest))


def rain_hazard(rules: Sequence[RainRule]) -> tuple[HazardRules, ...]:
    """The lines that the severity crosses, with what the thresholds say of confirmation and hold."""
    levels = []
    for level in sorted({each.rule.level for each in rules}):
        own = [each.rule for each in rules if each.rule.level == level]
        levels.append(
            LevelRule(
                level=level,
                on=float(level),
                off=level - HALF,
                confirm=min(rule.confirm for rule in own),
                confirm_max=min(rule.confirm_max for rule in own),
                hold=max(rule.hold for rule in own),
                source=own[0].source,
                version=max(rule.version for rule in own),
            )
        )
    return (HazardRules("rain", tuple(levels), levels[0].on),) if levels else ()


def _periods(
    dated: list[Station],
    reporter: Station,
    element: str,
    thresholds: list[Threshold],
    heights: list[SensorHeight],
    is_distance: bool,
) -> tuple[Period, ...]:
    starts: list[datetime] = [row.valid_from for row in dated[1:]]
    starts += [row.valid_from for row in thresholds] + [row.valid_from for row in heights]
    stops = [row.valid_to for row in dated] + [row.valid_to for row in thresholds] + [row.valid_to for row in heights]
    stops += [row.withdrawn_at for row in dated]
    begins = sorted({ALWAYS, *(micros(at) for at in (*starts, *stops) if at is not None)})
    ends = [*begins[1:], NEVER]
    return tuple(
        _period(begin, end, dated, reporter, element, thresholds, heights, is_distance)
        for begin, end in zip(begins, ends, strict=True)
    )


def _period(
    begins: int,
    ends: int,
    dated: list[Station],
    reporter: Station,
    element: str,
    thresholds: list[Threshold],
    heights: list[SensorHeight],
    is_distance: bool,
) -> Period:
    station = next((each for each in reversed(dated) if micros(each.valid_from) <= begins), dated[0])
    if _reporter(station) != _reporter(reporter) or _is_over(station, begins):
        return Period(begins, ends)  # it does not speak for the station: stored, not judged
    scale, offset = 1.0, 0.0
    height = next((each for each in reversed(heights) if _holds(each, begins)), None)
    if is_distance:
        if height is None:  # no deployment is known: the distance means no level
            return Period(begins, ends, low=float("inf"), high=float("-inf"))
        scale, offset = -1.0, height.height_m
    elif height is not None and element == _judged(station):
        return Period(begins, ends)  # its distances are judged
    is_judged = element == (_judged(station) if is_distance else station.element) and station.kind != "rain"
    held = [each for each in thresholds if _holds(each, begins)]
    of_sums = rain_rules(each for each in held if _is_of_sums(each))
    of_values = hazards_at(each for each in held if not _is_of_sums(each))
    return Period(
        begins,
        ends,
        scale,
        offset,
        low=station.range_low if is_judged and station.range_low is not None else float("-inf"),
        high=station.range_high if is_judged and station.range_high is not None else float("inf"),
        rate=station.rate_limit_per_min / MINUTE
        if is_judged and station.rate_limit_per_min is not None
        else float("inf"),
        noise=station.noise_p99 if is_judged else 0.0,
        hazards=rain_hazard(of_sums) or of_values,
        rain=of_sums,
    )


def hazards_at(thresholds: Iterable[Threshold]) -> tuple[HazardRules, ...]:
    """Of several thresholds of one level the newest version counts."""
    newest: dict[tuple[str, int], LevelRule] = {}
    for threshold in sorted(thresholds, key=lambda each: (each.valid_from, each.version)):
        rule = level_rule(threshold)
        newest[threshold.hazard, rule.level] = rule
    by_hazard: dict[str, list[LevelRule]] = {}
    for (hazard, _), rule in sorted(newest.items()):
        by_hazard.setdefault(hazard, []).append(rule)
    return tuple(
        HazardRules(hazard, tuple(levels), min(rule.on for rule in levels)) for hazard, levels in by_hazard.items()
    )


def _holds(row: Threshold | SensorHeight, at: int) -> bool:
    """Rows without an earlier one hold from ever: a replay may be older than its register."""
    from_ever = at == ALWAYS and row.valid_from.year <= 2015
    return (from_ever or micros(row.valid_from) <= at) and (row.valid_to is None or at < micros(row.valid_to))


def _is_over(station: Station, at: int) -> bool:
    """The station was withdrawn, or its last version has ended."""
    return any(end is not None and micros(end) <= at for end in (station.valid_to, station.withdrawn_at))
