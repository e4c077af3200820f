"""Thresholds in vacant spaces, hysteresis and dwell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.minute import Status
from schemas.settings import Parking
from streams.parking.status import Thresholds, dwelt, of_count, of_source, thresholds
from tests.streams.parking.district import LIMITS, at

OF_186 = Thresholds((19, 24), (1, 4))


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (186, OF_186),  # the example of the published record
        (560, Thresholds((56, 73), (3, 11))),
        (20, Thresholds((3, 5), (1, 2))),
        (6, Thresholds((3, 5), (1, 2))),
        (3, Thresholds((1, 3), (0, 2))),
        (1, Thresholds((0, 1), (0, 1))),
        (None, Thresholds((3, 5), (0, 2))),
    ],
)
def test_thresholds(capacity: int | None, expected: Thresholds) -> None:
    assert thresholds(capacity, LIMITS, {}) == expected


def test_a_lot_sets_its_own() -> None:
    own = {"full": (2, 9)}
    assert thresholds(186, LIMITS, own) == Thresholds((19, 24), (2, 9))
    assert thresholds(186, Parking(almost_full_enter=(30, 0.0)), {}).almost_full[0] == 30


@pytest.mark.parametrize(
    ("vacant", "before", "expected"),
    [
        (20, None, "open"),
        (19, None, "almost_full"),
        (20, "almost_full", "almost_full"),  # between enter and leave it stays
        (23, "almost_full", "almost_full"),
        (24, "almost_full", "open"),
        (1, "open", "full"),
        (2, "open", "almost_full"),
        (3, "full", "full"),
        (4, "full", "almost_full"),
        (24, "full", "open"),
        (0, "closed", "full"),
        (20, "unknown", "open"),
    ],
)
def test_hysteresis(vacant: int, before: Status | None, expected: str) -> None:
    assert of_count(vacant, before, OF_186) == expected


@pytest.mark.parametrize(
    ("said", "free_max", "expected"),
    [
        ("open", None, "open"),
        ("full", None, "full"),
        (None, None, "unknown"),
        ("unknown", None, "unknown"),
        (None, 9, "almost_full"),
        (None, 0, "full"),
        (None, 90, "unknown"),
    ],
)
def test_without_a_count(said: str | None, free_max: int | None, expected: str) -> None:
    assert of_source(said, free_max, OF_186) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "before", "since", "expected"),
    [
        ("open", "almost_full", "11:59", "almost_full"),  # a minute is too short
        ("open", "almost_full", "11:58", "open"),
        ("full", "open", "11:59", "full"),
        ("closed", "open", "11:59", "closed"),
        ("unknown", "open", "11:59", "unknown"),
        ("open", "unknown", "11:59", "open"),
        ("open", "closed", "11:59", "open"),
        ("almost_full", "full", "11:59", "full"),
    ],
)
def test_dwell(wanted: Status, before: Status, since: str, expected: str) -> None:
    assert dwelt(wanted, before, at(since), at("12:00"), 120) == expected


@given(st.integers(1, 20_000), st.data())
def test_an_empty_lot_is_open_and_a_full_one_is_full_whatever_came_before(capacity: int, data: st.DataObject) -> None:
    limits = thresholds(capacity, LIMITS, {})
    befores: list[Status | None] = [None, "open", "almost_full", "full", "closed", "unknown"]
    before = data.draw(st.sampled_from(befores))
    assert of_count(capacity, before, limits) == "open"
    assert of_count(0, before, limits) == "full"
    assert limits.full[0] < limits.full[1]
    assert limits.almost_full[0] < limits.almost_full[1]
