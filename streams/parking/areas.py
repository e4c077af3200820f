"""How many spaces are there in a subdistrict and in the district, and of how many is that known? (reference 6.7)

No space is counted twice: a lot gives its public headline once, whatever the number of its sources; only exclusive
pools add to the capacity; shared spaces are those of the windows that hold now, and add only where they are no part of
the public count. What is not known is not extrapolated: its capacity is listed beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from schemas.minute import AreaMinute, LotMinute
from schemas.usability import HEADLINE_SHARED
from streams.parking.freshness import LIVE

WITHIN_PUBLIC = "within_public"  # flag of a share whose spaces the public count holds already


class _Sum(msgspec.Struct):
    lots_total: int = 0
    lots_live: int = 0
    spaces_capacity: int = 0
    spaces_contract: int = 0
    spaces_window_now: int = 0
    available_now: int = 0
    available_unknown_spaces: int = 0
    lots_capacity_unknown: int = 0


def areas(
    lots: Iterable[LotMinute], subdistrict_of: Mapping[str, str], district: str, subdistricts: Iterable[str]
) -> tuple[AreaMinute, ...]:
    """The district first, then every subdistrict of the register, by code."""
    sums = {code: _Sum() for code in subdistricts}
    whole = _Sum()
    for lot in lots:
        if lot.status == "withdrawn":
            continue
        counts = _counts(lot)
        for total in (whole, sums.setdefault(subdistrict_of[lot.lot_id], _Sum())):
            for name, value in counts.items():
                setattr(total, name, getattr(total, name) + value)
    return tuple(
        AreaMinute(code=code, **msgspec.structs.asdict(total))
        for code, total in [(district, whole), *((code, sums[code]) for code in sorted(sums) if code != district)]
    )


def _counts(lot: LotMinute) -> dict[str, int]:
    exclusive = [pool.capacity for pool in lot.pools if pool.exclusive and pool.vehicle == "car"]
    capacities = exclusive or [lot.capacity]
    known = [capacity for capacity in capacities if capacity is not None]
    counts = {
        "lots_total": 1,
        "lots_live": int(lot.freshness in LIVE and lot.status != "unknown"),
        "spaces_capacity": sum(known),
        "lots_capacity_unknown": int(len(known) < len(capacities)),
    }
    share = lot.share
    available = unknown = 0
    if HEADLINE_SHARED not in lot.flags:
        if lot.available is None:
            unknown += lot.capacity or 0
        else:
            available += lot.available
    if share is not None:
        counts["spaces_contract"] = share.spaces_contract
        counts["spaces_window_now"] = share.spaces_now
        if WITHIN_PUBLIC not in share.flags and lot.status != "closed":
            if share.available is None:
                unknown += share.spaces_now
            else:
                available += share.available
    return counts | {"available_now": available, "available_unknown_spaces": unknown}
