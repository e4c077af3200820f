"""It is raining hard: what crosses next and when, where are we blind, which underpasses are closed first, and why?

A decision aid. It ranks and gives its reasons in words; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from types import MappingProxyType
from typing import Final

import msgspec

from schemas.storm import SHOWN, BasinRain, Blind, Closing, Coming, Machine, Reason, StormView
from schemas.water_registers import Basin, Station
from streams.water.knowledge import State
from streams.water.rain import Areal
from streams.water.rules import MINUTE, HazardRules, instant
from streams.water.sentences import COLOUR_EN, COLOUR_ZH, clock, measured

STORM_MM: Final[Mapping[int, float]] = {1: 20.0, 3: 50.0, 6: 80.0}  # areal mean of so many hours: a storm is on
SOON_MIN: Final = 60.0  # what crosses later is not listed
LEAST_SLOPE: Final = 0.001  # of the value in a minute: less is no rise
HEAVY_1H_MM: Final = 20.0
POINTS_OF_LEVEL: Final = 40.0  # that stands: it weighs more than all that is only likely
POINTS_OF_OVER: Final = 30.0  # of each level that the newest sample is over and that is not confirmed yet
POINTS_OF_WET: Final = 20.0  # of a road that is wet up to its lowest line
POINTS_OF_SOON: Final = 25.0  # of each level that is about to be reached, less the later that is
POINTS_OF_BLIND: Final = 40.0
POINTS_OF_PRIORITY: Final = 3.0
POINTS_OF_HEAVY_RAIN: Final = 10.0  # of 20 mm in an hour; of 40 mm and more twice as many
POINTS_OF_UPSTREAM: Final = 10.0
POINTS_OF_NEAR: Final = 10.0


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A station as it is known now."""

    station: Station
    level: int = 0  # the danger that stands
    knowledge: State = "ok"
    silent_since: int | None = None
    value: float | None = None
    at: int | None = None
    slope_per_min: float | None = None
    hazard: HazardRules | None = None
    rain_1h: Areal | None = None  # over its basin
    upstream_level: int = 0  # the worst danger of what lies upstream
    near_level: int = 0  # and of the pipe nodes beside it


def storm_reasons(
    sums: Mapping[str, Mapping[int, Areal]], named: Mapping[str, Basin] = MappingProxyType({})
) -> tuple[Reason, ...]:
    """Why a storm is on: areal means, by basin and hours, that are over their line. Empty: there is none."""
    found = []
    for basin, by_hours in sorted(sums.items()):
        name_zh, name_en = (named[basin].name_zh, named[basin].name_en) if basin in named else (basin, basin)
        for hours, mean in sorted(by_hours.items()):
            line = STORM_MM.get(hours)
            if line is not None and mean.mm is not None and mean.mm >= line:
                missing_zh = f"（缺测 {mean.missing_share:.0%}）" if mean.missing_share else ""
                missing_en = f" ({mean.missing_share:.0%} missing)" if mean.missing_share else ""
                found.append(
                    Reason(
                        f"{name_zh} {hours} 小时面雨量 {mean.mm:.1f} 毫米{missing_zh}",
                        f"{name_en}: {mean.mm:.1f} mm of areal rain in {hours} h{missing_en}",
                    )
                )
    return tuple(found)


def storm_view(
    assets: Sequence[Asset],
    sums: Mapping[str, Mapping[int, Areal]],
    now: int,
    zone: tzinfo,
    basins: Sequence[Basin] = (),
    machines: Sequence[Machine] = (),
) -> StormView:
    """`basins` give the means their names."""
    named = {each.basin_id: each for each in basins}
    why = storm_reasons(sums, named)
    coming = [found for asset in assets if (found := _coming(asset, now, zone)) is not None]
    blind = [_blind(asset, now, zone) for asset in assets if asset.knowledge not in ("ok", "suspect")]
    underpasses = sorted((asset for asset in assets if asset.station.kind == "underpass"), key=_in_plan)
    closing = [each for asset in underpasses if (each := _closing(asset, now)).points > 0]
    return StormView(
        at=instant(now),
        is_active=bool(why),
        why=why,
        coming=tuple(sorted(coming, key=lambda each: (each.crosses_at, -each.level, each.station_id))[:SHOWN]),
        blind=tuple(sorted(blind, key=lambda each: (-each.points, each.station_id))[:SHOWN]),
        close_first=tuple(sorted(closing, key=lambda each: (-each.points, -each.level))[:SHOWN]),
        machines=tuple(machines),
        rain=basin_rain(sums, named),
        coming_total=len(coming),
        blind_total=len(blind),
        close_total=len(closing),
    )


