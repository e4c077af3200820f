"""What is sent when, where, and when is it given up? Pure: times are arguments, chance is a number that is passed in.

Of one alert at one endpoint only the newest revision is ever sent, and no other while it is under way: so an older one
never follows a newer one, and who comes back after an hour is told how it is, not how it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

# Waits before the second attempt, the third, ...; the last one repeats. A flood needs the first minute dense.
RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
JITTER = 0.2  # added, never taken away
FAILOVER_AFTER_S = 30.0
URGENT_LEVEL = 3
URGENT_TIMEOUT_S = 5.0
TIMEOUT_S = 15.0
LEASE_MARGIN_S = 10.0  # so much longer than the longest attempt is a lane leased
RETRY_AFTER_LIMIT_S = 3600.0  # a receiver may ask for an hour at most: beyond that a mistake would be a silence
WAITED_FOR = (429, 503)

Outcome = Literal["delivered", "again", "held", "gone"]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a lane, as far as the order needs it."""

    delivery_id: UUID
    revision: int
    state: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    send: Waiting | None = None
    superseded: tuple[Waiting, ...] = ()
    by: Waiting | None = None


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint can be reached."""

    url: str
    fallback_url: str | None = None
    gone: tuple[str, ...] = ()
    failing_since: datetime | None = None  # the first url
    held_until: datetime | None = None  # the first url


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt. No status: none came in time."""

    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None


class Next(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Outcome
    wait_s: float = 0.0  # of this message
    hold_s: float = 0.0  # of this url: it asked to be left alone for so long


def choose(lane: Sequence[Waiting]) -> Choice:
    """What a lane sends now, and what it never will any more. Any order of `lane`."""
    if not lane:
        return Choice()
    newest = max(lane, key=lambda one: one.revision)
    stale = tuple(one for one in lane if one.state == "waiting" and one.revision < newest.revision)
    return Choice(send=newest if newest.state == "waiting" else None, superseded=stale, by=newest)


def after(answer: Answer, attempts: int, chance: float) -> Next:
    """What follows the attempt with this number (from 1). `chance` lies in 0 <= chance < 1."""
    wait_s = RETRY_S[min(attempts, len(RETRY_S)) - 1] * (1.0 + JITTER * chance)
    status = answer.status
    if status is not None and 200 <= status < 300:
        return Next(outcome="delivered")
    if status == 410:
        return Next(outcome="gone")
    if status in WAITED_FOR and answer.retry_after_s is not None:
        return Next(outcome="held", wait_s=wait_s, hold_s=min(answer.retry_after_s, RETRY_AFTER_LIMIT_S))
    return Next(outcome="again", wait_s=wait_s)


def chance_of(delivery_id: UUID, attempts: int) -> float:
    """Another number for each delivery and attempt, the same whenever it is asked."""
    return zlib.crc32(delivery_id.bytes + attempts.to_bytes(4, "big")) / 2**32


def target(
    targets: Targets, now: datetime, *, first_attempt_at: datetime | None, last_url: str | None, is_probe: bool = False
) -> str | None:
    """Which url the next attempt goes to; None: nowhere yet.

    After 30 s without a 2xx, of this message or of the first url at all, the second takes turns with it. A probe (the
    heartbeat) begins at the first, which is how it is found to be back.
    """
    usable = [url for url in (targets.url, targets.fallback_url) if url and url not in targets.gone]
    held = targets.held_until is not None and targets.held_until > now
    if held and targets.url in usable:
        usable.remove(targets.url)
    if not usable:
        return None
    if len(usable) == 1:
        return usable[0]
    late = now - timedelta(seconds=FAILOVER_AFTER_S)
    failing = targets.failing_since is not None and targets.failing_since <= late
    overdue = first_attempt_at is not None and first_attempt_at <= late
    if not (failing or overdue) or (is_probe and last_url is None):
        return targets.url
    return targets.fallback_url if last_url in (None, targets.url) else targets.url


def timeout_s(level: int) -> float:
    return URGENT_TIMEOUT_S if level >= URGENT_LEVEL else TIMEOUT_S


def lease_s(level: int) -> float:
    return timeout_s(level) + LEASE_MARGIN_S
