"""Rows of reference parking 5.2 and 5.3, one remark each, and the law that output keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.parking import Observation
from schemas.settings import Parking
from streams.parking.availability import Authoritative, Clamped, clamp

LIMITS = Parking()
RECEIVED = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def observation(**values: Any) -> Observation:
    return Observation(source="op-jst", ref="p1", received_at=RECEIVED, **values)


def found(clamped: Clamped) -> tuple[int | None, int | None, int | None, int | None, int, tuple[str, ...]]:
    return (
        clamped.available,
        clamped.available_min,
        clamped.available_max,
        clamped.capacity_used,
        clamped.overflow,
        clamped.flags,
    )


def refused(capacity: int | None, *flags: str) -> tuple[Any, ...]:
    return (None, None, None, capacity, 0, flags)


# fmt: off
CASES: list[tuple[str, dict[str, Any], int | None, tuple[Any, ...]]] = [
    # what it is, the observation, register's capacity -> available, min, max, capacity, overflow, flags
    ("a healthy count",            {"free": 18, "capacity": 186}, 186,  (18, 18, 18, 186, 0, ())),
    ("full is a reading",          {"free": 0, "capacity": 186}, 186,   (0, 0, 0, 186, 0, ())),
    ("register's capacity",        {"free": 18}, 186,                   (18, 18, 18, 186, 0, ())),
    ("no capacity anywhere",       {"free": 18}, None,                  (18, 18, 18, None, 0, ())),
    ("only occupied",              {"occupied": 160}, 186,              (26, 26, 26, 186, 0, ())),
    ("an empty garage",            {"occupied": 0}, 186,                (186, 186, 186, 186, 0, ())),
    ("occupied of nothing known",  {"occupied": 160}, None,             refused(None, "no_capacity")),
    ("nothing said",               {}, 186,                             refused(186)),
    ("identity holds",             {"free": 26, "occupied": 160}, 186,  (26, 26, 26, 186, 0, ())),
    ("identity within 2",          {"free": 24, "occupied": 160}, 186,  (24, 24, 24, 186, 0, ())),
    ("identity within 1 %",        {"free": 31, "occupied": 960}, 1000, (31, 31, 31, 1000, 0, ())),
    ("identity broken (VRN)",      {"free": 46, "occupied": 6}, 87,     (46, 46, 81, 87, 0, ("identity_mismatch",))),
    # 5.3, row by row
    ("overfull by 3",              {"free": -3}, 40,                    (0, 0, 0, 40, 3, ("overfull",))),
    ("overfull by 5 %",            {"free": -10}, 200,                  (0, 0, 0, 200, 10, ("overfull",))),
    ("beyond 5 %: drift",          {"free": -11}, 200,                  refused(200, "drift")),
    ("contract pool at -23",       {"free": -23}, 60,                   refused(60, "drift")),
    ("-999 is no count",           {"free": -999}, 60,                  refused(60, "placeholder_value")),
    ("-1 of an unknown capacity",  {"free": -1}, None,                  (0, 0, 0, None, 1, ("overfull",))),
    ("above capacity by 2",        {"free": 42}, 40,                    (40, 40, 40, 40, 0, ("clamped",))),
    ("above capacity by 2 %",      {"free": 204}, 200,                  (200, 200, 200, 200, 0, ("clamped",))),
    ("above by more (SK24)",       {"free": 200, "capacity": 181}, 181, refused(181, "invalid")),
    ("above, change pending",      {"free": 143, "capacity": 147}, 100,
        (100, 100, 100, 100, 0, ("capacity_jump", "clamped"))),
    ("occupied 130 % is full",     {"occupied": 130}, 100,              (0, 0, 0, 100, 30, ("overfull",))),
    ("occupied beyond 130 %",      {"occupied": 131}, 100,              refused(100, "suspect")),
    ("occupied below zero by 2",   {"occupied": -2}, 100,               (100, 100, 100, 100, 0, ("clamped",))),
    ("occupied far below zero",    {"occupied": -3}, 100,               refused(100, "invalid")),
    # capacity
    ("live within 20 %",           {"free": 5, "capacity": 110}, 100,   (5, 5, 5, 110, 0, ())),
    ("live jumps: held",           {"free": 5, "capacity": 130}, 100,   (5, 5, 5, 100, 0, ("capacity_jump",))),
    ("live 0, free known",         {"free": 5, "capacity": 0}, 100,     (5, 5, 5, 100, 0, ("placeholder_capacity",))),
    ("0 of 0 says nothing",        {"free": 0, "capacity": 0}, None,    refused(None, "placeholder_capacity")),
    ("counted down from 9999",     {"free": 9990, "capacity": 9999}, None, refused(None, "placeholder_capacity")),
    ("-8 of 1 (Heidelberg P23)",   {"free": -8, "capacity": 1}, None,   refused(None, "placeholder_capacity", "drift")),
    ("the register confirms 1",    {"free": 1, "capacity": 1}, 1,       (1, 1, 1, 1, 0, ())),
    # modes
    ("flag 1 is not one space",    {"mode": "flag", "free": 1, "source_status": "open"}, 100,
        refused(100)),
    ("fewer than ten",             {"mode": "graded", "free_max": 9}, 100, (None, 0, 9, 100, 0, ())),
    ("graded without a bound",     {"mode": "graded"}, 100,             refused(100)),
    ("graded above capacity",      {"mode": "graded", "free_max": 9}, 4, (None, 0, 4, 4, 0, ())),
    ("57.4 %",                     {"mode": "percent", "percent_occupied": 57.4}, 702, (299, 295, 303, 702, 0, ())),
    ("102 %",                      {"mode": "percent", "percent_occupied": 102.0}, 100,
        (0, 0, 0, 100, 2, ("overfull",))),
    ("270 % (Toll Collect)",       {"mode": "percent", "percent_occupied": 270.0}, 100, refused(100, "suspect")),
    ("percent of nothing known",   {"mode": "percent", "percent_occupied": 50.0}, None, refused(None, "no_capacity")),
    ("closed keeps would-be",      {"mode": "closed", "free": 820, "capacity": 843}, 843, (820, 820, 820, 843, 0, ())),
    # faults
    ("fault written as 0 of 0",    {"free": 0, "capacity": 0, "source_status": "fault"}, 140,
        refused(140, "placeholder_capacity", "fault")),
    ("fault with a likely count",  {"free": 255, "capacity": 495, "source_status": "fault"}, 495,
        refused(495, "fault")),
    ("flags of the decoder stay",  {"free": -1, "flags": ("duplicate_key",)}, 40,
        (0, 0, 0, 40, 1, ("duplicate_key", "overfull"))),
]
# fmt: on


@pytest.mark.parametrize(("values", "register", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_one_observation(values: dict[str, Any], register: int | None, expected: tuple[Any, ...]) -> None:
    assert found(clamp(observation(**values), register, LIMITS)) == expected


def test_the_source_says_which_count_leads() -> None:
    row = observation(free=46, occupied=6)
    assert found(clamp(row, 87, LIMITS, "occupied")) == (81, 46, 81, 87, 0, ("identity_mismatch",))


def test_a_count_that_contradicts_itself_and_is_refused_keeps_both_flags() -> None:
    row = observation(free=-40, occupied=6)
    assert clamp(row, 87, LIMITS).flags == ("drift", "identity_mismatch")


counts = st.none() | st.integers(-1_000_000, 1_000_000) | st.integers(-20, 200) | st.sampled_from([0, 1, 999, 9999])


@given(
    mode=st.sampled_from(["count", "flag", "graded", "percent", "closed"]),
    free=counts,
    occupied=counts,
    capacity=counts,
    free_max=counts,
    percent=st.none() | st.floats(0, 1000),
    register=st.none() | st.integers(0, 5000),
    status=st.sampled_from([None, "open", "full", "closed", "fault", "unknown"]),
    authoritative=st.sampled_from(["free", "occupied"]),
)
def test_available_lies_within_capacity_and_a_null_is_null_throughout(
    mode: Any,
    free: int | None,
    occupied: int | None,
    capacity: int | None,
    free_max: int | None,
    percent: float | None,
    register: int | None,
    status: Any,
    authoritative: Authoritative,
) -> None:
    row = observation(
        mode=mode,
        free=free,
        occupied=occupied,
        capacity=capacity,
        free_max=free_max,
        percent_occupied=percent,
        source_status=status,
    )
    clamped = clamp(row, register, LIMITS, authoritative)
    top = 10**9 if clamped.capacity_used is None else clamped.capacity_used
    assert top >= 0
    if clamped.available is not None:
        assert clamped.available_min is not None and clamped.available_max is not None
        assert 0 <= clamped.available_min <= clamped.available <= clamped.available_max <= top
        assert (free, occupied, percent) != (None, None, None)
    else:
        assert clamped.overflow == 0
        assert clamped.available_max is None or (mode == "graded" and 0 <= clamped.available_max <= top)
    if status == "fault" or mode in ("flag", "graded"):
        assert clamped.available is None
    assert clamped.overflow >= 0


def test_a_count_beside_a_status_word_that_nobody_knows_is_not_believed() -> None:
    """Freiburg's obs_state 0 stands beside 399 of 399: the word may mean that the counter is broken."""
    row = Observation(
        source="freiburg", ref="9", free=399, capacity=399, source_status="unknown", flags=("unknown_status",),
        received_at=datetime(2026, 11, 24, tzinfo=UTC),
    )  # fmt: skip
    found = clamp(row, 399, Parking())
    assert (found.available, found.capacity_used, found.flags) == (None, 399, ("unknown_status",))
