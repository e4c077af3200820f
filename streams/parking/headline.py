"""What is the one number and the one status of a car park, from its pools, its hours and its share windows?"""

# Precedence (reference parking 5.7): withdrawn > closed (source, calendar) > unknown > full > almost_full > open.
# The headline is what is always public for cars. A car park that has no such spaces shows what it shares, flagged.

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.minute import Opening, ShareMinute, Status
from schemas.parking import PUBLIC
from schemas.usability import HEADLINE_SHARED
from streams.parking.freshness import LIVE
from streams.parking.pools import Counted
from streams.parking.status import Thresholds, of_count

_WORST_FIRST = ("never", "dead", "expired", "stale", "aging", "fresh")


class Headline(msgspec.Struct, frozen=True):
    """`main` is the pool that speaks for the lot; `status` is before dwell."""

    status: Status
    opening: Opening
    available: int | None
    available_min: int | None
    available_max: int | None
    capacity: int | None
    occupied: int | None
    reason: str | None
    main: Counted | None
    flags: tuple[str, ...] = ()


def public_pools(counted: Sequence[Counted]) -> list[Counted]:
    """The pools of the headline: exclusive ones for everybody's cars, else the pool that is named public."""
    found = [each for each in counted if _is_public(each) and each.pool.exclusive]
    return found or [each for each in counted if each.pool.pool == PUBLIC]


def headline(
    counted: Sequence[Counted],
    share: ShareMinute | None,
    share_speaker: Counted | None,
    is_open: bool | None,
    before: Status | None,
    limits: Thresholds,
) -> Headline:
    """`is_open`: by the opening hours, None where they are not known; `before`: the lot's status a minute ago."""
    heads = public_pools(counted)
    if heads:
        return _of_pools(heads, is_open, before, limits)
    if share is not None:
        return _of_share(share, share_speaker, is_open, before, limits)
    opening: Opening = "closed" if is_open is False else "open" if is_open else "unknown"
    if opening == "closed":
        return Headline("closed", opening, 0, 0, 0, None, None, "outside_opening_hours", None)
    reason = "no_public_pool" if any(each.spoken.newest for each in counted) else "never_reported"
    return Headline("unknown", opening, None, None, None, None, None, reason, counted[0] if counted else None)


def withdrawn(head: Headline) -> Headline:
    return Headline("withdrawn", "closed", None, None, None, head.capacity, None, "withdrawn", head.main)


def _of_pools(heads: list[Counted], is_open: bool | None, before: Status | None, limits: Thresholds) -> Headline:
    main = max(heads, key=lambda each: (each.spoken.newest is not None, each.pool.pool == PUBLIC))
    if len(heads) > 1:  # the age of the whole is that of its slowest part
        main = min(heads, key=lambda each: _WORST_FIRST.index(each.spoken.age.freshness))
    capacity = _sum([each.minute.capacity for each in heads])
    flags = tuple(dict.fromkeys(flag for each in heads for flag in each.minute.flags))
    closed_by = _closed_by(heads, is_open)
    if closed_by is not None:
        return Headline("closed", "closed", 0, 0, 0, capacity, None, closed_by, main, flags)
    available = _sum([each.minute.available for each in heads])
    opening = _opening(heads, is_open)
    if available is None:
        status = heads[0].minute.status if len(heads) == 1 else "unknown"
        reason = next((each.minute.reason for each in heads if each.minute.available is None), None)
        low, high = (heads[0].minute.available_min, heads[0].minute.available_max) if len(heads) == 1 else (None, None)
        return Headline(status, opening, None, low, high, capacity, None, reason, main, flags)
    return Headline(
        of_count(available, before, limits),
        opening,
        available,
        _sum([each.minute.available_min for each in heads]),
        _sum([each.minute.available_max for each in heads]),
        capacity,
        _sum([each.minute.occupied for each in heads]),
        None,
        main,
        flags,
    )


def _of_share(
    share: ShareMinute, speaker: Counted | None, is_open: bool | None, before: Status | None, limits: Thresholds
) -> Headline:
    capacity, flags = share.spaces_contract, (HEADLINE_SHARED, *(speaker.minute.flags if speaker else ()))
    by_source = speaker is not None and speaker.minute.status == "closed"
    if by_source or is_open is False or share.spaces_now == 0:
        reason = "closed_by_source" if by_source else "outside_opening_hours" if is_open is False else "outside_window"
        return Headline("closed", "closed", 0, 0, 0, capacity, None, reason, speaker, flags)
    if share.available is None:
        return Headline("unknown", "open", None, None, None, capacity, None, share.reason, speaker, flags)
    low, high = share.available_min, share.available_max
    status = of_count(share.available, before, limits)
    return Headline(status, "open", share.available, low, high, capacity, None, share.reason, speaker, flags)


def _closed_by(heads: list[Counted], is_open: bool | None) -> str | None:
    if all(each.minute.status == "closed" for each in heads):
        return "closed_by_source"
    return "outside_opening_hours" if is_open is False else None


def _opening(heads: list[Counted], is_open: bool | None) -> Opening:
    if is_open:
        return "open"
    says_open = any(
        each.spoken.newest is not None and each.spoken.newest.source_status in ("open", "almost_full", "full")
        for each in heads
        if each.spoken.age.freshness in LIVE
    )
    return "open" if says_open else "unknown"


def _is_public(each: Counted) -> bool:
    return each.pool.audience == "public" and each.pool.vehicle == "car"


def _sum(numbers: list[int | None]) -> int | None:
    """The sum, or None when one of them is not known."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None