def basin_rain(sums: Mapping[str, Mapping[int, Areal]], named: Mapping[str, Basin]) -> tuple[BasinRain, ...]:
    return tuple(
        BasinRain(
            basin_id=basin,
            name_zh=named[basin].name_zh if basin in named else basin,
            name_en=named[basin].name_en if basin in named else basin,
            hours=hours,
            mm=mean.mm,
            missing_share=mean.missing_share,
            missing=mean.missing,
        )
        for basin, by_hours in sorted(sums.items())
        for hours, mean in sorted(by_hours.items())
        if hours in STORM_MM
    )


def _in_plan(asset: Asset) -> tuple[bool, int, str]:
    """The order of closing where all else is equal."""
    priority = asset.station.underpass_priority
    return priority is None, priority or 0, asset.station.station_id


def _next_line(asset: Asset) -> tuple[int, float] | None:
    """The next level above the one that stands, and its line."""
    if asset.hazard is None or asset.value is None:
        return None
    value = asset.value
    return next(
        ((rule.level, rule.on) for rule in asset.hazard.levels if rule.level > asset.level and rule.on > value), None
    )


def _minutes_to_next(asset: Asset) -> tuple[int, float] | None:
    """(level, minutes from the newest sample). None: it does not rise, or nothing is known of it."""
    line, value, slope = _next_line(asset), asset.value, asset.slope_per_min
    if line is None or value is None or slope is None or slope < LEAST_SLOPE:
        return None
    return line[0], (line[1] - value) / slope


def _coming(asset: Asset, now: int, zone: tzinfo) -> Coming | None:
    found = _minutes_to_next(asset)
    if found is None or asset.at is None or asset.knowledge in ("offline", "never"):
        return None
    level, minutes = found
    crosses_at = max(asset.at + round(minutes * MINUTE), now)
    left = (crosses_at - now) / MINUTE
    if left > SOON_MIN:
        return None
    station, slope = asset.station, asset.slope_per_min or 0.0
    value_zh, value_en = measured(station.element, asset.value or 0.0)
    at = clock(crosses_at, instant(now), zone)
    reasons = [
        Reason(
            f"{station.name_zh} {value_zh}，每分钟上涨 {slope * 100:.1f} 厘米，预计 {at} 达到{COLOUR_ZH[level]}",
            f"{station.name_en}: {value_en}, rising {slope * 100:.1f} cm a minute; {COLOUR_EN[level]} at {at}",
        ),
        *_rain(asset),
    ]
    if asset.knowledge == "stale":
        reasons.append(Reason("数据陈旧，时间可能更早", "its data are old: it may be sooner"))
    return Coming(
        station_id=station.station_id,
        name_zh=station.name_zh,
        name_en=station.name_en,
        kind=station.kind,
        level=level,
        crosses_at=instant(crosses_at),
        minutes=round(left, 1),
        reasons=tuple(reasons),
    )


def _blind(asset: Asset, now: int, zone: tzinfo) -> Blind:
    since = "" if asset.silent_since is None else clock(asset.silent_since, instant(now), zone)
    words = {"offline": ("离线", "offline"), "stale": ("数据陈旧", "stale"), "never": ("从未上报", "never heard of")}
    word_zh, word_en = words[asset.knowledge]
    since_zh, since_en = (f"自 {since} 起", f" since {since}") if since else ("", "")
    reasons = [
        Reason(f"{asset.station.name_zh}{since_zh}{word_zh}", f"{asset.station.name_en} is {word_en}{since_en}", 10.0),
        *_standing(asset),
        *_rain(asset),
        *_around(asset),
    ]
    return Blind(
        station_id=asset.station.station_id,
        name_zh=asset.station.name_zh,
        name_en=asset.station.name_en,
        kind=asset.station.kind,
        knowledge=asset.knowledge,
        since=None if asset.silent_since is None else instant(asset.silent_since),
        points=_sum(reasons),
        reasons=tuple(reasons),
    )


