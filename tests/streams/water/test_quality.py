"""The flag of a reading when it comes, and what the next one makes of it."""

from __future__ import annotations

import pytest

from streams.water import quality
from streams.water.columns import Folded, Reading, columns_of
from streams.water.fold import fold
from streams.water.qartod import FAIL, GOOD, MISSING, SUSPECT, UNKNOWN
from streams.water.rules import rules_of
from streams.water.series import SeriesTable
from tests.streams.water.river import ZONE, feed, flood, minute, register, table


def flags(folded: Folded) -> list[tuple[int, str]]:
    return [(int(flag), quality.tests_text(int(tests))) for flag, tests in zip(folded.flag, folded.tests, strict=True)]


@pytest.mark.parametrize(
    ("reading", "flag", "tests"),
    [
        (Reading(0, minute(5), minute(5), 0.3), GOOD, ""),
        (Reading(0, minute(5), minute(5), 0.0), GOOD, ""),  # zero is a level
        (Reading(0, minute(5), minute(5), -0.5), GOOD, ""),  # and so is one below the datum
        (Reading(0, minute(5), minute(5), None, stated=MISSING), MISSING, "source"),
        (Reading(0, minute(5), minute(5), None), MISSING, ""),
        (Reading(0, minute(5), minute(5), 9.0), FAIL, "gross_range"),
        (Reading(0, minute(5), minute(5), 0.3, stated=FAIL), FAIL, "source"),
        (Reading(0, minute(5), minute(5), 0.3, stated=SUSPECT), SUSPECT, "source"),
        (Reading(0, minute(5), minute(5), 0.3, device=True), SUSPECT, "device"),
        (Reading(0, minute(11), minute(5), 0.3), SUSPECT, "clock"),
    ],
)
def test_what_a_reading_shows_by_itself(reading: Reading, flag: int, tests: str) -> None:
    state = table()
    feed(state, [(0, 0.3)])
    assert flags(fold(state, columns_of([reading]))) == [(flag, tests)]


def test_a_jump_is_held_and_the_next_sample_makes_both_good() -> None:
    state = table()
    feed(state, [(0, 0.3), (5, 0.31)])
    held = feed(state, [(10, 1.6)])
    assert flags(held) == [(UNKNOWN, "rate_of_change")]
    settled = feed(state, [(15, 1.7)])
    assert flags(settled) == [(GOOD, "")]
    assert [(each.at, each.flag) for each in settled.requalified] == [(minute(10), GOOD)]
    assert [change.what for change in settled.changes] == ["raised"]


def test_a_jump_that_comes_back_was_a_spike() -> None:
    state = table()
    feed(state, [(0, 0.3), (5, 0.31), (10, 2.6)])
    back = feed(state, [(15, 0.32)])
    assert [(each.at, each.flag, quality.tests_text(each.tests)) for each in back.requalified] == [
        (minute(10), FAIL, "rate_of_change,spike")
    ]
    assert back.changes == []


def test_a_jump_to_nowhere_fails_and_the_next_is_held() -> None:
    state = table()
    feed(state, [(0, 0.3), (5, 2.6)])
    folded = feed(state, [(10, 5.5)])
    assert flags(folded) == [(UNKNOWN, "rate_of_change")]
    assert [(each.flag, quality.tests_text(each.tests)) for each in folded.requalified] == [(FAIL, "rate_of_change")]


def test_the_raw_value_is_kept() -> None:
    state = SeriesTable(ZONE)
    state.add(rules_of(register()))
    columns = columns_of([Reading(0, minute(at), minute(at), value) for at, value in flood()])
    before = columns.value.copy()
    fold(state, columns)
    assert columns.value.tolist() == before.tolist()
