"""Which kind of day is it here, and which share windows hold now? Local civil time, reference parking 6.3. Pure.

calendar_of(time_zone, country, overrides) -> Calendar      once per version of the register
day_kind(calendar, day)                    -> Day           holiday, make-up workday or ordinary; confirmed or not
windows_known(windows, at)                 -> the versions that were known at `at` (as_of)
windows_in_force(windows, at)              -> the versions that speak at `at`, whatever the hour: what is enrolled
windows_active(windows, calendar, at)      -> the windows that hold at `at`
spaces_of(windows)                         -> W: what windows that hold together give
stretches(windows, calendar, start, end)   -> the pieces of time in which the same windows hold
next_window(windows, calendar, at)         -> the next opening after the one that holds now, or None

`windows` are those of one lot, all versions. Instants are aware; results are UTC.
"""

# A window is a rule: on each civil day it holds, it gives [start, end) of local time; end <= start is the next day.
# Of one window_id the highest version in force at an instant speaks alone; one that ended or was withdrawn does not
# bring an older one back. Windows of one pool overlap by the maximum, `exclusive` ones add; pools add.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import holidays
import msgspec

from schemas.registers import CalendarDay, ShareWindow

DayKind = Literal["holiday", "workday", "ordinary"]
SATURDAY, SUNDAY, MONDAY, FRIDAY = 6, 7, 1, 5
NEAR, FAR = timedelta(days=2), timedelta(days=16)  # the next window is nearly always near; a holiday week hides it


class Day(msgspec.Struct, frozen=True):
    """weekday 1-7 is the one it counts as: a holiday is a Sunday, a make-up workday the working day it stands for."""

    kind: DayKind
    weekday: int
    is_confirmed: bool  # false: the State Council's list for the year is not known yet


class Calendar(msgspec.Struct, frozen=True):
    time_zone: str
    country: str
    overrides: Mapping[date, DayKind] = {}


class Stretch(msgspec.Struct, frozen=True):
    """A piece of time in which the same windows hold; spaces is their W."""

    start: datetime
    end: datetime
    spaces: int
    windows: tuple[ShareWindow, ...]


def calendar_of(time_zone: str, country: str, overrides: Iterable[CalendarDay] = ()) -> Calendar:
    return Calendar(time_zone, country, {row.day: row.kind for row in overrides})


def local(calendar: Calendar, at: datetime) -> datetime:
    return at.astimezone(_zone(calendar.time_zone))


def instant(calendar: Calendar, day: date, minutes: int) -> datetime:
    """The instant `minutes` of wall clock after local midnight of `day`."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=_zone(calendar.time_zone))
    return (midnight + timedelta(minutes=minutes)).astimezone(UTC)


def day_kind(calendar: Calendar, day: date) -> Day:
    override = calendar.overrides.get(day) if calendar.overrides else None
    return _statutory(calendar.country, day) if override is None else _overridden(calendar.country, day, override)


def minutes_of(clock: str) -> int:
    """Minutes since midnight of "8:30", "08:30" or "24:00"."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def windows_known(windows: Sequence[ShareWindow], at: datetime) -> Sequence[ShareWindow]:
    return windows if all(w.received_at <= at for w in windows) else [w for w in windows if w.received_at <= at]


def windows_in_force(windows: Sequence[ShareWindow], at: datetime) -> tuple[ShareWindow, ...]:
    found = []
    for window in windows:
        begins, ends = _in_force(window, windows)
        if begins <= at and (ends is None or at < ends):
            found.append(window)
    return tuple(found)


def windows_active(windows: Sequence[ShareWindow], calendar: Calendar, at: datetime) -> tuple[ShareWindow, ...]:
    found = stretches(windows, calendar, at, at + timedelta(microseconds=1))
    return found[0].windows if found else ()


def spaces_of(windows: Iterable[ShareWindow]) -> int:
    largest: dict[str, int] = {}
    added = 0
    for window in windows:
        if window.exclusive:
            added += window.spaces
        elif window.spaces > largest.get(window.pool, -1):
            largest[window.pool] = window.spaces
    return added + sum(largest.values())


def stretches(
    windows: Sequence[ShareWindow], calendar: Calendar, start: datetime, end: datetime
) -> tuple[Stretch, ...]:
    """The pieces of [start, end) in which windows hold, in order. The outermost are not cut at start and end."""
    held = _occurrences(windows, calendar, start, end)
    edges = sorted({edge for opens, closes, _ in held for edge in (opens, closes)})
    found: list[Stretch] = []
    for opens, closes in pairwise(edges):
        if closes <= start or opens >= end:
            continue
        together = tuple(window for first, last, window in held if first <= opens and closes <= last)
        if not together:
            continue
        if found and found[-1].end == opens and found[-1].windows == together:
            found[-1] = Stretch(found[-1].start, closes, found[-1].spaces, together)
        else:
            found.append(Stretch(opens, closes, spaces_of(together), together))
    return tuple(found)


