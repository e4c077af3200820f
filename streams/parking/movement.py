"""Does the count still move? A sensor that repeats itself is fresh by its stamps and dead all the same (5.5).

A lot's own rates decide: with λ changes an hour at this hour of the week, no change for a time in which Λ = ∫λ were
expected has the probability exp(-Λ). A lot that is too new to have rates is frozen after hours of daytime stillness.
Time only counts while observations arrive: a silent source is stale, not frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import exp
from typing import Any
from zoneinfo import ZoneInfo

from schemas.settings import Parking
from streams.parking.latest import Latest

HOURS_OF_WEEK = 168
DAYTIME = (7, 22)  # local hours in which a new lot is expected to move
LONGEST_STEP_S = 3600.0  # after a longer gap nothing is known of what moved in between
ENOUGH_OBSERVED_S = 7_200.0  # of one hour of the week, before its rate is its own

Rates = Sequence[float | None]  # changes an hour for each hour of the week, Monday 00:00 first; None: not observed


def follow(state: dict[str, Any] | None, newest: Latest, rates: Rates | None, zone: ZoneInfo) -> dict[str, Any] | None:
    """The state after the newest observation; only counts are followed. An older one than the last changes nothing.

    {"says": what it says, "at": of the last observation, "changed_at", "expected": Λ, "idle_day_s"}
    """
    if newest.mode != "count":
        return None
    says = [newest.free, newest.occupied, newest.in_count, newest.out_count, newest.inside]
    at = newest.at
    if state is None or says != state["says"]:
        if state is not None and at <= datetime.fromisoformat(state["at"]):
            return state
        stamp = at.isoformat()
        return {"says": says, "at": stamp, "changed_at": stamp, "expected": 0.0, "idle_day_s": 0.0}
    last = datetime.fromisoformat(state["at"])
    if at <= last:
        return state
    step_s = min((at - last).total_seconds(), LONGEST_STEP_S)
    hour = at.astimezone(zone)
    rate = None if rates is None else rates[hour.weekday() * 24 + hour.hour]
    is_day = DAYTIME[0] <= hour.hour < DAYTIME[1]
    return {
        "says": says,
        "at": at.isoformat(),
        "changed_at": state["changed_at"],
        "expected": state["expected"] + (rate or 0.0) * step_s / 3600,
        "idle_day_s": state["idle_day_s"] + (step_s if is_day else 0.0),
    }


def is_frozen(state: dict[str, Any] | None, rates: Rates | None, limits: Parking) -> bool:
    if state is None:
        return False
    still_s = (datetime.fromisoformat(state["at"]) - datetime.fromisoformat(state["changed_at"])).total_seconds()
    if rates is None:
        return bool(state["idle_day_s"] >= limits.frozen_fallback_s)
    return bool(still_s >= limits.frozen_min_s and exp(-state["expected"]) < limits.frozen_probability)