def _closing(asset: Asset, now: int) -> Closing:
    reasons = [*_standing(asset), *_measured_now(asset)]
    found = _minutes_to_next(asset)
    if found is not None and asset.at is not None:
        level, minutes = found
        left = max(asset.at + round(minutes * MINUTE) - now, 0) / MINUTE
        if left <= SOON_MIN:
            points = round(POINTS_OF_SOON * (level - asset.level) * (1 - left / SOON_MIN), 1)
            zh = f"{f'约 {left:.0f} 分钟后' if left >= 1 else '1 分钟内'}达到{COLOUR_ZH[level]}"
            en = f"{COLOUR_EN[level]} {f'in about {left:.0f} min' if left >= 1 else 'within a minute'}"
            reasons.append(Reason(zh, en, points))
    reasons += [*_rain(asset), *_around(asset)]
    if asset.knowledge in ("offline", "stale", "never") and reasons:
        reasons.append(
            Reason("积水情况未知，按最不利考虑", "how deep it is is unknown: taken for the worst", POINTS_OF_BLIND)
        )
    priority = asset.station.underpass_priority
    if priority is not None and reasons:
        points = max(POINTS_OF_PRIORITY * (4 - priority), 0.0)
        reasons.append(Reason(f"预案中的关闭次序 {priority}", f"number {priority} in the plan of closing", points))
    return Closing(
        station_id=asset.station.station_id,
        name_zh=asset.station.name_zh,
        name_en=asset.station.name_en,
        level=asset.level,
        value_m=asset.value,
        observed_at=None if asset.at is None else instant(asset.at),
        points=_sum(reasons),
        reasons=tuple(reasons),
    )


def _standing(asset: Asset) -> list[Reason]:
    if not asset.level:
        return []
    zh, en = ("", "") if asset.value is None else measured(asset.station.element, asset.value)
    value_zh, value_en = (f"，最后{zh}", f", its last {en}") if zh else ("", "")
    return [
        Reason(
            f"{COLOUR_ZH[asset.level]}预警生效{value_zh}",
            f"the {COLOUR_EN[asset.level]} alert stands{value_en}",
            POINTS_OF_LEVEL * asset.level,
        )
    ]


def _measured_now(asset: Asset) -> list[Reason]:
    """What the newest sample says beyond the danger that stands; of who is silent it is the last that is known."""
    value, hazard = asset.value, asset.hazard
    if value is None or hazard is None or not hazard.levels:
        return []
    value_zh, value_en = measured(asset.station.element, value)
    if asset.knowledge in ("offline", "stale"):
        value_zh, value_en = f"最后{value_zh}", f"its last {value_en}"
    over = max((rule.level for rule in hazard.levels if value >= rule.on), default=0)
    if over > asset.level:
        zh = f"{value_zh}，已过{COLOUR_ZH[over]}线，待确认"
        en = f"{value_en}, over the {COLOUR_EN[over]} line, not confirmed yet"
        return [Reason(zh, en, POINTS_OF_OVER * (over - asset.level))]
    if asset.level or asset.station.element != "depth_m" or not 0 < value < hazard.lowest_on:
        return []
    return [Reason(f"路面{value_zh}", f"{value_en} on its road", round(POINTS_OF_WET * value / hazard.lowest_on, 1))]


def _rain(asset: Asset) -> list[Reason]:
    rain = asset.rain_1h
    if rain is None:
        return []
    if rain.mm is None:
        return [Reason("流域雨量未知", "the rain of its basin is not known", POINTS_OF_HEAVY_RAIN / 2)]
    if rain.mm < HEAVY_1H_MM:
        return []
    points = round(POINTS_OF_HEAVY_RAIN * min(rain.mm / HEAVY_1H_MM, 2.0), 1)
    return [Reason(f"流域 1 小时面雨量 {rain.mm:.1f} 毫米", f"{rain.mm:.1f} mm over its basin in an hour", points)]


def _around(asset: Asset) -> list[Reason]:
    found = []
    if asset.upstream_level:
        points = POINTS_OF_UPSTREAM * asset.upstream_level / 4
        zh, en = f"上游为{COLOUR_ZH[asset.upstream_level]}", f"upstream is at {COLOUR_EN[asset.upstream_level]}"
        found.append(Reason(zh, en, points))
    if asset.near_level:
        points = POINTS_OF_NEAR * asset.near_level / 4
        zh, en = (
            f"旁边的管网为{COLOUR_ZH[asset.near_level]}",
            f"the pipes beside it are at {COLOUR_EN[asset.near_level]}",
        )
        found.append(Reason(zh, en, points))
    return found


def _sum(reasons: Sequence[Reason]) -> float:
    return round(sum(each.points for each in reasons), 1)
