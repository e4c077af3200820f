"""What does a lot's own equipment say at a minute, with the faults of real feeds? Deterministic, like the city itself.

late       the stamp and the count are minutes old
frozen     the count stands still, the stamp goes on
negative   fewer than none is free: in half of the lots by a car or two, in the others beyond belief
excess     more is free than there are spaces
duplicate  the lot stands twice in the feed, once with an old count
closed     the lot is closed, with many free spaces
fault      the source says itself that the number is none, and sends 0
future     the stamp is ten minutes ahead
missing    no number at all
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

import msgspec

from demo.district import Lot, lots_of
from demo.draws import draw
from demo.occupancy import occupancy, time_of
from demo.operators import BY_SOURCE, OPERATORS, Fault

PUBLISHED_BEFORE_S = 20  # a polled feed has the figures of a minute so long before it begins
FAULTY = 0.1  # of the lots of an operator, and as many as its format has faults, have one now and then
_SLOT_MIN = 6 * 60  # in about half of its slots a faulty lot has its fault for a while
_LASTS_MIN: dict[Fault, int] = {
    "late": 30,
    "frozen": 180,
    "negative": 25,
    "excess": 30,
    "duplicate": 120,
    "closed": 90,
    "fault": 40,
    "future": 8,
    "missing": 25,
}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator tells of a lot. free and occupied are None together.

    pools holds free spaces; shared is how many of the shared spaces are free, None where it does not count them.
    """

    lot: Lot
    minute: int
    free: int | None
    capacity: int
    pools: dict[str, int]
    shared: int | None
    observed_at: datetime
    fault: Fault | None = None

    @property
    def occupied(self) -> int | None:
        return None if self.free is None else self.capacity - self.free

    @property
    def is_closed(self) -> bool:
        return self.fault == "closed"


def fault_of(lot: Lot, minute: int) -> tuple[Fault, int] | None:
    """The fault that a lot has, and the minute since when."""
    fault = _faulty_lots().get(lot.number)
    if fault is None:
        return None
    slot = minute // _SLOT_MIN
    if draw("episode", lot.number, slot) >= 0.5:
        return None
    begin = slot * _SLOT_MIN + int(draw("begin", lot.number, slot) * (_SLOT_MIN - _LASTS_MIN[fault]))
    return (fault, begin) if begin <= minute < begin + _LASTS_MIN[fault] else None


def reading(lot: Lot, minute: int) -> Reading:
    """What is told for a minute. A pushed count is taken at the lot's own second of it, any other before it begins."""
    found = fault_of(lot, minute)
    told = _true(lot, minute)
    if found is None:
        return told
    fault, since = found
    if fault == "frozen":
        told = msgspec.structs.replace(_true(lot, since), observed_at=told.observed_at, minute=minute)
    elif fault == "late":
        told = msgspec.structs.replace(_true(lot, max(since, minute - 8)), minute=minute)
    elif fault == "negative":
        believable = draw("believable", lot.number) < 0.5
        told = msgspec.structs.replace(told, free=-2 if believable else -7 - lot.capacity // 8)
    elif fault == "excess":
        told = msgspec.structs.replace(told, free=lot.capacity + 3 + lot.capacity // 20)
    elif fault == "future":
        told = msgspec.structs.replace(told, observed_at=told.observed_at + timedelta(minutes=10))
    elif fault == "missing":
        told = msgspec.structs.replace(told, free=None)
    elif fault == "fault":
        told = msgspec.structs.replace(told, free=0)
    return msgspec.structs.replace(told, fault=fault)


def counted_after_s(lot: Lot) -> int:
    """When the equipment counts, in seconds after the minute begins."""
    if BY_SOURCE[lot.source].pushes:
        return int(draw("second", lot.number) * 50)
    return -PUBLISHED_BEFORE_S - int(draw("lag", lot.number) * 25)


def _true(lot: Lot, minute: int) -> Reading:
    inside = occupancy(lot, minute)
    free = lot.capacity - inside.public
    counts_shared = BY_SOURCE[lot.source].counts_shared
    return Reading(
        lot=lot,
        minute=minute,
        free=free,
        capacity=lot.capacity,
        pools={pool: lot.pools[pool] - taken for pool, taken in inside.pools.items()},
        shared=min(lot.shared - inside.shared, free) if counts_shared else None,
        observed_at=time_of(minute) + timedelta(seconds=counted_after_s(lot)),
    )


@cache
def _faulty_lots() -> dict[int, Fault]:
    """The kind of fault of each lot that has any: every operator shows each of its kinds."""
    found: dict[int, Fault] = {}
    for operator in OPERATORS:
        mixed = sorted(lots_of(operator.source), key=lambda lot: draw("faulty", lot.number))
        count = max(len(operator.faults), round(FAULTY * operator.lots))
        found |= {lot.number: operator.faults[rank % len(operator.faults)] for rank, lot in enumerate(mixed[:count])}
    return found
