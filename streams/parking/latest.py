"""What is the newest that a series says, whatever the order in which it was said?

A series is (source, ref, pool). What is said about one time is an observation, a repeat, a correction or a void.
Corrections and voids stand above observations; of equals the one received last decides, and of those received
together the order of their values, so that any order of arrival ends in the same Latest. A voided time is skipped:
the series falls back to the time before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from schemas.parking import Mode, Observation, SourceStatus, TimeBasis
from streams.parking.availability import Clamped
from streams.parking.fold import identity

Key = tuple[str, str, str]


class Latest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The observation that speaks for a series, with its clamp; `at` is coalesce(observed_at, received_at).

    A correction keeps the time it is about: `at` is what it supersedes, received_at is its own.
    """

    source: str
    ref: str
    pool: str
    at: datetime
    observed_at: datetime | None
    received_at: datetime
    mode: Mode
    free: int | None = None
    occupied: int | None = None
    capacity: int | None = None
    in_count: int | None = None
    out_count: int | None = None
    inside: int | None = None
    shared_in_use: int | None = None
    held: int | None = None
    free_max: int | None = None
    percent_occupied: float | None = None
    available: int | None = None
    available_min: int | None = None
    available_max: int | None = None
    capacity_used: int | None = None
    overflow: int = 0
    time_basis: TimeBasis = "lot"
    source_status: SourceStatus | None = None
    flags: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.source, self.ref, self.pool


def about(row: Observation) -> datetime:
    """The time that a row says something about."""
    if row.kind != "observe" and row.supersedes is not None:
        return row.supersedes
    return row.received_at if row.observed_at is None else row.observed_at


def rank(row: Observation) -> tuple[int, datetime, int, bytes]:
    """Of all that is said about one time the greatest rank is believed; of equals, by their values alone.

    Not by the whole row: one that was stored has not all its fields when it is read again.
    """
    return (row.kind != "observe", row.received_at, row.kind == "void", msgspec.json.encode(identity(row)))


def latest_of(said: Iterable[tuple[Observation, Clamped]]) -> Latest | None:
    """The Latest of one series from all that was said of it, in any order; None when every time is voided."""
    believed: dict[datetime, tuple[Observation, Clamped]] = {}
    for row, clamped in said:
        at = about(row)
        standing = believed.get(at)
        if standing is None or rank(row) > rank(standing[0]):
            believed[at] = (row, clamped)
    standing_times = [at for at, (row, _) in believed.items() if row.kind != "void"]
    if not standing_times:
        return None
    return latest(*believed[max(standing_times)])


def latest(row: Observation, clamped: Clamped) -> Latest:
    is_correction = row.kind != "observe"
    return Latest(
        source=row.source,
        ref=row.ref,
        pool=row.pool,
        at=about(row),
        observed_at=row.supersedes if is_correction and row.observed_at is None else row.observed_at,
        received_at=row.received_at,
        mode=row.mode,
        free=row.free,
        occupied=row.occupied,
        capacity=row.capacity,
        in_count=row.in_count,
        out_count=row.out_count,
        inside=row.inside,
        shared_in_use=row.shared_in_use,
        held=row.held,
        free_max=row.free_max,
        percent_occupied=row.percent_occupied,
        available=clamped.available,
        available_min=clamped.available_min,
        available_max=clamped.available_max,
        capacity_used=clamped.capacity_used,
        overflow=clamped.overflow,
        time_basis=row.time_basis,
        source_status=row.source_status,
        flags=(*clamped.flags, "corrected") if is_correction else clamped.flags,
    )
