"""Days and share windows in local civil time: reference parking 6.3 and the edges of 6.5 that time alone decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schemas.civil import (
    Calendar,
    Day,
    calendar_of,
    day_kind,
    next_window,
    spaces_of,
    stretches,
    windows_active,
    windows_known,
)
from schemas.registers import CalendarDay, ShareWindow

CALENDAR = calendar_of("Asia/Shanghai", "CN")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
WORKDAYS = (1, 2, 3, 4, 5)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def window(start: str, end: str, spaces: int = 40, **values: Any) -> ShareWindow:
    given: dict[str, Any] = {"window_id": "w1", "lot_id": "lh-0042", "valid_from": SINCE, "received_at": SINCE} | values
    return ShareWindow(start=start, end=end, spaces=spaces, **given)


def spaces(windows: list[ShareWindow], when: str, calendar: Calendar = CALENDAR) -> int:
    return spaces_of(windows_active(windows, calendar, at(when)))


@pytest.mark.parametrize(("day", "kind", "weekday"), [
    (date(2026, 11, 24), "ordinary", 2),
    (date(2026, 10, 1), "holiday", 7),
    (date(2026, 10, 4), "holiday", 7),    # the Sunday within National Day
    (date(2026, 10, 10), "workday", 5),   # a Saturday that is worked
    (date(2026, 9, 20), "workday", 1),    # a Sunday that is worked for National Day
    (date(2026, 2, 15), "holiday", 7),    # the Sunday before New Year's Eve is in the notice
    (date(2026, 2, 14), "workday", 5),
    (date(2026, 11, 28), "ordinary", 6),
])  # fmt: skip
def test_days(day: date, kind: str, weekday: int) -> None:
    assert day_kind(CALENDAR, day) == Day(kind, weekday, True)  # type: ignore[arg-type]


def test_a_year_without_a_published_list_is_not_confirmed() -> None:
    assert not day_kind(CALENDAR, date(2035, 10, 1)).is_confirmed
    assert day_kind(CALENDAR, date(2026, 10, 1)).is_confirmed


def test_a_register_row_overrides_the_library() -> None:
    calendar = calendar_of(
        "Asia/Shanghai",
        "CN",
        [
            CalendarDay(day=date(2035, 10, 1), kind="holiday", source="notice"),
            CalendarDay(day=date(2026, 10, 10), kind="ordinary", source="notice"),
        ],
    )
    assert day_kind(calendar, date(2035, 10, 1)) == Day("holiday", 7, True)
    assert day_kind(calendar, date(2026, 10, 10)) == Day("ordinary", 6, True)


def test_half_open() -> None:
    day = [window("08:30", "18:30")]
    assert [spaces(day, f"2026-11-24T{clock}") for clock in ("08:29:59", "08:30", "18:29", "18:29:59", "18:30")] == [
        0, 40, 40, 40, 0,
    ]  # fmt: skip


def test_unpadded_times_and_midnight_at_the_end() -> None:
    assert spaces([window("8:30", "24:00")], "2026-11-24T23:59") == 40
    assert spaces([window("8:30", "24:00")], "2026-11-25T00:00") == 0


def test_crossing_midnight_belongs_to_the_day_it_began() -> None:
    friday_night = [window("19:00", "08:00", weekdays=(5,))]
    assert spaces(friday_night, "2026-11-27T23:00") == 40
    assert spaces(friday_night, "2026-11-28T07:59") == 40
    assert spaces(friday_night, "2026-11-28T08:00") == 0
    assert spaces(friday_night, "2026-11-28T19:00") == 0


def test_friday_to_saturday_rule_change() -> None:
    rules = [
        window("18:00", "08:00", 80, weekdays=WORKDAYS),
        window("00:00", "24:00", 30, window_id="w2", weekdays=(6, 7)),
    ]
    assert spaces(rules, "2026-11-27T23:59") == 80
    assert spaces(rules, "2026-11-28T00:00") == 80  # both hold: the maximum, not 110
    assert spaces(rules, "2026-11-28T08:00") == 30


def test_make_up_sunday_is_a_working_day() -> None:
    office = [window("08:30", "18:30", weekdays=WORKDAYS)]
    assert spaces(office, "2026-09-20T10:00") == 40  # worked for National Day
    assert spaces(office, "2026-09-27T10:00") == 0
    assert spaces(office, "2026-10-05T10:00") == 0  # a Monday within the holiday


@pytest.mark.parametrize(
    ("rule", "holiday_monday", "make_up_sunday", "plain_monday", "plain_sunday"),
    [
        ("as_weekday", 0, 40, 40, 0),
        ("not_holidays", 0, 40, 40, 0),
        ("only_holidays", 40, 0, 0, 0),
        ("every_day", 40, 0, 40, 0),
    ],
)
def test_holiday_rules(
    rule: str, holiday_monday: int, make_up_sunday: int, plain_monday: int, plain_sunday: int
) -> None:
    rules = [window("08:30", "18:30", weekdays=WORKDAYS, holiday_rule=rule)]
    days = ("2026-10-05", "2026-09-20", "2026-11-23", "2026-11-29")
    assert [spaces(rules, f"{day}T10:00") for day in days] == [
        holiday_monday, make_up_sunday, plain_monday, plain_sunday,
    ]  # fmt: skip


def test_overlaps_merge_by_the_maximum_unless_exclusive() -> None:
    first, second = window("18:00", "08:00", 40), window("20:00", "06:00", 60, window_id="w2")
    assert spaces([first, second], "2026-11-24T21:00") == 60
    third = window("20:00", "06:00", 25, window_id="w3", exclusive=True)
    assert spaces([first, second, third], "2026-11-24T21:00") == 85
    other_pool = window("20:00", "06:00", 5, window_id="w4", pool="shared_ev")
    assert spaces([first, second, other_pool], "2026-11-24T21:00") == 65


def test_a_new_version_speaks_from_its_day_and_never_revives_the_old() -> None:
    old = window("18:00", "08:00", 80)
    new = window("18:00", "08:00", 20, version=2, valid_from=at("2026-11-24T20:00"), valid_to=at("2026-11-24T23:00"))
    both = [old, new]
    assert [spaces(both, f"2026-11-24T{clock}") for clock in ("19:59", "20:00", "22:59", "23:00")] == [80, 20, 20, 0]


def test_a_withdrawn_window_ends_there_and_the_version_before_it_does_not_return() -> None:
    both = [
        window("18:00", "08:00", 80),
        window("18:00", "08:00", 80, version=2, withdrawn_at=at("2026-11-24T20:00")),
    ]
    assert spaces(both, "2026-11-24T19:59") == 80
    assert spaces(both, "2026-11-24T20:00") == 0


def test_what_was_not_known_then_does_not_count_then() -> None:
    late = [
        window("18:00", "08:00", 80),
        window("18:00", "08:00", 0, version=2, received_at=at("2026-11-24T21:00")),
    ]
    assert spaces(list(windows_known(late, at("2026-11-24T20:00"))), "2026-11-24T20:00") == 80
    assert spaces(list(windows_known(late, at("2026-11-24T21:00"))), "2026-11-24T21:00") == 0


def test_next_window_skips_what_merely_goes_on() -> None:
    rules = [window("18:00", "24:00"), window("00:00", "08:00", window_id="w2")]
    following = next_window(rules, CALENDAR, at("2026-11-24T20:00"))
    assert following is not None and following.start == at("2026-11-25T18:00")
    assert next_window([], CALENDAR, at("2026-11-24T20:00")) is None
    assert next_window([window("00:00", "24:00")], CALENDAR, at("2026-11-24T20:00")) is None


def test_next_window_is_found_behind_a_holiday_week() -> None:
    office = [window("08:30", "18:30", weekdays=WORKDAYS)]
    following = next_window(office, CALENDAR, at("2026-09-30T18:30"))
    assert following is not None and following.start == at("2026-10-08T08:30")


def test_stretches_follow_each_other_and_say_their_spaces() -> None:
    rules = [window("18:00", "08:00", 80), window("20:00", "06:00", 100, window_id="w2")]
    pieces = stretches(rules, CALENDAR, at("2026-11-24T12:00"), at("2026-11-25T12:00"))
    assert [(piece.start, piece.spaces) for piece in pieces] == [
        (at("2026-11-24T18:00"), 80),
        (at("2026-11-24T20:00"), 100),
        (at("2026-11-25T06:00"), 80),
    ]
    assert pieces[-1].end - pieces[0].start == timedelta(hours=14)
