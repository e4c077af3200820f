"""How old is it, by the source's own cadence; and which clocks are not believed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from streams.parking.freshness import freshness, is_tz_suspect, skew
from streams.parking.latest import Latest
from tests.streams.parking.district import LIMITS, at

NOON = at("12:00")


def heard(lag_s: float = 3, when_s: float = 0, **values: Any) -> Latest:
    received_at = NOON + timedelta(seconds=when_s)
    observed_at = received_at - timedelta(seconds=lag_s)
    given: dict[str, Any] = {"at": observed_at, "observed_at": observed_at, "received_at": received_at} | values
    return Latest(source="op-jst", ref="garage", pool="public", mode="count", free=1, **given)


@pytest.mark.parametrize(
    ("age_s", "cadence_s", "tier"),
    [
        (0, 60, "fresh"),
        (150, 60, "fresh"),  # 2 c + 30 s
        (151, 60, "aging"),
        (300, 60, "aging"),
        (301, 60, "stale"),
        (900, 60, "stale"),
        (901, 60, "expired"),
        (86_400, 60, "expired"),
        (86_401, 60, "dead"),
        (630, 300, "fresh"),  # a source that speaks every five minutes
        (1500, 300, "aging"),
        (4500, 300, "stale"),
        (4501, 300, "expired"),
        (50, 10, "fresh"),  # a quick source
        (51, 10, "aging"),
        (301, 10, "stale"),
    ],
)
def test_tiers(age_s: int, cadence_s: float, tier: str) -> None:
    found = freshness(heard(0), NOON + timedelta(seconds=age_s), cadence_s, LIMITS)
    assert (found.freshness, found.age_s) == (tier, age_s)
    assert (found.reason is None) is (tier in ("fresh", "aging", "stale"))


def test_never_reported() -> None:
    found = freshness(None, NOON, 60, LIMITS)
    assert (found.freshness, found.age_s, found.reason) == ("never", None, "never_reported")


def test_the_time_of_receipt_counts_only_where_the_source_never_says_a_time() -> None:
    ingest = heard(observed_at=None, time_basis="ingest")
    assert freshness(ingest, NOON + timedelta(seconds=40), 60, LIMITS).age_s == 40
    sentinel = heard(observed_at=None, time_basis="lot")
    assert freshness(sentinel, NOON, 60, LIMITS).reason == "no_observation_time"


def test_a_time_in_the_future_is_no_time() -> None:
    assert freshness(heard(-121), NOON, 60, LIMITS).reason == "future_time"
    assert freshness(heard(-120), NOON, 60, LIMITS).age_s == 0


def test_a_constant_lag_of_whole_hours_for_half_an_hour_is_a_wrong_zone() -> None:
    state = None
    for minute in range(31):
        newest = heard(lag_s=8 * 3600 + 20, when_s=60 * minute)
        state = skew(state, newest)
        assert is_tz_suspect(state, newest) is (minute == 30)


def test_a_stuck_time_is_old_and_not_a_wrong_zone() -> None:
    state = None
    for minute in range(120):
        newest = heard(lag_s=3600 + 60 * minute, when_s=60 * minute)
        state = skew(state, newest)
        assert not is_tz_suspect(state, newest)


def test_a_right_clock_has_no_skew() -> None:
    assert skew(None, heard(3)) is None
    assert skew(None, heard(1800)) is None
