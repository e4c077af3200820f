"""Frozen sensors are found by a lot's own rates; nights, flags and silent sources are not frozen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from streams.parking.latest import Latest
from streams.parking.movement import follow, is_frozen
from tests.streams.parking.district import LIMITS, at

ZONE = ZoneInfo("Asia/Shanghai")
LIVELY = [12.0] * 168
QUIET = [0.05] * 168


def says(when: datetime, free: int = 50, **values: Any) -> Latest:
    given: dict[str, Any] = {"mode": "count", "observed_at": when, "received_at": when, "at": when} | values
    return Latest(source="op-jst", ref="garage", pool="public", free=free, **given)


def still(start: datetime, minutes: int, rates: list[float] | None, **values: Any) -> dict[str, Any] | None:
    state = None
    for minute in range(minutes + 1):
        state = follow(state, says(start + timedelta(minutes=minute), **values), rates, ZONE)
    return state


def test_half_an_hour_of_stillness_is_enough_where_twelve_changes_an_hour_are_usual() -> None:
    assert not is_frozen(still(at("10:00"), 29, LIVELY), LIVELY, LIMITS)
    assert not is_frozen(still(at("10:00"), 34, LIVELY), LIVELY, LIMITS)  # exp(-6.8) is still above 0.001
    assert is_frozen(still(at("10:00"), 35, LIVELY), LIVELY, LIMITS)


def test_a_quiet_lot_may_stand_still_all_night() -> None:
    assert not is_frozen(still(at("20:00"), 600, QUIET), QUIET, LIMITS)


def test_a_new_lot_is_frozen_after_six_hours_of_daytime() -> None:
    assert not is_frozen(still(at("07:00"), 359, None), None, LIMITS)
    assert is_frozen(still(at("07:00"), 361, None), None, LIMITS)
    assert not is_frozen(still(at("18:00"), 600, None), None, LIMITS)  # four hours of day, the rest is night


def test_a_change_of_the_counters_is_movement() -> None:
    state = still(at("10:00"), 60, LIVELY, in_count=7, out_count=7)
    state = follow(state, says(at("11:01"), in_count=8, out_count=8), LIVELY, ZONE)
    assert not is_frozen(state, LIVELY, LIMITS)


def test_flags_and_silence_are_not_frozen() -> None:
    assert follow(None, says(at("10:00"), mode="flag"), LIVELY, ZONE) is None
    state = follow(None, says(at("10:00")), LIVELY, ZONE)
    for _ in range(500):  # nothing new is heard
        state = follow(state, says(at("10:00")), LIVELY, ZONE)
    assert not is_frozen(state, LIVELY, LIMITS)


def test_an_older_observation_changes_nothing() -> None:
    state = still(at("10:00"), 10, LIVELY)
    assert follow(state, says(at("10:05"), free=3), LIVELY, ZONE) is state
