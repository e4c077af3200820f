"""What should be asked of a station of itself? What it missed to send (38), and to set its clock (4A). Pure.

A gap is told by the times of its readings: the newest that was got, and the oldest of the next report. What came before
the first report to this process is stored: until it is looked up it is not known. A clock is told by two messages in a
row that are off alike: one alone may be an old message that was held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.water.stations import StationFacts
from schemas.water import StationReading

CLOCK_OFF_S = 60.0
ALIKE_S = 20.0
SET_AGAIN_AFTER = timedelta(hours=1)
GAP_CADENCES = 3.0
GAP = "gap"  # why a period is asked for: up to its end the station's readings came, or were asked for
WORTH_ASKING = timedelta(hours=6)
CODES = {"level_m": "39", "rain_total_mm": "26"}  # what can be asked for a period, by what it reports


class First(msgspec.Struct, frozen=True, kw_only=True):
    """The first report of a station to this process: what it sent before is not known yet."""

    oldest_at: datetime  # of its readings
    received_at: datetime
    codes: tuple[str, ...]


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one station between its messages."""

    newest_at: datetime | None = None  # of its readings that can be asked for
    first: First | None = None
    ahead_s: float | None = None  # its clock, by the message before
    set_at: datetime | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A question that should be asked, until `expires_at`. Of a station and kind, `name` tells it from others."""

    kind: str
    name: str
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
    wish = Wish(
        kind="4A",
        name=received_at.isoformat(),
        params={"ahead_s": round(ahead_s, 1)},
        expires_at=received_at + SET_AGAIN_AFTER,
    )
    return msgspec.structs.replace(state, set_at=received_at, ahead_s=None), [wish]


def after_readings(
    state: Upkeep, facts: StationFacts, readings: Sequence[StationReading], received_at: datetime, longest: timedelta
) -> tuple[Upkeep, list[Wish]]:
    """By the times of the readings of one report. A gap is asked for as far back as `longest`."""
    live = [one for one in readings if one.element in CODES and not {"clock", "backfill"} & set(one.flags)]
    if not live:
        return state, []
    oldest, newest = min(one.observed_at for one in live), max(one.observed_at for one in live)
    codes = tuple(dict.fromkeys(CODES[one.element] for one in live))
    before = state.newest_at
    if before is None:
        heard_at = min(one.received_at for one in live)
        first = First(oldest_at=oldest, received_at=heard_at, codes=codes)
        return msgspec.structs.replace(state, newest_at=newest, first=first), []
    state = msgspec.structs.replace(state, newest_at=max(newest, before))
    return state, list(_missed(facts, before, oldest, codes, received_at, longest))


def after_recall(
    state: Upkeep, facts: StationFacts, newest_at: datetime | None, now: datetime, longest: timedelta
) -> tuple[Upkeep, list[Wish]]:
    """By what was had before the first report, readings or what was asked for; None: it was never heard before."""
    first, state = state.first, msgspec.structs.replace(state, first=None)
    if first is None or newest_at is None:
        return state, []
    state = msgspec.structs.replace(state, newest_at=max(state.newest_at or newest_at, newest_at))
    return state, list(_missed(facts, newest_at, first.oldest_at, first.codes, now, longest))


def _missed(
    facts: StationFacts, before: datetime, until: datetime, codes: Sequence[str], now: datetime, longest: timedelta
) -> Iterator[Wish]:
    """What a gap between two readings asks. Its name is where it begins: two processes may see it end otherwise."""
    if not facts.may_query or until - before <= timedelta(seconds=GAP_CADENCES * facts.cadence_s):
        return
    period = {"since": max(before, until - longest).isoformat(), "until": until.isoformat()}
    for code in codes:
        params = {**period, "code": code, "why": GAP}
        yield Wish(kind="38", name=f"{code} {before.isoformat()}", params=params, expires_at=now + WORTH_ASKING)
