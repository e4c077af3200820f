"""The causal judgement of readings says what ioos_qc says of the whole series, for the tests that both have.

ioos_qc looks at a series afterwards, ours at each reading as it comes: where the answer needs the next sample ours
holds one back, and it goes on from the last sample that it believes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ioos_qc import qartod
from msgspec.structs import replace

from schemas.water_registers import Station, WaterRegister
from streams.water.columns import Reading, columns_of
from streams.water.fold import fold
from streams.water.qartod import FAIL, GOOD, MISSING, SUSPECT, Flags, Floats
from streams.water.quality import RATE_OF_CHANGE, SPIKE
from streams.water.replay import table_of
from streams.water.rules import rules_of
from streams.water.stuck import Line, Word, step, suspect_from
from tests.streams.water.river import ZONE, flood, minute, station

STEP_MIN = 5
STEP_S = STEP_MIN * 60
LOW, HIGH = -1.0, 3.0
RATE_PER_MIN = 0.2
JUMP = 1.5  # beyond what RATE_PER_MIN allows in a step, and in two
FLAT_STEPS = 6

levels = st.integers(-5_000, 8_000).map(lambda millimetres: millimetres / 1000)
series_of_levels = st.lists(st.none() | levels, min_size=1, max_size=40)


def judged(values: Sequence[float | None], row: Station) -> tuple[Flags, Flags]:
    """Flags and tests of a series of one station, each reading folded as it comes, with what the next made of it."""
    table = table_of(WaterRegister(stations=(row,)), ZONE)
    flags, tests = np.zeros(len(values), np.uint8), np.zeros(len(values), np.uint8)
    for place, value in enumerate(values):
        at = minute(place * STEP_MIN)
        folded = fold(table, columns_of([Reading(0, at, at, value)]))
        flags[place], tests[place] = folded.flag[0], folded.tests[0]
        for again in folded.requalified:
            before = (again.at - minute(0)) // (minute(STEP_MIN) - minute(0))
            flags[before], tests[before] = again.flag, again.tests
    return flags, tests


def numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values])


def times(count: int) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.datetime64("2026-06-01") + np.arange(count) * np.timedelta64(STEP_S, "s")


def unlimited() -> Station:
    return replace(station(rate=None), range_low=None, range_high=None, noise_p99=0.0)


@given(series_of_levels)
def test_gross_range(values: list[float | None]) -> None:
    theirs = qartod.gross_range_test(numbers(values), (LOW, HIGH))
    ours, _ = judged(values, replace(unlimited(), range_low=LOW, range_high=HIGH))
    assert ours.tolist() == np.ma.filled(theirs, MISSING).tolist()


@given(st.lists(levels, min_size=1, max_size=40))
def test_rate_of_change(values: list[float]) -> None:
    """Up to the first rate that is too high both say the same; where there is none, of the whole series."""
    theirs = qartod.rate_of_change_test(np.array(values), times(len(values)), RATE_PER_MIN / 60 + 1e-12)
    _, tests = judged(values[: 1 + first(theirs == SUSPECT)], replace(unlimited(), rate_limit_per_min=RATE_PER_MIN))
    told = (tests & RATE_OF_CHANGE) != 0
    assert told.tolist() == (theirs[: len(told)] == SUSPECT).tolist()


@given(
    st.lists(st.integers(-400, 400), min_size=12, max_size=40),
    st.lists(st.tuples(st.integers(3, 9), st.sampled_from((-1, 1)), st.integers(0, 2_000)), max_size=6),
)
def test_spike(steps: list[int], spikes: list[tuple[int, int, int]]) -> None:
    """Samples out of the line of their neighbours, on water that moves as its station allows."""
    values = np.cumsum(steps) / 1000
    place, spoiled = 0, []
    for ahead, sign, more in spikes:
        place += ahead
        if place < len(values) - 1:
            values[place] += sign * (4 * JUMP + more / 1000)
            spoiled.append(place)
    theirs = qartod.spike_test(values, suspect_threshold=JUMP, fail_threshold=3 * JUMP)
    flags, tests = judged(values.tolist(), replace(unlimited(), rate_limit_per_min=RATE_PER_MIN))
    assert np.flatnonzero(theirs == FAIL).tolist() == spoiled
    assert np.flatnonzero(flags == FAIL).tolist() == spoiled
    assert np.flatnonzero(tests & SPIKE).tolist() == spoiled


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40))
def test_flat_line(values: list[int]) -> None:
    """Where a neighbour moves a line may not stand still; without one ours says nothing (see test_stuck)."""
    limit_s = FLAT_STEPS * STEP_S
    theirs = qartod.flat_line_test(np.array(values, np.float64), times(len(values)), limit_s, 10**6, 0.5)
    row = replace(unlimited(), flat_line_min=limit_s / 60)
    rules = {each.station_id: each for each in rules_of(WaterRegister(stations=(row, station("bj")))).values()}
    lines: dict[str, Line] = {}
    flags = []
    for place, value in enumerate(values):
        at = minute(place * STEP_MIN)
        words = {"dm": Word(at, float(value)), "bj": Word(at, place / 10)}
        lines = step(lines, words, rules, {"dm": ("bj",)}, {}, at)
        flags.append(GOOD if suspect_from(lines["dm"], rules["dm"]) is None else SUSPECT)
    short = len(values) < 3  # of so few theirs says nothing
    assert flags == ([GOOD] * len(values) if short else theirs.tolist())


def test_a_flood_is_neither_fast_nor_a_spike_nor_flat_to_either() -> None:
    values = np.array([level for _, level in flood()])
    flags, _ = judged(values.tolist(), replace(unlimited(), rate_limit_per_min=RATE_PER_MIN))
    assert set(flags.tolist()) == {GOOD}
    assert set(qartod.rate_of_change_test(values, times(len(values)), RATE_PER_MIN / 60).tolist()) == {GOOD}
    assert set(qartod.spike_test(values, JUMP, 3 * JUMP)[1:-1].tolist()) == {GOOD}


def test_theirs_needs_the_next_sample_and_ours_does_not_wait_for_good_ones() -> None:
    """Why theirs cannot gate an alert: the newest sample has no verdict of the spike test."""
    values = [0.3, 0.31, 0.32]
    assert qartod.spike_test(np.array(values), JUMP, 3 * JUMP)[-1] == 2
    assert judged(values, station())[0][-1] == GOOD


def first(places: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    found = np.flatnonzero(np.ma.filled(places, False))
    return int(found[0]) if len(found) else len(places)


@pytest.mark.parametrize("value", [None, 0.0])
def test_missing_is_missing_and_zero_is_a_reading(value: float | None) -> None:
    theirs = qartod.gross_range_test(numbers([value, 1.0]), (LOW, HIGH))
    assert judged([value, 1.0], unlimited())[0].tolist() == theirs.tolist()
