"""Can a driver who arrives at `eta` and stays for `stay` use this car park? Pure; for the page, the feed and streams.

usability(lot, windows, calendar, opening_hours, eta, stay) -> Usability

`lot` is the newest LotMinute, `windows` all versions of the lot's share windows known now, `opening_hours` the
register's text. Nothing is promised that cannot be known: beyond the forecast spaces are null and `usable` is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.civil import Calendar, Stretch, spaces_of, stretches
from schemas.hours import hours_of, is_open, open_until
from schemas.minute import Horizon, LotMinute
from schemas.registers import ShareWindow

Basis = Literal["minute", "forecast"]
LOOK_AHEAD = timedelta(hours=24)
NOW_HOLDS = timedelta(minutes=15)  # what is seen now says something of the next quarter of an hour, not of more
HORIZON_REACH = timedelta(minutes=15)  # a forecast for t+60 serves arrivals up to t+75
HEADLINE_SHARED = "headline_shared"  # flag of a lot whose headline is what it shares
REASONS = (
    "withdrawn", "in_the_past", "too_far_ahead", "closed_at_arrival", "closes_before_leaving", "closed_now", "full",
    "no_forecast", "no_window", "window_ends", "unknown_now",
)  # fmt: skip


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """usable null: it cannot be known, and `reason` says why."""

    usable: bool | None
    spaces: int | None = None
    reason: str | None = None
    basis: Basis | None = None
    must_leave_by: datetime | None = None


class Usability(msgspec.Struct, frozen=True, kw_only=True):
    """The better of the public and the shared offer; the two are never added, their spaces may be the same."""

    lot_id: str
    eta: datetime
    leave_at: datetime
    usable: bool | None
    spaces: int | None
    reason: str | None
    must_leave_by: datetime | None
    public: Offer | None  # null: the lot has no spaces that are always public
    shared: Offer | None
    flags: tuple[str, ...] = ()


def usability(
    lot: LotMinute,
    windows: Sequence[ShareWindow],
    calendar: Calendar,
    opening_hours: str | None,
    eta: datetime,
    stay: timedelta,
) -> Usability:
    leave_at = eta + stay
    refused = _refused(lot, calendar, opening_hours, eta, stay)
    public = None if HEADLINE_SHARED in lot.flags else refused or _public(lot, eta)
    shared = (refused or _shared(lot, windows, calendar, eta, stay)) if windows else None
    offers = [offer for offer in (public, shared) if offer is not None]
    best = max(offers, key=_rank) if offers else Offer(usable=False, spaces=0, reason="no_window")
    hours_unknown = opening_hours is None or hours_of(opening_hours) is None
    return Usability(
        lot_id=lot.lot_id,
        eta=eta,
        leave_at=leave_at,
        usable=best.usable,
        spaces=best.spaces,
        reason=best.reason,
        must_leave_by=best.must_leave_by,
        public=public,
        shared=shared,
        flags=("opening_hours_unknown",) if hours_unknown else (),
    )


def usable_spaces(
    windows: Sequence[ShareWindow], calendar: Calendar, at: datetime, stay: timedelta
) -> tuple[int, datetime | None]:
    """Spaces that windows give to a car that enters at `at` for the whole of `stay`, and when the first of them ends.

    The stay is at least the windows' own least stay and ends `buffer_min` before they do. A window that bounds only
    the entry lets a car stay on.
    """
    until = at + max(stay, timedelta(days=1)) + timedelta(days=1)
    return usable_in(stretches(windows, calendar, at, until), at, stay, until)


def usable_in(pieces: Sequence[Stretch], at: datetime, stay: timedelta, until: datetime) -> tuple[int, datetime | None]:
    """`usable_spaces` of the stretches from `at` to `until`."""
    if not pieces or pieces[0].start > at or pieces[0].spaces == 0:
        return 0, None
    entered = pieces[0].windows
    stay_on = tuple(window for window in entered if window.entry_only)
    buffer = timedelta(minutes=max(window.buffer_min for window in entered))
    needed_until = at + max(stay, timedelta(minutes=max(window.min_stay_min for window in entered))) + buffer
    spaces, reached = spaces_of(entered), pieces[0].end
    for piece in pieces[1:]:
        given = spaces_of((*stay_on, *(window for window in piece.windows if window not in stay_on)))
        if piece.start > reached or (reached >= needed_until and given < spaces):
            break
        spaces, reached = min(spaces, given), piece.end
    if reached < needed_until:
        spaces = min(spaces, spaces_of(stay_on))
    return spaces, None if stay_on or reached >= until else reached - buffer


def _refused(
    lot: LotMinute, calendar: Calendar, opening_hours: str | None, eta: datetime, stay: timedelta
) -> Offer | None:
    if lot.status == "withdrawn":
        return Offer(usable=False, spaces=0, reason="withdrawn")
    if eta < lot.minute - timedelta(minutes=5):
        return Offer(usable=None, reason="in_the_past")
    if eta > lot.minute + LOOK_AHEAD:
        return Offer(usable=None, reason="too_far_ahead")
    hours = None if opening_hours is None else hours_of(opening_hours)
    if hours is not None:
        if not is_open(hours, calendar, eta):
            return Offer(usable=False, spaces=0, reason="closed_at_arrival")
        closes_at = open_until(hours, calendar, eta)
        if closes_at is not None and closes_at < eta + stay:
            return Offer(usable=False, spaces=0, reason="closes_before_leaving", must_leave_by=closes_at)
    if lot.status == "closed" and lot.reason == "closed_by_source":  # who closed it may open it again
        if eta - lot.minute <= NOW_HOLDS:
            return Offer(usable=False, spaces=0, reason="closed_now")
        return Offer(usable=None, reason="closed_now")
    return None


def _public(lot: LotMinute, eta: datetime) -> Offer:
    horizon = _horizon(lot, eta)
    if horizon is not None:
        spaces = max(0, int(horizon.p50))
        return Offer(usable=spaces > 0, spaces=spaces, reason=None if spaces > 0 else "full", basis="forecast")
    if eta - lot.minute > NOW_HOLDS:
        return Offer(usable=None, reason="no_forecast")
    if lot.status == "closed":  # by its hours: it opens before `eta`, and nobody has counted since
        return Offer(usable=None, reason="closed_now")
    return _counted(lot.available, lot.available)


def _shared(
    lot: LotMinute, windows: Sequence[ShareWindow], calendar: Calendar, eta: datetime, stay: timedelta
) -> Offer:
    spaces, must_leave_by = usable_spaces(windows, calendar, eta, stay)
    if spaces == 0:
        ends = must_leave_by is not None
        return Offer(usable=False, spaces=0, reason="window_ends" if ends else "no_window", must_leave_by=must_leave_by)
    share = lot.share
    if share is None:
        return Offer(usable=None, reason="unknown_now", must_leave_by=must_leave_by)
    if eta - lot.minute > NOW_HOLDS:
        return Offer(usable=None, reason="no_forecast", must_leave_by=must_leave_by)
    if share.spaces_now == 0:  # the window opens before `eta`: how many stand there then is not known
        return Offer(usable=None, reason="unknown_now", must_leave_by=must_leave_by)
    taken = share.spaces_now - share.available if share.available is not None else None
    left = None if taken is None else max(0, spaces - taken)
    return msgspec.structs.replace(_counted(left, share.available), must_leave_by=must_leave_by)


def _counted(spaces: int | None, seen: int | None) -> Offer:
    if spaces is None or seen is None:
        return Offer(usable=None, reason="unknown_now")
    return Offer(usable=spaces > 0, spaces=spaces, reason=None if spaces > 0 else "full", basis="minute")


def _horizon(lot: LotMinute, eta: datetime) -> Horizon | None:
    """The forecast nearest to `eta`, when one reaches it. Arrivals within five minutes meet what is seen now."""
    if not lot.forecast or eta - lot.minute <= timedelta(minutes=5):
        return None
    nearest = min(lot.forecast, key=lambda horizon: abs(horizon.at - eta))
    return nearest if abs(nearest.at - eta) <= HORIZON_REACH else None


def _rank(offer: Offer) -> tuple[int, int]:
    return ({True: 2, None: 1, False: 0}[offer.usable], offer.spaces or 0)
