"""When a minute is computed: as soon as the log has passed it, by the wall at last, and a backlog gets its chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams.parking.due import Clocks, Due, Pace, beyond_hole, due, next_minute, watch

M = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
GRACE = timedelta(seconds=4)
DAY = timedelta(days=1)


def at(seconds: float) -> datetime:
    return M + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("least_s", "wall_s", "expected", "remark"),
    [
        (0.001, 0.1, "on_time", "the log has passed the minute"),
        (0, 3.9, "wait", "what was received at M is of M: the clock must be beyond it"),
        (-1, 3.9, "wait", "within the grace"),
        (-1, 4, "late", "the grace is over"),
        (None, 3.9, "wait", "a partition without a clock is waited for"),
        (None, 4, "late", "but not longer"),
        (30, -1, "wait", "a connector whose clock is ahead does not make the future"),
        (3600, 3600, "on_time", "catching up: long passed"),
    ],
)
def test_when_a_minute_is_due(least_s: float | None, wall_s: float, expected: Due, remark: str) -> None:
    least = None if least_s is None else at(least_s)
    pace = Pace(least=least, moved_at=at(-30), waited_for=M, waited_since=at(wall_s))
    assert due(M, pace, at(wall_s), GRACE) == expected, remark


def test_a_backlog_that_is_being_applied_is_waited_for_but_not_for_ever() -> None:
    """An hour behind and moving: the minute waits for its rows; when the log is too slow it is published late."""
    pace = Pace()
    seen = []
    for second in range(13):
        wall = at(3600 + second)
        pace = watch(pace, Clocks(at(-600 + second), {}), M, wall)
        seen.append(due(M, pace, wall, GRACE))
    assert seen == ["wait"] * 11 + ["late"] * 2


def test_a_log_that_stands_still_is_not_waited_for() -> None:
    pace = Pace()
    seen = []
    for second in range(5):
        wall = at(3600 + second)
        pace = watch(pace, Clocks(at(-600), {}), M, wall)
        seen.append(due(M, pace, wall, GRACE))
    assert seen == ["wait"] * 4 + ["late"]


def test_patience_begins_anew_with_each_minute() -> None:
    pace = watch(Pace(), Clocks(at(-600), {}), M, at(3600))
    pace = watch(pace, Clocks(at(1), {}), M, at(3609))
    pace = watch(pace, Clocks(at(2), {}), M + timedelta(minutes=1), at(3611))
    assert due(M + timedelta(minutes=1), pace, at(3611), GRACE) == "wait"


def test_the_next_minute() -> None:
    wall = at(30)
    assert next_minute(M - timedelta(minutes=1), at(10), wall, DAY) == (M, None), "after the last one"
    assert next_minute(None, at(-90), wall, DAY) == (M - timedelta(minutes=1), None), "the first that is whole"
    assert next_minute(None, None, wall, DAY) == (M, None), "nothing is known: now"
    assert next_minute(None, at(600), wall, DAY) == (M, None), "never in the future"


def test_more_than_a_day_is_jumped_and_said() -> None:
    last = M - timedelta(days=3)
    assert next_minute(last, at(0), M, DAY) == (M - DAY, last + timedelta(minutes=1))


def test_a_hole_in_the_log_is_jumped_and_an_outage_of_the_database_is_not() -> None:
    minute, hours = timedelta(minutes=1), timedelta(hours=1)
    wanted, wall = M, M + 60 * hours
    listening = Pace(waited_for=wanted, waited_since=wall)
    assert beyond_hole(wanted, None, listening, M + 2 * hours) == wanted, "two hours are computed in any case"
    assert beyond_hole(wanted, M + minute, listening, wall) == wanted, "the log goes on: Kafka had it"
    monday = M + 59 * hours + timedelta(seconds=20)
    assert beyond_hole(wanted, monday, listening, wall) == M + 59 * hours, "everything was off until then"
    assert beyond_hole(wanted, None, listening, wall + timedelta(seconds=29)) is None, "the log gets time to speak"
    assert beyond_hole(wanted, None, listening, wall + timedelta(seconds=30)) == wall, "it has nothing to say"