def next_window(
    windows: Sequence[ShareWindow], calendar: Calendar, at: datetime, near: Sequence[Stretch] | None = None
) -> Stretch | None:
    """The first piece with spaces that starts after `at` and does not merely go on with what holds at `at`.

    `near`: the stretches of the next two days, where they are known already.
    """
    if not windows:
        return None
    if near is None:
        near = stretches(windows, calendar, at, at + NEAR)
    return _next_of(near, at) or _next_of(stretches(windows, calendar, at, at + FAR), at)


def _next_of(pieces: Sequence[Stretch], at: datetime) -> Stretch | None:
    goes_on_at = at
    for piece in pieces:
        if piece.spaces == 0:
            continue
        if piece.start > goes_on_at:
            return piece
        goes_on_at = piece.end
    return None


def _occurrences(
    windows: Sequence[ShareWindow], calendar: Calendar, start: datetime, end: datetime
) -> list[tuple[datetime, datetime, ShareWindow]]:
    if not windows:
        return []
    first = local(calendar, start).date() - timedelta(days=1)  # yesterday's may reach past midnight
    days = [first + timedelta(days=n) for n in range((local(calendar, end).date() - first).days + 1)]
    kinds = [day_kind(calendar, day) for day in days]
    found: list[tuple[datetime, datetime, ShareWindow]] = []
    for window in windows:
        in_force_from, in_force_to = _in_force(window, windows)
        if in_force_to is not None and (in_force_to <= start or in_force_to <= in_force_from):
            continue
        opens, closes = minutes_of(window.start), minutes_of(window.end)
        if closes <= opens:
            closes += 24 * 60
        for day, kind in zip(days, kinds, strict=True):
            if not _holds_on(window, day, kind):
                continue
            first_at = max(instant(calendar, day, opens), in_force_from)
            last_at = instant(calendar, day, closes)
            if in_force_to is not None and in_force_to < last_at:
                last_at = in_force_to
            if first_at < last_at and first_at < end and last_at > start:
                found.append((first_at, last_at, window))
    return found


def _in_force(window: ShareWindow, windows: Sequence[ShareWindow]) -> tuple[datetime, datetime | None]:
    """From when to when this version speaks: until it ends, is withdrawn, or a higher version takes over."""
    ends = [at for at in (window.valid_to, window.withdrawn_at) if at is not None]
    ends += [w.valid_from for w in windows if w.window_id == window.window_id and w.version > window.version]
    return window.valid_from, min(ends) if ends else None


def _holds_on(window: ShareWindow, day: date, kind: Day) -> bool:
    """as_weekday: holidays count as Sundays, make-up workdays as working days. every_day: the calendar is ignored.

    not_holidays is as_weekday without holidays; only_holidays asks for the weekday of the date.
    """
    rule = window.holiday_rule
    weekday = kind.weekday
    if rule == "only_holidays" and kind.kind != "holiday":
        return False
    if rule == "not_holidays" and kind.kind == "holiday":
        return False
    if rule in ("every_day", "only_holidays"):
        weekday = day.isoweekday()
    return not window.weekdays or weekday in window.weekdays


@lru_cache(maxsize=4096)
def _statutory(country: str, day: date) -> Day:
    days_off, workdays, is_confirmed = _year(country, day.year)
    if day in workdays:
        return Day("workday", _working_weekday(day), is_confirmed)
    if day in days_off or (day.isoweekday() >= SATURDAY and _touches_holiday(country, day)):
        return Day("holiday", SUNDAY, is_confirmed)
    return Day("ordinary", day.isoweekday(), is_confirmed)


def _touches_holiday(country: str, day: date) -> bool:
    """A free weekend that adjoins a day off is part of the holiday: the State Council's notices count it in."""
    for step in (timedelta(days=-1), timedelta(days=1)):
        near = day + step
        while True:
            days_off, workdays, _ = _year(country, near.year)
            if near in days_off:
                return True
            if near.isoweekday() < SATURDAY or near in workdays:
                break
            near += step
    return False


def _overridden(country: str, day: date, kind: DayKind) -> Day:
    if kind == "holiday":
        return Day("holiday", SUNDAY, True)
    return Day(kind, _working_weekday(day) if kind == "workday" else day.isoweekday(), True)


def _working_weekday(day: date) -> int:
    """A Saturday that is worked counts as Friday, a Sunday as Monday: the nearest working day."""
    return {SATURDAY: FRIDAY, SUNDAY: MONDAY}.get(day.isoweekday(), day.isoweekday())


@lru_cache(maxsize=64)
def _year(country: str, year: int) -> tuple[frozenset[date], frozenset[date], bool]:
    """Days off, weekends that are worked, and whether the year's list is published (it always moves some weekend)."""
    listed = holidays.country_holidays(country, years=year)
    worked = frozenset(day for day in getattr(listed, "weekend_workdays", ()) if day.year == year)
    return frozenset(listed.keys()), worked, bool(worked) or country != "CN"


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
