"""How many residents are still to come home within the least stay of a share window? (reference parking 6.2, R)

Learned from the days alike (working days with working days) of four weeks: by how much the cars that are not shared
grew from this quarter of an hour over the least stay. With fewer than seven such days nothing is learned, and the
contract's floor stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from schemas.civil import day_kind, instant, local, windows_in_force
from streams.parking.register_view import RegisterView
from streams.parking.share import expected_returns

LOOK_BACK_DAYS = 28
LEAST_DAYS = 7
STEP = timedelta(minutes=15)
_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_WORKING_DAYS = 5

Span = tuple[datetime, datetime]


def quarter(at: datetime) -> datetime:
    """The quarter of an hour in which a minute lies: what is learned holds for all of it."""
    return at - (at - _EPOCH) % STEP


def spans(view: RegisterView, at: datetime) -> dict[str, tuple[Span, ...]]:
    """By lot that shares and asks for a least stay: the same time of the days alike before, and the stay after it."""
    begin = quarter(at)
    here = local(view.calendar, begin)
    minutes = here.hour * 60 + here.minute
    days = [here.date() - timedelta(days=back) for back in range(1, LOOK_BACK_DAYS + 1)]
    works = day_kind(view.calendar, here.date()).weekday <= _WORKING_DAYS
    alike = [day for day in days if (day_kind(view.calendar, day).weekday <= _WORKING_DAYS) == works]
    begins = [instant(view.calendar, day, minutes) for day in alike]
    found = {}
    for entry in view.lots:
        stay_min = max((window.min_stay_min for window in windows_in_force(entry.windows, at)), default=0)
        if stay_min > 0:
            stay = timedelta(minutes=stay_min)
            found[entry.lot_id] = tuple((each, each + stay) for each in begins if each + stay < at)
    return found


def returns(asked: Mapping[str, tuple[Span, ...]], residents: Mapping[tuple[str, datetime], int]) -> dict[str, int]:
    """By lot: how many are expected. `residents` is how many cars that are not shared stood there at an instant."""
    expected = {}
    for lot_id, pairs in asked.items():
        grown = [
            residents[lot_id, end] - residents[lot_id, begin]
            for begin, end in pairs
            if (lot_id, begin) in residents and (lot_id, end) in residents
        ]
        if len(grown) >= LEAST_DAYS:
            expected[lot_id] = expected_returns(grown)
    return expected
