"""The night's floor tells how far a count has wandered; only cars known to be inside are reason to correct it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from streams.parking.drift import corrected, estimate, follow
from streams.parking.latest import Latest
from tests.streams.parking.district import at

ZONE = ZoneInfo("Asia/Shanghai")


def night(
    state: dict[str, Any] | None, first: datetime, floor: int, inside: int | None = None, capacity: int = 200
) -> dict[str, Any] | None:
    """A night from 02:00 to 06:00 whose least count is `floor`."""
    for minutes in range(0, 240, 10):
        when = first + timedelta(minutes=minutes)
        occupied = floor + abs(minutes - 120) // 10
        newest = Latest(
            source="op-jst", ref="garage", pool="public", mode="count", at=when, observed_at=when, received_at=when,
            inside=inside,
        )  # fmt: skip
        state = follow(state, newest, occupied, capacity, when.astimezone(ZONE))
    return state


def nights(floors: list[int], inside: int | None = None) -> dict[str, Any] | None:
    state = None
    for day, floor in enumerate(floors):
        state = night(state, at("02:00") + timedelta(days=day), floor, inside)
    return state


def test_nothing_is_said_of_the_first_week() -> None:
    assert estimate(nights([20] * 7)) is None


def test_a_floor_that_rises_is_an_estimate_and_not_a_correction() -> None:
    state = nights([20] * 8 + [34])
    assert estimate(state) == 14
    assert corrected(100, 200, state) == 100


def test_cars_known_to_be_inside_correct_by_at_most_five_percent_a_night() -> None:
    state = nights([40], inside=10)
    assert estimate(state) == 30
    assert corrected(100, 200, state) == 110
    state = night(state, at("02:00") + timedelta(days=1), 40, inside=10)
    assert corrected(100, 200, state) == 120


def test_a_count_too_low_is_corrected_downwards_and_stays_within_bounds() -> None:
    state = nights([10], inside=30)
    assert estimate(state) == -20
    assert corrected(100, 200, state) == 90
    assert corrected(4, 200, state) == 0
    assert corrected(195, 200, nights([40], inside=10)) == 200


def test_only_counts_are_followed() -> None:
    when = at("04:00")
    flag = Latest(source="a", ref="b", pool="public", mode="flag", at=when, observed_at=when, received_at=when)
    assert follow(None, flag, None, 200, when.astimezone(ZONE)) is None
