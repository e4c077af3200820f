"""How far has a count wandered that is made of ins and outs? Judged each night by its floor (reference parking 5.6).

The night's floor is the least `occupied` between 03:00 and 05:00. It is compared with the cars that are known to be
inside, where the source counts them (`inside`), else with the floors of the last 28 nights. Only the first is
evidence enough to correct the derived number, by at most 5 % of the capacity a night; the raw count stays as it is.
"""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import Any

from streams.parking.latest import Latest

NIGHT = (3, 5)  # local hours
NIGHTS_KEPT, NIGHTS_NEEDED = 28, 7
CORRECTION_SHARE = 0.05  # of the capacity, in one night


def follow(
    state: dict[str, Any] | None, newest: Latest, occupied: int | None, capacity: int | None, local_at: datetime
) -> dict[str, Any] | None:
    """The state after one minute. `local_at` is the observation's time in the district's zone.

    {"night": day, "floor": least occupied this night, "inside": cars inside then, "floors": of nights before,
     "estimate": occupied - what it should be, "correction": spaces added to what is available}
    """
    if newest.mode != "count" or occupied is None:
        return state
    known = state or {"night": None, "floor": None, "inside": None, "floors": [], "estimate": None, "correction": 0}
    night = local_at.date().isoformat()
    if NIGHT[0] <= local_at.hour < NIGHT[1]:
        if known["night"] == night and known["floor"] is not None:
            if occupied >= known["floor"]:
                return known
        elif known["floor"] is not None:
            known = _close(known, capacity)
        return {**known, "night": night, "floor": occupied, "inside": newest.inside}
    if known["floor"] is not None and (known["night"] != night or local_at.hour >= NIGHT[1]):
        return _close(known, capacity)
    return known if state is not None else None


def estimate(state: dict[str, Any] | None) -> int | None:
    """Cars counted too many (positive) or too few, as of the last night; None where nothing can be said."""
    return None if state is None else state["estimate"]


def corrected(available: int, capacity: int | None, state: dict[str, Any] | None) -> int:
    """What is available after the night's correction, still within 0 and the capacity."""
    correction = 0 if state is None else state["correction"]
    most = available + max(correction, 0) if capacity is None else capacity
    return max(0, min(available + correction, most))


def _close(known: dict[str, Any], capacity: int | None) -> dict[str, Any]:
    """The night is over: estimate, and move the correction towards it by no more than it may."""
    floor, inside, floors = known["floor"], known["inside"], list(known["floors"])
    if inside is not None:
        found = floor - inside
    elif len(floors) >= NIGHTS_NEEDED:
        found = round(floor - median(floors))
    else:
        found = None
    correction = 0
    if inside is not None and capacity is not None:
        step = int(capacity * CORRECTION_SHARE)
        correction = max(known["correction"] - step, min(known["correction"] + step, found))
    return {
        "night": known["night"],
        "floor": None,
        "inside": None,
        "floors": [*floors, floor][-NIGHTS_KEPT:],
        "estimate": found,
        "correction": correction,
    }
