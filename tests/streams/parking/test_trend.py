"""The rate of a lot, the word for it, and the time until it is full."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streams.parking.trend import Point, fills, noise, points_in, rate, time_to_full, trend
from tests.streams.parking.district import LIMITS, at

NOON = at("12:00")
WINDOW_S = 900.0


def line(per_min: float, minutes: int = 15, start: float = 100) -> list[Point]:
    return [(NOON + timedelta(minutes=n), round(start + per_min * n)) for n in range(minutes + 1)]


def test_a_line_has_its_slope_and_two_wrong_counts_do_not_move_it() -> None:
    points = line(2)
    points[3] = (points[3][0], 0)
    points[9] = (points[9][0], 900)
    found = rate(points, WINDOW_S)
    assert found is not None
    assert found.per_min == pytest.approx(2, abs=0.1)
    assert found.low > 0


def test_too_few_points_or_too_short_a_time_say_nothing() -> None:
    assert rate(line(2, 3), WINDOW_S) is None
    assert rate([(at_, n) for at_, n in line(2, 6)], WINDOW_S) is None
    assert trend(None, 100, 0.0, WINDOW_S) is None


@pytest.mark.parametrize(
    ("per_min", "word"),
    [
        (0.0, "stable"),
        (0.05, "stable"),
        (0.3, "increasing"),
        (1.0, "increasingQuickly"),  # 15 of 100 spaces in a quarter of an hour
        (-0.3, "decreasing"),
        (-1.0, "decreasingQuickly"),
    ],
)
def test_words_are_of_occupancy(per_min: float, word: str) -> None:
    assert trend(rate(line(per_min), WINDOW_S), 100, 0.0, WINDOW_S) == word


def test_within_the_noise_of_the_lot_it_is_stable() -> None:
    assert trend(rate(line(0.3), WINDOW_S), 100, 0.5, WINDOW_S) == "stable"


def test_noise_is_learned_from_the_scatter() -> None:
    rough = [(when, count + (6 if n % 2 else -6)) for n, (when, count) in enumerate(line(0))]
    learned = noise(None, rough, rate(rough, WINDOW_S), WINDOW_S)
    smooth = noise(None, line(0), rate(line(0), WINDOW_S), WINDOW_S)
    assert learned is not None and smooth is not None
    assert learned > smooth
    assert noise(0.4, [], None, WINDOW_S) == 0.4


def test_time_to_full_has_an_interval_and_a_cap() -> None:
    rising = rate([(when, count + (n % 3)) for n, (when, count) in enumerate(line(2))], WINDOW_S)
    found = time_to_full(18, rising, LIMITS, True)
    assert found is not None
    assert found.low <= found.minutes <= found.high
    assert 7 <= found.minutes <= 11
    assert time_to_full(1000, rising, LIMITS, True) is None
    assert time_to_full(18, rate(line(-2), WINDOW_S), LIMITS, False) is None
    assert time_to_full(None, rising, LIMITS, True) is None
    full = time_to_full(0, rising, LIMITS, True)
    assert full is not None and full.minutes == 0
    assert fills("increasing") and not fills("stable") and not fills(None)


def test_points_are_those_of_the_window_each_time_once() -> None:
    history = [(NOON - timedelta(minutes=n), 50) for n in range(30, 0, -1)]
    points = points_in([*history, history[-1]], (NOON, 51), WINDOW_S)
    assert len(points) == 16
    assert points[-1] == (NOON, 51)
    assert points_in([(NOON + timedelta(minutes=1), 9)], (NOON, 51), WINDOW_S) == [(NOON, 51)]
    assert points_in(history, None, WINDOW_S) == []
