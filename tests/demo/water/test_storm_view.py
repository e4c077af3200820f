"""What is an officer of the demo's district shown in its storm? Counts and levels in, ranks in sentences out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from demo.water import registers
from demo.water.hydrology import level_m, rain_total_mm
from demo.water.network import Station, by_id, gauges, nodes, river_stations, underpasses
from demo.water.storm import FACTOR, Storm
from schemas.storm import Closing, StormView
from schemas.water_registers import WaterRegister
from sql.registers import read_water_files
from streams.water.gauges import Samples, areal_sums, gauge_sums, gauges_of, weights_of
from streams.water.network import judged_keys
from streams.water.rain import Sum
from streams.water.rules import SeriesKey, micros, period_at, rules_of
from streams.water.storm import storm_view
from streams.water.storm_assets import Hazard, assets_of, stations_at

BEGAN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
STORM = Storm(began=BEGAN, factor=1.0)  # it stands 6 h before its peak
SILENT = {"up-154": "offline"}
NO_RAIN_OF = "liantang"  # a basin whose gauges are all away


@cache
def register() -> WaterRegister:
    found, problems = read_water_files(registers.files())
    assert not problems
    return found


@cache
def shown(hours: float) -> StormView:
    """The view so many hours after the beginning, of stations that say what they measure each five minutes."""
    now = BEGAN + timedelta(hours=hours)
    times = [now - timedelta(minutes=5 * step) for step in range(12 * 12, -1, -1)]
    ats = np.array([micros(at) for at in times], np.int64)
    own, rules = register(), rules_of(register())
    stations, keys = stations_at(own, now), judged_keys(own.stations, rules)

    def samples_of(station: Station, steps: int) -> Samples:
        measure = rain_total_mm if station.kind == "rain" else level_m
        return Samples(ats[-steps:], np.array([measure(station, at, STORM) for at in times[-steps:]]))

    counts: dict[SeriesKey, Samples] = {
        (one.source, one.address, "rain_total_mm"): samples_of(one, len(times))
        for one in gauges()
        if one.basin != NO_RAIN_OF
    }
    means = areal_sums(sums_of(counts, micros(now)), weights_of(own))
    levels: dict[SeriesKey, Samples] = {}
    hazards = []
    for one in (*river_stations(), *nodes(), *underpasses()):
        periods = {key: period_at(rules[key], micros(now)) for key in keys[one.station_id]}
        judged, period = next((key, each) for key, each in periods.items() if each.hazards)
        measured = samples_of(one, 5)
        levels[judged] = Samples(measured.ats, (measured.values - period.offset) / period.scale)
        value = float(measured.values[-1])
        lines = period.hazards[0]
        hazards.append(
            Hazard(
                station_id=one.station_id,
                hazard=lines.hazard,
                level=max((rule.level for rule in lines.levels if value >= rule.on), default=0),
                knowledge=SILENT.get(one.station_id, "ok"),
                knowledge_since=now - timedelta(minutes=25),
                value=value,
                observed_at=now,
            )
        )
    hazards += [_gauge_hazard(one, now) for one in gauges()]
    assets = assets_of(own, stations, keys, rules, hazards, levels, means, micros(now))
    return storm_view(assets, means, micros(now), ZONE, own.basins)


def _gauge_hazard(one: Station, now: datetime) -> Hazard:
    knowledge = "offline" if one.basin == NO_RAIN_OF else "ok"
    return Hazard(
        station_id=one.station_id, hazard="rain", level=0, knowledge=knowledge,
        knowledge_since=now - timedelta(hours=13), value=None, observed_at=None,
    )  # fmt: skip


def sums_of(counts: Mapping[SeriesKey, Samples], at: int) -> dict[str, tuple[Sum, ...]]:
    return {name: gauge_sums(pieces, counts, at) for name, pieces in gauges_of(register()).items()}


def test_before_it_is_heavy_there_is_no_storm() -> None:
    assert not shown(0.5).is_active
    assert shown(0.5).why == ()


def test_the_peak_is_a_storm_by_the_means_of_its_basins() -> None:
    view = shown(6.9)
    assert view.is_active
    assert any("深圳河流域 1 小时面雨量" in reason.zh for reason in view.why)
    means = {(each.basin_id, each.hours): each for each in view.rain}
    assert means["buji", 1].mm == pytest.approx(85, abs=25)  # of 116.8 mm at the wettest gauge
    assert means[NO_RAIN_OF, 1].mm is None
    assert means[NO_RAIN_OF, 1].missing_share == 1.0
    assert len(means[NO_RAIN_OF, 1].missing) > 2
    assert not any("莲塘河" in reason.zh for reason in view.why)


@pytest.mark.parametrize("hours", [5.5, 6.3, 6.9, 7.5])
def test_every_rank_explains_itself(hours: float) -> None:
    view = shown(hours)
    assert view.close_first, "no underpass is in danger at the peak"
    points = [each.points for each in view.close_first]
    assert points == sorted(points, reverse=True)
    for each in view.close_first:
        assert each.reasons
        assert each.points == pytest.approx(sum(reason.points for reason in each.reasons), abs=0.06)
        assert all(reason.zh and reason.en for reason in each.reasons)
    crossings = [each.crosses_at for each in view.coming]
    assert crossings == sorted(crossings)


def test_deep_underpasses_are_closed_before_those_that_only_lie_near_full_pipes() -> None:
    view = shown(6.9)
    level_of = {each.station_id: each.level for each in view.close_first}
    worst = max(level_of.values())
    assert worst >= 3
    assert level_of[view.close_first[0].station_id] == worst
    texts = [reason.zh for reason in view.close_first[0].reasons]
    assert any("预警生效" in text for text in texts)
    assert any("流域 1 小时面雨量" in text or "流域雨量未知" in text for text in texts)
    assert any("旁边的管网为" in reason.zh for each in view.close_first for reason in each.reasons)


def test_a_silent_underpass_is_taken_for_the_worst_and_said_to_be_blind() -> None:
    view = shown(6.9)
    silent = _find(view, "up-154")
    assert silent.reasons[-1].zh.startswith(("预案", "积水"))
    assert any(reason.zh == "积水情况未知，按最不利考虑" for reason in silent.reasons)
    assert "up-154" in {each.station_id for each in view.blind}
    blind_gauges = {each.station_id for each in view.blind if each.kind == "rain"}
    assert blind_gauges == {one.station_id for one in gauges() if one.basin == NO_RAIN_OF}
    assert all(_find(view, name).reasons for name in _in_basin(NO_RAIN_OF))  # nobody knows its rain: no dry weather


def test_what_crosses_next_did_cross_or_came_near() -> None:
    """The pace of now is no prophecy; of what was said for the next ten minutes most has come true."""
    view = shown(6.0)
    soon = [each for each in view.coming if each.minutes <= 10]
    assert soon
    rules = rules_of(register())
    came = 0
    for each in soon:
        station = by_id()[each.station_id]
        own = [period_at(rules[key], micros(BEGAN)) for key in rules if key[:2] == (station.source, station.address)]
        lines = next(period.hazards[0].levels for period in own if period.hazards)
        on = next(rule.on for rule in lines if rule.level == each.level)
        later = [level_m(station, BEGAN + timedelta(hours=6, minutes=minute), STORM) for minute in range(21)]
        came += max(later) >= on
    assert came >= 0.7 * len(soon)


def test_the_same_minute_is_shown_the_same() -> None:
    shown.cache_clear()
    first = shown(6.3)
    shown.cache_clear()
    assert shown(6.3) == first
    assert FACTOR > 1  # the demo plays it faster; what is shown is made of the same steps


def _find(view: StormView, station_id: str) -> Closing:
    return next(each for each in view.close_first if each.station_id == station_id)


def _in_basin(basin: str) -> list[str]:
    return [one.station_id for one in underpasses() if one.basin == basin]
