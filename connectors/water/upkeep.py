"""What should be asked of a station of itself? What it missed to send (38), and to set its clock (4A). Pure.

A gap is told by the times of its readings: the newest that was got, and the oldest of the next report. A clock is told
by two messages in a row that are off alike: one alone may be an old message that was held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.water.stations import StationFacts
from schemas.water import StationReading

CLOCK_OFF_S = 60.0
ALIKE_S = 20.0
SET_AGAIN_AFTER = timedelta(hours=1)
GAP_CADENCES = 3.0
LONGEST_GAP = timedelta(days=7)
CODES = {"level_m": "39", "rain_total_mm": "26"}  # what can be asked for a period, by what it reports


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one station between its messages."""

    newest_at: datetime | None = None  # of its readings
    ahead_s: float | None = None  # its clock, by the message before
    set_at: datetime | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A question that should be asked, until `expires_at`."""

    kind: str
    params: dict[str, Any]
    expires_at: datetime


def after_message(
    state: Upkeep, facts: StationFacts, ahead_s: float | None, received_at: datetime
) -> tuple[Upkeep, list[Wish]]:
    """By the clock of any message that says when it was sent."""
    if ahead_s is None:
        return state, []
    before, state = state.ahead_s, msgspec.structs.replace(state, ahead_s=ahead_s)
    is_off = before is not None and min(abs(before), abs(ahead_s)) > CLOCK_OFF_S and abs(before - ahead_s) <= ALIKE_S
    is_due = state.set_at is None or received_at - state.set_at >= SET_AGAIN_AFTER
    if not (facts.may_set_clock and is_off and is_due):
        return state, []
    wish = Wish(kind="4A", params={"ahead_s": round(ahead_s, 1)}, expires_at=received_at + SET_AGAIN_AFTER)
    return msgspec.structs.replace(state, set_at=received_at, ahead_s=None), [wish]


def after_readings(
    state: Upkeep, facts: StationFacts, readings: Sequence[StationReading], received_at: datetime
) -> tuple[Upkeep, list[Wish]]:
    """By the times of the readings of one report."""
    live = [one for one in readings if not {"clock", "backfill"} & set(one.flags)]
    if not live:
        return state, []
    oldest, newest = min(one.observed_at for one in live), max(one.observed_at for one in live)
    before = state.newest_at
    state = msgspec.structs.replace(state, newest_at=max(newest, before or newest))
    if before is None or not facts.may_query:
        return state, []
    gap = oldest - before
    if gap <= timedelta(seconds=GAP_CADENCES * facts.cadence_s):
        return state, []
    since = max(before, oldest - LONGEST_GAP)
    period = {"since": since.isoformat(), "until": oldest.isoformat()}
    codes = dict.fromkeys(CODES[one.element] for one in live if one.element in CODES)
    return state, [
        Wish(kind="38", params={**period, "code": code}, expires_at=received_at + timedelta(hours=6)) for code in codes
    ]
