"""When is a car park open? The part of the OSM opening_hours syntax that car parks use; anything else is unknown.

hours_of("Mo-Fr 07:00-22:00; Sa,Su,PH 08:00-20:00") -> Hours, or None when the text is not understood
is_open(hours, calendar, at)                         -> bool
open_until(hours, calendar, at)                      -> when an open car park closes; None: not within a week
"""

# As in OSM, a later rule replaces what earlier ones said of a day, hours past midnight belong to the day on which they
# began, and PH is a public holiday. A make-up workday counts as the working day it stands for.

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

import msgspec

from schemas.civil import Calendar, Day, day_kind, instant, local

WEEKDAYS = {"Mo": 1, "Tu": 2, "We": 3, "Th": 4, "Fr": 5, "Sa": 6, "Su": 7}
ALL_DAYS = frozenset(range(1, 8))
WHOLE_DAY = ((0, 24 * 60),)
LOOK_AHEAD_DAYS = 8

_SPAN = re.compile(r"^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$")
_DAYS = re.compile(r"^((?:Mo|Tu|We|Th|Fr|Sa|Su|PH)(?:\s*[-,]\s*(?:Mo|Tu|We|Th|Fr|Sa|Su|PH))*)(?:\s+(.*))?$")


class Rule(msgspec.Struct, frozen=True):
    weekdays: frozenset[int]
    on_holidays: bool
    spans: tuple[tuple[int, int], ...]  # minutes of the day, the end may pass 24:00; empty: closed


class Hours(msgspec.Struct, frozen=True):
    rules: tuple[Rule, ...]


@lru_cache(maxsize=4096)
def hours_of(text: str) -> Hours | None:
    rules = []
    for part in text.strip().rstrip(";").split(";"):
        rule = _rule(part.strip())
        if rule is None:
            return None
        rules.append(rule)
    return Hours(tuple(rules))


def is_open(hours: Hours, calendar: Calendar, at: datetime) -> bool:
    if _is_always(hours):
        return True
    there = local(calendar, at)
    minute = there.hour * 60 + there.minute
    today, yesterday = there.date(), there.date() - timedelta(days=1)
    return any(opens <= minute < closes for opens, closes in _spans(hours, calendar, today)) or any(
        minute + 24 * 60 < closes for _, closes in _spans(hours, calendar, yesterday)
    )


def open_until(hours: Hours, calendar: Calendar, at: datetime) -> datetime | None:
    """The end of the opening that holds at `at` (which must be open), or None when none is near."""
    if _is_always(hours):
        return None
    first = local(calendar, at).date() - timedelta(days=1)
    until = at
    for day in (first + timedelta(days=n) for n in range(LOOK_AHEAD_DAYS + 1)):
        for opens, closes in sorted(_spans(hours, calendar, day)):
            if instant(calendar, day, opens) <= until:
                until = max(until, instant(calendar, day, closes))
            else:
                return until
    return until if until < at + timedelta(days=LOOK_AHEAD_DAYS - 1) else None


def _is_always(hours: Hours) -> bool:
    return all(rule.weekdays == ALL_DAYS and rule.spans == WHOLE_DAY for rule in hours.rules)


def _spans(hours: Hours, calendar: Calendar, day: date) -> tuple[tuple[int, int], ...]:
    kind: Day = day_kind(calendar, day)
    weekday = day.isoweekday() if kind.kind == "holiday" else kind.weekday
    spans: tuple[tuple[int, int], ...] = ()
    for rule in hours.rules:
        if weekday in rule.weekdays or (rule.on_holidays and kind.kind == "holiday"):
            spans = rule.spans
    return spans


def _rule(text: str) -> Rule | None:
    if text == "24/7":
        return Rule(ALL_DAYS, True, WHOLE_DAY)
    matched = _DAYS.match(text)
    weekdays, on_holidays, rest = ALL_DAYS, False, text
    if matched:
        found = _weekdays(matched.group(1))
        if found is None:
            return None
        weekdays, on_holidays = found
        rest = (matched.group(2) or "").strip()
        if not rest:
            return Rule(weekdays, on_holidays, WHOLE_DAY)
    if rest in ("off", "closed"):
        return Rule(weekdays, on_holidays, ())
    spans = []
    for part in rest.split(","):
        span = _SPAN.match(part.strip())
        if span is None:
            return None
        opens, closes = int(span[1]) * 60 + int(span[2]), int(span[3]) * 60 + int(span[4])
        if opens > 24 * 60 or closes > 48 * 60 or int(span[2]) > 59 or int(span[4]) > 59:
            return None
        spans.append((opens, closes if closes > opens else closes + 24 * 60))
    return Rule(weekdays, on_holidays, tuple(spans))


def _weekdays(text: str) -> tuple[frozenset[int], bool] | None:
    weekdays: set[int] = set()
    on_holidays = False
    for part in re.split(r"\s*,\s*", text):
        ends = re.split(r"\s*-\s*", part)
        if ends == ["PH"]:
            on_holidays = True
        elif len(ends) > 2 or "PH" in ends:
            return None
        else:
            first, last = WEEKDAYS[ends[0]], WEEKDAYS[ends[-1]]
            weekdays.update(range(first, last + 1) if first <= last else [*range(first, 8), *range(1, last + 1)])
    return frozenset(weekdays), on_holidays
