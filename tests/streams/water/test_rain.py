"""Sums of rain: counts that reset, readings that miss, colours by configuration; what is not known is no zero."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.water_registers import Level, RainWeight, Threshold, WaterRegister
from streams.water.qartod import Floats, Ints
from streams.water.rain import WINDOWS, Sum, areal, sums_at
from streams.water.series import SeriesTable
from tests.streams.water.river import FROM, Sample, feed, history, minute, station, table, told, words

COLOURS: tuple[tuple[Level, int, float], ...] = (("yellow", 6, 50), ("orange", 3, 50), ("red", 3, 100))


def gauge(hold_min: float = 60) -> WaterRegister:
    own = tuple(
        Threshold(
            station_id="g1", hazard="rain", element=f"rain_sum_{hours}h_mm", level=level, on=on, off=on * 0.9,
            confirm=0, hold_min=hold_min, source="深圳市气象灾害预警信号", valid_from=FROM,
        )
        for level, hours, on in COLOURS
    )  # fmt: skip
    return WaterRegister(stations=(station("g1", "rain", element="rain_total_mm"),), thresholds=own)


def storm(rates_mm_h: Sequence[float], start: float = 100.0, step_min: int = 5) -> list[Sample]:
    """A count that grows at these rates, each for an hour."""
    count, samples = start, [(0.0, start)]
    for hour, rate in enumerate(rates_mm_h):
        for place in range(60 // step_min):
            count = round(count + rate * step_min / 60, 3)
            samples.append((hour * 60.0 + (place + 1) * step_min, count))
    return samples


def columns(samples: Sequence[Sample]) -> tuple[Ints, Floats]:
    return np.array([minute(at) for at, _ in samples], np.int64), np.array([value for _, value in samples])


def sums(samples: Sequence[Sample], at: float, element: str = "rain_total_mm") -> dict[int, tuple[float, float]]:
    return {each.hours: (each.mm, each.missing_share) for each in sums_at(element, *columns(samples), minute(at))}


def test_sums_of_a_count() -> None:
    found = sums(storm([12, 24, 36, 0, 0, 0, 6] + [0] * 18), 25 * 60)
    assert found == {1: (0, 0), 3: (0, 0), 6: (0, 0), 12: (0, 0), 24: (66, 0)}
    assert sums(storm([12, 24, 36]), 180)[1] == (36, 0)
    assert sums(storm([12, 24, 36]), 150)[1] == (30, 0)


def test_before_the_first_reading_nothing_is_known() -> None:
    assert sums(storm([12, 24, 36]), 180)[6] == (72, 0.5)
    assert sums([], 180)[1] == (0, 1)


def test_after_the_last_reading_nothing_is_known() -> None:
    assert sums(storm([12, 24, 36]), 210)[1] == (18, 0.5)


def test_a_reset_loses_what_fell_before_it_and_says_so() -> None:
    samples = [(0.0, 500.0), (30.0, 510.0), (60.0, 3.0), (90.0, 8.0)]
    assert sums(samples, 90)[3] == (18, 0.6667)


def test_a_count_that_was_corrected_or_set_is_no_rain() -> None:
    assert sums([(0.0, 310.2), (30.0, 310.1), (60.0, 310.4)], 60)[1] == (0.3, 0.5)
    assert sums([(0.0, 310.2), (30.0, 9_000.0), (60.0, 9_000.4)], 60)[1] == (0.4, 0.5)


def test_amounts_of_five_minutes_count_each_minute_once_and_a_gap_is_missing() -> None:
    samples = [(float(at), 1.0) for at in range(5, 65, 5) if at not in (20, 25, 30)]
    assert sums(samples, 60, "rain_5min_mm")[1] == (9, 0.25)


def test_the_mean_of_a_basin_says_what_it_lacks() -> None:
    weights = [RainWeight(basin_id="b", station_id=name, weight=w) for name, w in (("a", 0.5), ("b", 0.3), ("c", 0.2))]
    known = {"a": Sum(3, 30.0, 0.0), "b": Sum(3, 0.0, 0.1), "c": Sum(3, 0.0, 1.0)}
    found = areal(known, weights)
    assert (found.mm, found.missing_share, found.missing) == (18.75, 0.2, ("c",))
    assert areal({}, weights).mm is None


def test_colours_are_of_sums_and_the_alert_names_the_sum() -> None:
    state = table(gauge())
    changes = told(state, storm([5, 20, 25, 30, 40, 0, 0, 0, 0, 0, 0, 0]))
    assert [(what, level) for what, level, _ in words(changes)][:2] == [("raised", 2), ("updated", 3)] or words(
        changes
    )[0][1] == 3
    first = changes[0].alert
    assert first.detail["rain"]["hours"] in (3, 6)
    assert "小时降雨" in first.sentence_zh
    assert "深圳市气象灾害预警信号" in first.sentence_zh
    assert len({change.alert.alert_id for change in changes}) == 1


def test_what_would_only_hold_a_level_raises_none() -> None:
    """46 mm in three hours would hold orange (off 45), which is not on; yellow wants 50 mm in six."""
    assert not told(table(gauge()), storm([0, 16, 15, 15, 0, 0, 0]))
    changes = told(table(gauge()), storm([0, 16, 15, 15, 5, 0, 0]))
    assert words(changes)[0] == ("raised", 2, 290)
    assert (changes[0].alert.detail["rain"]["hours"], changes[0].alert.level) == (6, 2)


def test_an_off_line_holds_the_only_level_that_there_is() -> None:
    orange = tuple(each for each in gauge(hold_min=0).thresholds if each.level == "orange")
    only = WaterRegister(stations=gauge().stations, thresholds=orange)
    between = told(table(only), storm([20, 16, 16, 14, 17, 18]))  # sums of three hours: 52, 46, 47, 49
    assert [what for what, _, _ in words(between)] == ["raised"]
    below = told(table(only), storm([20, 16, 16, 10, 10, 10]))
    assert [what for what, _, _ in words(below)] == ["raised", "ended"]


def test_a_missing_share_is_in_the_sentence() -> None:
    (first, *_) = told(table(gauge()), storm([60]))
    assert "缺测" in first.alert.sentence_zh


def test_rain_that_stands_still_is_quiet() -> None:
    state = table(gauge())
    feed(state, [(0, 100.0)])
    assert feed(state, [(at, 100.0) for at in range(5, 600, 5)]).slow == 0


@settings(max_examples=12, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_history_of_rain_does_not_depend_on_the_order(dice: random.Random) -> None:
    rates = [dice.choice((0.0, 0.0, 4.0, 15.0, 40.0, 70.0)) for _ in range(14)]
    samples = [each for each in storm(rates) if dice.random() > 0.05]
    again = samples + dice.sample(samples, len(samples) // 20)
    dice.shuffle(again)
    in_order, other = table(gauge(), hours=1e6), table(gauge(), hours=1e6)
    told(in_order, samples)
    in_pieces(other, again, dice)
    assert history(other) == history(in_order)


def in_pieces(state: SeriesTable, samples: list[Sample], dice: random.Random) -> None:
    begin = 0
    while begin < len(samples):
        size = dice.randint(1, 20)
        feed(state, samples[begin : begin + size])
        begin += size


def test_the_windows_are_those_of_the_issue() -> None:
    assert WINDOWS == (1, 3, 6, 12, 24)
