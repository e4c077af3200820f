"""Does the simulated water lie where it should, behave as water does, and pass the register's own checks?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from demo import registers as parking
from demo.ground import distance_m, inside, water
from demo.water import registers
from demo.water.failures import breakdowns, failure_of
from demo.water.hydrology import highest_m, level_m, rain_total_mm, rise_m
from demo.water.network import (
    STUCK_OPEN,
    Station,
    branch_of,
    by_id,
    gauges,
    nodes,
    pipes,
    river_stations,
    stations,
    underpasses,
)
from demo.water.places import rivers
from demo.water.storm import FACTOR, HOURS, Storm, peak_min
from schemas.water_registers import WaterRegister
from sql.registers import RowProblem, read_register, read_water_files
from streams.water.pipes import LEVEL_ERROR_M
from streams.water.rules import rules_of

BEGAN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
STORM = Storm(began=BEGAN, factor=FACTOR, from_min=0.0)


def register() -> tuple[WaterRegister, list[RowProblem]]:
    return read_water_files(registers.files(FACTOR), box=(114.05, 22.50, 114.25, 22.65))


def test_there_are_as_many_as_the_district_has() -> None:
    assert Counter(one.kind for one in stations()) == {
        "rain": 69,
        "river": 21,
        "reservoir": 3,
        "pipe_node": 60,
        "underpass": 20,
    }
    assert len({(one.source, one.address) for one in stations()}) == len(by_id()) == 173


def test_they_lie_on_rivers_in_the_reservoir_and_on_land() -> None:
    for one in river_stations():
        if one.kind == "reservoir":
            assert inside(*one.point, water())
        else:
            line = rivers()[one.basin]
            assert min(distance_m(one.point, line.at(step / 200)) for step in range(201)) < 40
    for one in (*gauges(), *underpasses()):
        assert one.subdistrict is not None
        assert not inside(*one.point, water())


def test_the_register_takes_every_row() -> None:
    found, problems = register()
    assert problems == []
    assert (len(found.stations), len(found.nodes), len(found.edges), len(found.heights)) == (173, 60, 48, 60)
    assert all(each.source.startswith("demo") for each in found.thresholds)
    codes = {area.code for area in read_register(parking.files())[0].subdistricts}
    assert {one.subdistrict_code for one in found.stations} <= codes | {None}


def test_every_station_is_judged_by_what_it_sends() -> None:
    rules = rules_of(register()[0])
    for one in stations():
        sent = {"rain": "rain_total_mm", "underpass": "depth_m", "pipe_node": "distance_m"}.get(one.kind, "level_m")
        period = rules[one.source, one.address, sent].periods[-1]
        assert period.hazards, one.station_id
        if one.kind == "pipe_node":
            assert (period.scale, period.offset) == (-1.0, one.height_m)


def test_pipes_run_downhill_to_the_river() -> None:
    for pipe in pipes():
        assert pipe.upstream.invert_m > pipe.downstream.invert_m
        assert pipe.upstream.invert_m < pipe.upstream.crown_m < pipe.upstream.ground_m


@pytest.mark.parametrize("one", river_stations()[:3] + nodes()[:3] + underpasses()[:3], ids=lambda one: one.station_id)
def test_dry_weather_is_dry(one: Station) -> None:
    lowest = min(registers.DEPTHS_M)[1] if one.kind == "underpass" else one.base_m + 0.2
    for hour in range(0, 48, 5):
        assert level_m(one, BEGAN + timedelta(hours=hour), None) < lowest


def test_the_storm_raises_rivers_after_the_rain_and_they_fall_again() -> None:
    for one in river_stations():
        if one.kind == "river":
            steps = [rise_m(one, step * 5.0) for step in range((HOURS + 24) * 12)]
            top = steps.index(max(steps)) * 5
            assert peak_min() < top < peak_min() + 360
            assert max(steps) == pytest.approx(one.rise_m, rel=0.01)
            assert steps[0] == 0 and steps[-1] < 0.1 * one.rise_m
            assert max(abs(after - before) for before, after in pairwise(steps)) < 0.3


def test_every_level_of_danger_is_reached_somewhere() -> None:
    reached: Counter[tuple[str, str]] = Counter()
    for each in register()[0].thresholds:
        one = by_id()[each.station_id]
        if one.kind != "rain" and highest_m(one) >= each.on:
            reached[each.hazard, each.level] += 1
    for hazard in ("flood", "surcharge", "ponding"):
        for level in ("blue", "yellow", "orange", "red"):
            assert reached[hazard, level] >= 2, (hazard, level)
    dry = [one for one in underpasses() if highest_m(one) < 0.15]
    assert dry  # not every underpass floods


def test_a_counter_only_grows_and_ends_at_what_fell() -> None:
    for one in gauges()[:5]:
        totals = [rain_total_mm(one, BEGAN + timedelta(seconds=20 * step), STORM) for step in range(700)]
        assert all(before <= after for before, after in pairwise(totals))
        assert 0.6 * 619 < totals[-1] - totals[0] <= 619
        assert rain_total_mm(one, BEGAN, None) == totals[0]


def test_the_same_at_every_call() -> None:
    at = BEGAN + timedelta(minutes=80)
    assert [level_m(one, at, STORM) for one in stations()] == [level_m(one, at, STORM) for one in stations()]


def test_sensors_fail_in_the_middle_and_come_back() -> None:
    kinds = Counter(each.failure for each in breakdowns().values())
    assert set(kinds) == {"silent", "line_down", "stuck", "spikes", "no_value", "clock", "tilt"}
    assert len(breakdowns()) < 0.2 * len(stations())
    for station_id, broken in breakdowns().items():
        one, middle = by_id()[station_id], (broken.begin_min + broken.end_min) / 2
        assert any(failure_of(one, middle, minute) == broken.failure for minute in range(400))
        for quiet in (None, broken.begin_min - 1, broken.end_min):
            assert failure_of(one, quiet, 7) is None


def test_water_runs_down_but_where_a_flap_gate_is_stuck_the_river_runs_up() -> None:
    storm = Storm(began=BEGAN, factor=1.0, from_min=peak_min() - 360)
    backward: dict[int, set[str]] = {}
    for step in range(24 * 12):
        at = BEGAN + timedelta(minutes=5 * step)
        for pipe in pipes():
            if level_m(pipe.downstream, at, storm) > level_m(pipe.upstream, at, storm) + LEVEL_ERROR_M:
                backward.setdefault(branch_of(pipe.upstream)[0], set()).add(pipe.pipe_id)
    assert set(backward) == set(STUCK_OPEN)
    assert all(len(own) > 1 for own in backward.values())
    assert all(level_m(one, BEGAN, storm) < one.crown_m for one in nodes())  # not in dry weather
    assert len({one.second for one in nodes()}) <= 12  # both ends of a pipe are measured at one time
