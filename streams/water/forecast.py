"""Will the water reach the next level soon? A projection beside what is observed: it is `likely`, never `observed`.

Theil-Sen over the last quarter of an hour. A forecast expires by itself; whether it came true is kept per station, and
where most of them do not it is no longer told (it goes on in silence, so that it can prove itself again). Late samples
make no forecast: what was to come has come.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import tzinfo
from typing import Final, NamedTuple

import msgspec
import numpy as np

from streams.alerts.episodes import Alert, Change, Subject, alert_id
from streams.water.ring import Slots
from streams.water.rules import MINUTE, HazardRules, LevelRule, SeriesRules, instant
from streams.water.sentences import COLOUR_EN, COLOUR_ZH, clock, measured, names, pace

RULE: Final = "forecast/1"
WINDOW: Final = 15 * MINUTE
HORIZON: Final = 30 * MINUTE
LEAST_POINTS: Final = 4
LEAST_SLOPE: Final = 0.003  # of the value in a minute: 3 mm
FLOOR: Final = 0.6  # of the way from the lowest of the day to the level
LEAST_RESOLVED: Final = 5  # forecasts before a station is judged by them
MOST_FALSE: Final = 0.5


class Forecast(msgspec.Struct, frozen=True):
    level: int
    made_at: int
    crosses_at: int  # as projected last
    expires_at: int
    slope_per_min: float
    value: float


class Outlook(msgspec.Struct, frozen=True):
    """Of one (series, hazard): the forecast that stands, what was told of it, and how often they came true."""

    forecast: Forecast | None = None
    alert: Alert | None = None  # None: nothing stands, or it is not told
    hits: int = 0
    false: int = 0
    leads_min: tuple[float, ...] = ()  # of the last hits

    @property
    def is_told(self) -> bool:
        resolved = self.hits + self.false
        return resolved < LEAST_RESOLVED or self.false <= MOST_FALSE * resolved

    @property
    def hit_rate(self) -> float | None:
        resolved = self.hits + self.false
        return self.hits / resolved if resolved else None


class Situation(NamedTuple):
    """What an outlook is made from: the good samples of the window, in order, and what is known beside them."""

    ats: Sequence[int]
    values: Sequence[float]
    base: float  # the lowest of the day
    level: int  # the danger that is observed
    received: int


def theil_sen(ats: Sequence[int], values: Sequence[float]) -> float:
    """The median slope of all pairs, in a minute. At least two samples of different times."""
    x, y = np.array(ats, np.float64) / MINUTE, np.array(values)
    first, second = _pairs(len(x))
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    middle = len(slopes) // 2
    return float(slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2)


@functools.lru_cache(maxsize=64)
def _pairs(points: int) -> tuple[Slots, Slots]:
    first, second = np.triu_indices(points, 1)
    return first, second


def project(situation: Situation, hazard: HazardRules) -> Forecast | None:
    """The highest level above the observed one that is reached within the horizon at the pace of the window."""
    ats, values = situation.ats, situation.values
    if len(ats) < LEAST_POINTS:
        return None
    value, at = values[-1], ats[-1]
    above = [rule for rule in hazard.levels if rule.level > situation.level and rule.on > value]
    if not above or value < situation.base + FLOOR * (above[0].on - situation.base):
        return None
    slope = theil_sen(ats, values)
    if slope < LEAST_SLOPE:
        return None
    reached = [rule for rule in above if (rule.on - value) / slope * MINUTE <= HORIZON]
    if not reached:
        return None
    rule = reached[-1]
    crosses_at = at + round((rule.on - value) / slope * MINUTE)
    return Forecast(rule.level, at, crosses_at, at + HORIZON, round(slope, 5), value)


def look(
    outlook: Outlook, rules: SeriesRules, hazard: HazardRules, situation: Situation, zone: tzinfo
) -> tuple[Outlook, list[Change]]:
    """The outlook after a good sample, and what is told of it."""
    changes: list[Change] = []
    at, value = situation.ats[-1], situation.values[-1]
    standing = outlook.forecast
    if standing is not None:
        line = _line(hazard, standing.level)
        is_reached = line is not None and value >= line.on and at <= standing.expires_at
        if situation.received > over_at(standing):
            outlook = _expired(outlook, rules, over_at(standing), is_reached, changes)
        elif line is None or at > standing.expires_at:
            outlook = _expired(outlook, rules, situation.received, False, changes)
        elif is_reached:
            outlook = _hit(outlook, rules, at, situation.received, zone, changes)
    found = project(situation, hazard)
    if found is None or situation.received > over_at(found):
        return outlook, changes
    standing = outlook.forecast
    if standing is None or found.level > standing.level:
        if standing is not None:
            found = msgspec.structs.replace(found, made_at=standing.made_at)
        outlook = msgspec.structs.replace(outlook, forecast=found)
        outlook = _told(outlook, rules, hazard, found, situation.received, zone, changes)
    elif found.level == standing.level:
        renewed = msgspec.structs.replace(found, made_at=standing.made_at)
        outlook = msgspec.structs.replace(outlook, forecast=renewed)
    return outlook, changes


def over_at(forecast: Forecast) -> int:
    """The first minute of the sweep after a forecast has expired. Readings that come later find it ended."""
    return (forecast.expires_at // MINUTE + 1) * MINUTE


def expire(outlook: Outlook, rules: SeriesRules, now: int) -> tuple[Outlook, list[Change]]:
    """What a sweep does: a forecast of a station that has gone silent expires too, by the clock of the log.

    The fold, which does not see it, says the same end to the last letter when the station is heard again.
    """
    changes: list[Change] = []
    if outlook.forecast is None or now <= outlook.forecast.expires_at:
        return outlook, changes
    return _expired(outlook, rules, over_at(outlook.forecast), False, changes), changes


def _line(hazard: HazardRules, level: int) -> LevelRule | None:
    return next((rule for rule in hazard.levels if rule.level == level), None)


def _expired(outlook: Outlook, rules: SeriesRules, now: int, is_reached: bool, changes: list[Change]) -> Outlook:
    """It ends when it expires, however late that is noticed. `is_reached`: as we heard when it was over."""
    forecast = outlook.forecast
    assert forecast is not None  # noqa: S101 - all callers hold one
    station_zh, station_en = names(rules)
    zh = f"{station_zh}的{COLOUR_ZH[forecast.level]}预测已到期，期间没有数据显示达到。"
    en = f"The forecast of {COLOUR_EN[forecast.level]} for {station_en} has expired; no reading showed that level."
    _end(outlook, now, min(now, forecast.expires_at), False, zh, en, changes)
    return Outlook(hits=outlook.hits + is_reached, false=outlook.false + (not is_reached), leads_min=outlook.leads_min)


def _hit(
    outlook: Outlook, rules: SeriesRules, hit_at: int, received: int, zone: tzinfo, changes: list[Change]
) -> Outlook:
    forecast = outlook.forecast
    assert forecast is not None  # noqa: S101 - its caller holds one
    station_zh, station_en = names(rules)
    at = clock(hit_at, instant(received), zone)
    zh = f"{station_zh} {at} 已达到{COLOUR_ZH[forecast.level]}阈值，预测结束。"
    en = f"{station_en} reached {COLOUR_EN[forecast.level]} at {at}; the forecast ends."
    _end(outlook, received, received, True, zh, en, changes)
    lead_min = (hit_at - forecast.made_at) / MINUTE
    return Outlook(hits=outlook.hits + 1, false=outlook.false, leads_min=(*outlook.leads_min, lead_min)[-20:])


def _end(outlook: Outlook, now: int, ended_at: int, came_true: bool, zh: str, en: str, changes: list[Change]) -> None:
    if outlook.alert is None:
        return
    ended = msgspec.structs.replace(
        outlook.alert,
        revision=outlook.alert.revision + 1,
        ended_at=instant(ended_at),
        sentence_zh=zh,
        sentence_en=en,
        detail={**outlook.alert.detail, "came_true": came_true},
    )
    changes.append(Change(change="ended", at=instant(now), alert=ended))


def _told(
    outlook: Outlook,
    rules: SeriesRules,
    hazard: HazardRules,
    forecast: Forecast,
    received: int,
    zone: tzinfo,
    changes: list[Change],
) -> Outlook:
    if not outlook.is_told:
        return outlook
    subject = Subject("water", f"{hazard.hazard}_forecast", rules.station_id)
    zh, en = _sentences(outlook, rules, hazard, forecast, received, zone)
    before = outlook.alert
    line = _line(hazard, forecast.level)
    alert = Alert(
        alert_id=alert_id(subject, instant(forecast.made_at)) if before is None else before.alert_id,
        subject=subject,
        level=forecast.level,
        certainty="likely",
        raised_at=instant(received) if before is None else before.raised_at,
        revision=1 if before is None else before.revision + 1,
        sentence_zh=zh,
        sentence_en=en,
        detail={
            "rule": RULE,
            "crosses_at": instant(forecast.crosses_at).isoformat(),
            "expires_at": instant(forecast.expires_at).isoformat(),
            "slope_per_min": forecast.slope_per_min,
            "value": forecast.value,
            "threshold": None
            if line is None
            else {"on": line.on, "level": line.level, "source": line.source, "version": line.version},
            "hits": outlook.hits,
            "false": outlook.false,
        },
    )
    changes.append(Change(change="raised" if before is None else "updated", at=instant(received), alert=alert))
    return msgspec.structs.replace(outlook, alert=alert)


def _sentences(
    outlook: Outlook, rules: SeriesRules, hazard: HazardRules, forecast: Forecast, received: int, zone: tzinfo
) -> tuple[str, str]:
    now = instant(received)
    station_zh, station_en = names(rules)
    value_zh, value_en = measured(rules.element, forecast.value)
    pace_zh, pace_en = pace(rules.element, forecast.slope_per_min)
    at = clock(forecast.crosses_at, now, zone)
    rate = outlook.hit_rate
    known_zh = "" if rate is None else f"，本站预测命中率 {rate:.0%}"
    known_en = "" if rate is None else f"; {rate:.0%} of the forecasts here came true"
    line = _line(hazard, forecast.level)
    on = "" if line is None else f"{line.on:.2f}"
    return (
        f"预测：{station_zh} {value_zh}，每分钟上涨 {pace_zh}，"
        f"预计 {at} 达到{COLOUR_ZH[forecast.level]}阈值 {on}{known_zh}。",
        f"Forecast: {station_en}, {value_en}, rising {pace_en} a minute, "
        f"is likely to reach {COLOUR_EN[forecast.level]} ({on}) at {at}{known_en}.",
    )
