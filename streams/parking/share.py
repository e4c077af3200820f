"""What of a car park is shared with the public now? Shared parking in off-peak windows (reference parking 6)."""

# W           spaces of the windows that hold now
# in_use      cars that entered under a window: counted by the source, else somewhere between 0 and all cars there
# R           the residents' reserve: the contract's floor, or more where more are expected back
# shared_free = min(W - in_use - held, free - R), at least 0; and 0 once nobody could stay his least time any more.
# It is known to be 0 outside windows. Inside, with a gate that does not report, it is unknown: not W.

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import msgspec

from schemas.civil import (
    NEAR,
    Calendar,
    Stretch,
    day_kind,
    local,
    next_window,
    spaces_of,
    stretches,
    windows_active,
    windows_in_force,
)
from schemas.minute import NextWindow, ShareMinute, WindowState
from schemas.registers import ShareWindow
from schemas.usability import usable_in

OPENING_SOON = timedelta(hours=1)
CLOSING = timedelta(minutes=30)  # before the last entry


class Seen(msgspec.Struct, frozen=True):
    """What is counted at the spaces that windows speak of. A null free has its reason."""

    free: int | None
    free_min: int | None
    free_max: int | None
    occupied: int | None
    in_use: int | None
    held: int | None
    reason: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """What the windows give to a car that enters now, and until when one may enter."""

    windows: tuple[ShareWindow, ...]
    spaces: int  # W
    usable: int  # W for all of the least stay
    last_entry_at: datetime | None
    must_leave_by: datetime | None


def share(
    windows: Sequence[ShareWindow],
    calendar: Calendar,
    at: datetime,
    seen: Seen,
    contract: int | None = None,
    returns: int = 0,
) -> ShareMinute:
    """`windows`: the lot's, all versions known at `at`; `contract`: enrolled spaces where the register says more;
    `returns`: residents expected back within the least stay.
    """
    pieces = stretches(windows, calendar, at, at + NEAR)
    entry = entry_at(pieces, at)
    following = next_window(windows, calendar, at, pieces)
    flags: list[str] = []
    low: int | None = 0
    high: int | None = 0
    available: int | None = 0
    reason: str | None = None
    if entry.usable > 0:
        reserve = max(returns, _reserve(entry.windows))
        bounds = _bounds(entry.usable, reserve, seen)
        if bounds is None:
            low, high, available, reason = None, None, None, seen.reason or "no_number"
        else:
            low, high = bounds
            available, reason = _published(*bounds)
            if high == 0 and reserve > 0 and seen.free_max is not None and seen.free_max <= reserve:
                flags.append("closed_early")
                reason = "reserve_reached"
        if seen.in_use is None:
            flags.append("share_use_estimated")
    if not _is_confirmed(calendar, at):
        flags.append("calendar_unconfirmed")
    named = max(entry.windows or (() if following is None else following.windows), key=lambda w: w.spaces, default=None)
    state = _state(entry, following.start if following else None, at)
    return ShareMinute(
        state="last_entry_passed" if "closed_early" in flags else state,
        spaces_contract=max(spaces_of(windows_in_force(windows, at)), contract or 0),
        spaces_now=entry.spaces,
        available=available,
        available_min=low,
        available_max=high,
        in_use=seen.in_use,
        held=seen.held,
        overstay=_overstay(windows, calendar, at, entry.spaces, seen.in_use),
        opens_at=following.start if entry.spaces == 0 and following else None,
        last_entry_at=entry.last_entry_at,
        must_leave_by=entry.must_leave_by,
        entrance_id=named.entrance_id if named else None,
        eligibility=named.eligibility if named else "anyone",
        overstay_rule_zh=named.overstay_rule_zh if named else None,
        overstay_rule_en=named.overstay_rule_en if named else None,
        next=NextWindow(start=following.start, end=following.end, spaces=following.spaces) if following else None,
        flags=tuple(flags),
        reason=reason,
    )


def entry_at(pieces: Sequence[Stretch], at: datetime) -> Entry:
    """`pieces`: the stretches of the next two days."""
    if not pieces or pieces[0].start > at or pieces[0].spaces == 0:
        return Entry((), 0, 0, None, None)
    active, spaces = pieces[0].windows, pieces[0].spaces
    usable, must_leave_by = usable_in(pieces, at, timedelta(0), at + NEAR)
    if any(window.entry_only for window in active):
        return Entry(active, spaces, usable, _entry_ends(pieces), must_leave_by)
    min_stay = timedelta(minutes=max(window.min_stay_min for window in active))
    return Entry(active, spaces, usable, None if must_leave_by is None else must_leave_by - min_stay, must_leave_by)


def _entry_ends(pieces: Sequence[Stretch]) -> datetime:
    ends = pieces[0].end
    for piece in pieces[1:]:
        if piece.start > ends or not any(window.entry_only for window in piece.windows):
            break
        ends = piece.end
    return ends


def expected_returns(changes: Sequence[int]) -> int:
    """Residents to be expected back within the least stay: the 95th percentile of what their cars grew by before.

    `changes`: by how much `occupied` of the residents grew over that time, at this hour, on days of this kind.
    """
    grown = sorted(max(0, change) for change in changes)
    return grown[ceil(0.95 * len(grown)) - 1] if grown else 0


def _bounds(usable: int, reserve: int, seen: Seen) -> tuple[int, int] | None:
    if seen.free_min is None or seen.free_max is None:
        return None
    held = seen.held or 0
    if seen.in_use is not None:
        least, most = seen.in_use, seen.in_use
    else:
        least, most = 0, usable if seen.occupied is None else min(seen.occupied, usable)
    low = min(usable - most - held, seen.free_min - reserve)
    high = min(usable - least - held, seen.free_max - reserve)
    return max(0, low), max(0, high)


def _published(low: int, high: int) -> tuple[int | None, str | None]:
    """What is certain; where not even one space is certain and some are possible, nothing is said."""
    if low == 0 and high > 0:
        return None, "share_use_unknown"
    return low, None


def _reserve(windows: Sequence[ShareWindow]) -> int:
    floors: dict[str, int] = {}
    for window in windows:
        floors[window.pool] = max(floors.get(window.pool, 0), window.reserve)
    return sum(floors.values())


def _overstay(
    windows: Sequence[ShareWindow], calendar: Calendar, at: datetime, spaces: int, in_use: int | None
) -> int | None:
    """Shared cars beyond what the windows give, after the grace they allow; None: nobody says how many are in."""
    if in_use is None:
        return None
    if in_use <= spaces:
        return 0
    grace = timedelta(minutes=max((window.grace_min for window in windows), default=0))
    spared = spaces_of(windows_active(windows, calendar, at - grace)) if grace else 0
    return max(0, in_use - max(spaces, spared))


def _state(entry: Entry, opens_at: datetime | None, at: datetime) -> WindowState:
    if entry.spaces == 0:
        return "opening_soon" if opens_at is not None and opens_at - at <= OPENING_SOON else "closed"
    if entry.usable == 0:
        return "last_entry_passed"
    if entry.last_entry_at is not None and entry.last_entry_at - at <= CLOSING:
        return "closing"
    return "open"


def _is_confirmed(calendar: Calendar, at: datetime) -> bool:
    today = local(calendar, at).date()
    return day_kind(calendar, today).is_confirmed and day_kind(calendar, today - timedelta(days=1)).is_confirmed
