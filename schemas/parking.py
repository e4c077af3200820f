"""What travels about parking: one observation of one pool of one car park, as a source gave it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from schemas.fields import EARLIEST, FUTURE_LIMIT, Count, Id, Instant, Percent, Text, Total, Word, check_instant

Kind = Literal["observe", "correct", "void"]
Mode = Literal["count", "flag", "graded", "percent", "closed"]
TimeBasis = Literal["lot", "feed", "ingest"]
SourceStatus = Literal["open", "almost_full", "full", "closed", "fault", "unknown"]
PUBLIC = "public"  # the pool of ordinary cars and anyone; the headline of a lot


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One pool of one lot at one time. Counts are spaces; null is "the source did not say", zero is a reading.

    kind       observe; correct (replaces what was said for the time `supersedes`); void (takes it back)
    mode       what the numbers mean: count; flag (full or not, never a number); graded (a bound: `free_max`);
               percent (`percent_occupied`, may exceed 100); closed (the source says so, whatever it counts)
    time_basis whose clock observed_at is: the lot's, one stamp for the whole feed, or none (ingest: it is null)
    flags      what the decoder noticed, e.g. `duplicate_key`, `future_time`, `sentinel_time`
    raw_ref    sha256 of the payload it came from, first 16 hex digits
    """

    source: Id
    ref: Id
    pool: Word = PUBLIC
    kind: Kind = "observe"
    supersedes: Instant | None = None
    mode: Mode = "count"
    free: Count | None = None
    occupied: Count | None = None
    capacity: Count | None = None
    in_count: Total | None = None
    out_count: Total | None = None
    inside: Count | None = None
    shared_in_use: Count | None = None
    held: Count | None = None
    free_max: Count | None = None
    percent_occupied: Percent | None = None
    observed_at: Instant | None = None
    time_basis: TimeBasis = "lot"
    received_at: Instant
    source_status: SourceStatus | None = None
    flags: Annotated[tuple[Word, ...], msgspec.Meta(max_length=16)] = ()
    raw_ref: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    raw_text: Text | None = None  # what stood where a number should (Salzburg: "490 (79%)"), kept to be repaired


def check(row: Observation) -> None:
    """Raise ValueError when a row breaks what its types cannot say: its times, and what a correction needs."""
    check_instant("observed_at", row.observed_at, row.received_at)
    check_instant("supersedes", row.supersedes, row.received_at)
    if row.kind != "observe" and row.supersedes is None:
        raise ValueError(f"kind {row.kind} needs supersedes: the time whose observation it replaces")


def are_sound(rows: Sequence[Observation]) -> bool:
    """Whether no row of many can fail `check`: the quick road for records in which nothing is wrong."""
    received_at: datetime | None = None
    latest = EARLIEST
    for row in rows:
        if row.received_at is not received_at:
            received_at = row.received_at
            latest = received_at + FUTURE_LIMIT
        at = row.observed_at
        if (at is not None and not EARLIEST <= at <= latest) or row.kind != "observe":
            return False
    return True
