"""How old is what a series says, measured by its own cadence, and may its clock be believed? (reference parking 5.4)"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from schemas.minute import Freshness
from schemas.settings import Parking
from streams.parking.latest import Latest

ON_TIME_CADENCES, ON_TIME_SLACK_S = 2, 30  # fresh: two of its own cadences and half a minute
LIVE: tuple[Freshness, ...] = ("fresh", "aging", "stale")  # the value still counts
HOUR_S = 3600
SKEW_TOLERANCE_S = 90
SKEW_FOR = timedelta(minutes=30)


class Age(msgspec.Struct, frozen=True):
    """age_s null and a reason: the series says nothing about when."""

    freshness: Freshness
    age_s: int | None
    reason: str | None = None


def freshness(newest: Latest | None, at: datetime, cadence_s: float, limits: Parking) -> Age:
    if newest is None:
        return Age("never", None, "never_reported")
    since = newest.observed_at
    if since is None:
        if newest.time_basis != "ingest":
            return Age("expired", None, "no_observation_time")
        since = newest.received_at
    elif (since - newest.received_at).total_seconds() > limits.future_limit_s:
        return Age("expired", None, "future_time")
    age_s = max(0, int((at - since).total_seconds()))
    tier = _tier(age_s, cadence_s, limits)
    return Age(tier, age_s, None if tier in LIVE else tier)


def skew(state: dict[str, Any] | None, newest: Latest) -> dict[str, Any] | None:
    """Follow a lag of whole hours between when it was true and when we heard: {"hours", "since"}, or None.

    A wrong time zone shows as the same number of hours again and again; an old value does not, its lag grows.
    """
    if newest.observed_at is None:
        return None
    lag_s = (newest.received_at - newest.observed_at).total_seconds()
    hours = round(lag_s / HOUR_S)
    if hours == 0 or abs(lag_s - hours * HOUR_S) > SKEW_TOLERANCE_S:
        return None
    if state is not None and state.get("hours") == hours:
        return state
    return {"hours": hours, "since": newest.received_at.isoformat()}


def is_tz_suspect(state: dict[str, Any] | None, newest: Latest) -> bool:
    return state is not None and newest.received_at - datetime.fromisoformat(state["since"]) >= SKEW_FOR


def _tier(age_s: int, cadence_s: float, limits: Parking) -> Freshness:
    slower = max(1.0, cadence_s / limits.cadence_s)  # the limits are for the district's cadence
    if age_s <= ON_TIME_CADENCES * cadence_s + ON_TIME_SLACK_S:
        return "fresh"
    if age_s <= limits.aging_s * slower:
        return "aging"
    if age_s <= limits.stale_s * slower:
        return "stale"
    return "expired" if age_s <= limits.dead_s else "dead"
