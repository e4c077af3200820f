"""What does one observation change? Is it new, late, a repeat or a correction; and what number does it clamp to?

A row newer than the last of its series cannot collide in the table: it goes by COPY. The same values for the same
time are a repeat and change nothing. Everything else goes the careful way. State never moves backward: only a newer
time becomes the series' newest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import astuple

from schemas.parking import Observation
from schemas.settings import Parking
from streams.parking.availability import Authoritative, Clamped, clamp

Key = tuple[str, str, str]  # source, ref, pool
StoredRow = tuple[Any, ...]  # in the order of store.OBSERVATION.columns

# Places in astuple(Observation), which keeps the order of the fields.
_TIME_BASIS, _SOURCE_STATUS = 17, 19
_VALUES = slice(5, 16)  # mode .. percent_occupied


class Series:
    """What is known of one (source, ref, pool): enough to tell new from late from repeated."""

    __slots__ = ("newest", "newest_at", "series_id")

    def __init__(self, series_id: int, newest: StoredRow | None = None) -> None:
        self.series_id = series_id
        self.newest = newest
        self.newest_at: datetime | None = None if newest is None else newest[1]


class Revision(msgspec.Struct, frozen=True):
    """What was said again about a time: a correction, a void, or other values for a time that is stored already."""

    series_id: int
    at: datetime
    observation: Observation
    clamped: Clamped

    @property
    def digest(self) -> bytes:
        return digest(self.observation)


class Changes:
    """What a take changes, in the order of the log."""

    __slots__ = ("fresh", "late", "late_observations", "repeats", "revisions", "unknown")

    def __init__(self) -> None:
        self.fresh: list[StoredRow] = []
        self.late: list[StoredRow] = []
        self.late_observations: dict[tuple[int, datetime], list[tuple[Observation, Clamped]]] = {}
        self.revisions: list[Revision] = []
        self.unknown: list[Observation] = []  # of series that have no number yet
        self.repeats = 0


def fold(
    series: dict[Key, Series],
    capacities: dict[Key, int],
    authoritative: dict[str, Authoritative],
    rows: Sequence[Observation],
    limits: Parking,
    changes: Changes,
) -> None:
    """Apply rows to the state `series` and add what they change to `changes`."""
    fresh = changes.fresh
    for row in rows:
        (
            source, ref, pool, kind, supersedes, mode, free, occupied, capacity, in_count, out_count, inside,
            shared_in_use, held, free_max, percent_occupied, observed_at, time_basis, received_at, source_status,
            _, raw_ref, raw_text,
        ) = astuple(row)  # fmt: skip
        key = (source, ref, pool)
        known = series.get(key)
        if known is None:
            changes.unknown.append(row)
            continue
        if kind != "observe":
            clamped = clamp(row, capacities.get(key), limits, authoritative.get(source, "free"))
            changes.revisions.append(Revision(known.series_id, supersedes or received_at, row, clamped))
            continue
        at = observed_at or received_at
        newest_at = known.newest_at
        is_newer = newest_at is None or at > newest_at
        if at == newest_at and known.newest is not None and is_repeat(row, known.newest[3], values_of(known.newest)):
            changes.repeats += 1
            continue
        clamped = clamp(row, capacities.get(key), limits, authoritative.get(source, "free"))
        stored = (
            known.series_id, at, observed_at, received_at, mode, free, occupied, capacity, in_count,
            out_count, inside, shared_in_use, held, free_max, percent_occupied, clamped.available,
            clamped.available_min, clamped.available_max, clamped.capacity_used, clamped.overflow, time_basis,
            source_status, list(clamped.flags) if clamped.flags else None, raw_ref, raw_text,
        )  # fmt: skip
        if is_newer:
            known.newest = stored
            known.newest_at = at
            fresh.append(stored)
        else:
            said = changes.late_observations.setdefault((known.series_id, at), [])
            if not said:
                changes.late.append(stored)
            said.append((row, clamped))
            if at == newest_at and known.newest is not None and received_at >= known.newest[3]:
                known.newest = stored  # the last word about the newest time: its repeat says nothing new


def values_of(stored: Sequence[Any]) -> tuple[Any, ...]:
    """The values of a stored row that make it the same observation or another, as `fold` compares them."""
    return (*stored[4:15], stored[20], stored[21])


def is_repeat(row: Observation, last_received_at: datetime, last_values: tuple[Any, ...]) -> bool:
    """Whether a row says again what was the last word about its time. One that was received earlier is kept: a past
    minute may have known it."""
    return row.received_at >= last_received_at and identity(row) == last_values


def identity(row: Observation) -> tuple[Any, ...]:
    fields = astuple(row)
    return (*fields[_VALUES], fields[_TIME_BASIS], fields[_SOURCE_STATUS])


def digest(row: Observation) -> bytes:
    """The same for the same values in every process: an identical repeat of a revision is no revision."""
    return hashlib.blake2b(msgspec.json.encode([*identity(row), row.flags]), digest_size=16).digest()
