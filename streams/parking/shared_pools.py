"""At which pools of a car park do the windows' spaces lie, and what is counted there? (reference parking 6.2)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from schemas.civil import Calendar, windows_known
from schemas.minute import PoolMinute, ShareMinute
from schemas.registers import ShareWindow
from streams.parking.areas import WITHIN_PUBLIC
from streams.parking.headline import public_pools
from streams.parking.pools import PROMPT, Counted
from streams.parking.share import Seen, share

TAKES_NOBODY = ("closed", "opening_soon", "last_entry_passed")


def shared_now(
    all_windows: Sequence[ShareWindow], counted: Sequence[Counted], calendar: Calendar, at: datetime, returns: int
) -> tuple[ShareMinute | None, Counted | None]:
    """What is shared, and the pool that is counted where windows give spaces: their own, the residents', the public."""
    windows = windows_known(all_windows, at)
    if not windows:
        return None, None
    named = {window.pool for window in windows}
    own = [each for each in counted if each.pool.pool in named]
    lived_in = [
        each for each in counted if each.pool.audience in ("resident", "contract") and each.pool.vehicle == "car"
    ]
    heads = public_pools(counted)
    place = next((each for each in (own, lived_in, heads) if any(one.spoken.newest for one in each)), own)
    contract = [each.pool.capacity or 0 for each in own if each.pool.capacity_basis == "contract"]
    found = share(windows, calendar, at, _seen(place, counted), sum(contract) if contract else None, returns)
    overlaps = any(each in heads or not each.pool.exclusive for each in place)
    if heads and overlaps:
        found = msgspec.structs.replace(found, flags=(*found.flags, WITHIN_PUBLIC))
    return found, place[0] if place else None


def published(counted: Sequence[Counted], shared: ShareMinute | None) -> tuple[PoolMinute, ...]:
    """The rows of the pools. A shared pool takes nobody while its windows do not, however many spaces are counted."""
    why = None if shared is None else shared.reason or "outside_window"
    return tuple(
        msgspec.structs.replace(each.minute, status="closed", available=0, available_min=0, available_max=0, reason=why)
        if each.pool.audience == "shared" and shared is not None and shared.state in TAKES_NOBODY
        else each.minute
        for each in counted
    )


def _seen(place: Sequence[Counted], counted: Sequence[Counted]) -> Seen:
    in_use = [each.spoken.newest.shared_in_use for each in counted if each.spoken.newest is not None]
    held = [each.spoken.newest.held for each in counted if each.spoken.newest is not None]
    taken = next((max(number, 0) for number in in_use if number is not None), None)
    kept = next((max(number, 0) for number in held if number is not None), None)
    slow = next((each for each in place if each.spoken.age.freshness not in PROMPT), None)
    silent = next((each for each in place if each.minute.available is None), None)
    if not place:
        return Seen(None, None, None, None, taken, kept, "never_reported")
    if slow is not None or silent is not None:  # a gate that went silent must not keep its last number
        reason = slow.minute.reason or slow.spoken.age.freshness if slow else silent.minute.reason if silent else None
        return Seen(None, None, None, None, taken, kept, reason)
    minutes: list[PoolMinute] = [each.minute for each in place]
    occupied = [minute.occupied for minute in minutes]
    return Seen(
        sum(minute.available or 0 for minute in minutes),
        sum(minute.available_min or 0 for minute in minutes),
        sum(minute.available_max or 0 for minute in minutes),
        None if None in occupied else sum(number or 0 for number in occupied),
        taken,
        kept,
    )
