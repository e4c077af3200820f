"""Opening hours: the texts that are understood, those that are not, and when a car park closes."""

from __future__ import annotations

from datetime import datetime

import pytest

from schemas.civil import calendar_of
from schemas.hours import hours_of, is_open, open_until

CALENDAR = calendar_of("Asia/Shanghai", "CN")
SHOP = "Mo-Fr 07:00-22:00; Sa,Su,PH 08:00-20:00"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(("text", "when", "expected"), [
    ("24/7", "2026-11-24T03:00", True),
    ("24/7; PH off", "2026-10-01T03:00", False),
    (SHOP, "2026-11-24T06:59", False),
    (SHOP, "2026-11-24T07:00", True),
    (SHOP, "2026-11-24T22:00", False),
    (SHOP, "2026-10-01T07:30", False),               # a Thursday, but a holiday
    (SHOP, "2026-10-01T08:00", True),
    (SHOP, "2026-09-20T07:30", True),                # a Sunday that is worked
    ("08:00-22:00", "2026-11-24T12:00", True),
    ("Fr-Mo 10:00-12:00", "2026-11-29T11:00", True),
    ("Fr-Mo 10:00-12:00", "2026-11-24T11:00", False),
    ("Mo-Su 18:00-02:00", "2026-11-25T01:59", True),
    ("Mo-Su 18:00-02:00", "2026-11-25T02:00", False),
    ("Fr 18:00-26:00", "2026-11-28T01:00", True),
    ("Mo-Fr 07:00-12:00,14:00-18:00", "2026-11-24T13:00", False),
    ("Mo-Su 00:00-24:00; Su off", "2026-11-29T12:00", False),
    ("off", "2026-11-24T12:00", False),
])  # fmt: skip
def test_open(text: str, when: str, expected: bool) -> None:
    hours = hours_of(text)
    assert hours is not None
    assert is_open(hours, CALENDAR, at(when)) is expected


@pytest.mark.parametrize(
    "text",
    ["", "sunrise-sunset", "Mo-Fr", "week 1-10 Mo 08:00-10:00", "Mo-Fr 07:00+", "Mo-PH 07:00-08:00", "7-22", "全天"],
)
def test_what_is_not_understood_is_unknown_except_bare_days(text: str) -> None:
    assert (hours_of(text) is None) is (text != "Mo-Fr")


@pytest.mark.parametrize(("text", "when", "expected"), [
    ("24/7", "2026-11-24T12:00", None),
    ("Mo-Su 00:00-24:00; PH off", "2026-11-24T12:00", None),
    (SHOP, "2026-11-24T12:00", "2026-11-24T22:00"),
    ("Mo-Su 18:00-02:00", "2026-11-25T01:00", "2026-11-25T02:00"),
    ("Mo-Fr 07:00-24:00; Sa 00:00-12:00", "2026-11-27T20:00", "2026-11-28T12:00"),
])  # fmt: skip
def test_open_until(text: str, when: str, expected: str | None) -> None:
    hours = hours_of(text)
    assert hours is not None
    assert open_until(hours, CALENDAR, at(when)) == (None if expected is None else at(expected))
