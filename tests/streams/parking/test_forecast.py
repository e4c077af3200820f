"""A forecast is the district's habit, scaled by today's liveliness, and served only where it has beaten persistence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.parking.forecast import ForecastInput, Score, Spread, horizons, note, predict, settle
from tests.streams.parking.district import at

NOON = at("12:00")
GOOD, BAD = Score(500, 800.0, 1600.0, 400), Score(500, 1700.0, 1600.0)


def week(per_quarter: int, start: int = 100) -> dict[int, int]:
    """Occupied from two hours before until one hour after, changing by so many cars a quarter of an hour."""
    return {minutes: start + per_quarter * (minutes // 15) for minutes in range(-120, 61, 15)}


def given_weeks(now: int, *past: int, score: Score = GOOD) -> ForecastInput:
    this = {minutes: count for minutes, count in week(now).items() if minutes <= 0}
    return ForecastInput([this, *(week(rate) for rate in past)], {15: score, 30: score, 60: score})


def test_the_mean_change_of_the_weeks_before() -> None:
    found = predict(50, 200, given_weeks(4, 4, 4, 4), 60)
    assert found is not None and found.p50 == 34  # 16 more cars


def test_a_livelier_day_changes_faster() -> None:
    found = predict(50, 200, given_weeks(8, 4, 4, 4), 30)
    assert found is not None and found.p50 == 34  # twice the 8 cars of half an hour


def test_clamped_to_the_lot() -> None:
    full, empty = predict(3, 200, given_weeks(4, 4, 4, 4), 60), predict(199, 200, given_weeks(-4, -4, -4, -4), 60)
    assert full is not None and full.p50 == 0
    assert empty is not None and empty.p50 == 200


def test_one_known_week_is_too_few() -> None:
    assert predict(50, 200, ForecastInput([week(4), week(4)], {}), 15) is None
    assert predict(50, 200, ForecastInput([], {}), 15) is None


@pytest.mark.parametrize(
    ("score", "is_served"),
    [(GOOD, True), (BAD, False), (Score(95, 10.0, 90.0), False), (Score(500, 0.0, 0.0), False)],
)
def test_served_only_where_it_beats_persistence(score: Score, is_served: bool) -> None:
    found = horizons(50, 200, given_weeks(4, 4, 4, 4, score=score), NOON)
    assert (found is not None) is is_served
    if found is not None:
        assert [(each.minutes, each.at) for each in found] == [(n, NOON + timedelta(minutes=n)) for n in (15, 30, 60)]
        assert all(each.p10 <= each.p50 <= each.p90 for each in found)
        assert (found[0].score, found[0].n) == (0.5, 500)


def test_predictions_are_settled_at_their_minute_against_persistence() -> None:
    pending = note([], 50, 200, given_weeks(4, 4, 4, 4), NOON)
    assert [prediction[1] for prediction in pending] == [15, 30, 60]
    assert note(pending, 50, 200, given_weeks(4, 4, 4, 4), NOON + timedelta(minutes=1)) == pending
    waiting, settled = settle("garage", pending, 45, NOON + timedelta(minutes=15), NOON.date())
    assert [prediction[1] for prediction in waiting] == [30, 60]
    assert [(each.horizon_min, each.error_model, each.error_persistence, each.is_covered) for each in settled] == [
        (15, 1.0, 5.0, True)
    ]


def test_what_cannot_be_settled_in_time_is_dropped() -> None:
    pending = note([], 50, 200, given_weeks(4, 4, 4, 4), NOON)
    assert settle("garage", pending, None, NOON + timedelta(minutes=90), NOON.date()) == ([], [])
    assert settle("garage", pending, 40, NOON + timedelta(minutes=90), NOON.date()) == ([], [])


@given(st.floats(0, 500), st.floats(0, 100), st.integers(0, 500))
def test_quantiles_are_ordered_and_within_the_lot(p50: float, mean_error: float, capacity: int) -> None:
    spread = Spread(min(p50, capacity), mean_error, capacity)
    low, high = spread.quantile(0.1), spread.quantile(0.9)
    assert 0 <= low <= high <= capacity
    assert 0 <= spread.p_space <= 1
