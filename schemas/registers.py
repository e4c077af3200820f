"""What travels about registers: share windows that a platform sends instead of a clerk."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from schemas.fields import Count, Id, Instant, Word

ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Weekdays = Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=7)], ...], msgspec.Meta(max_length=7)]


class ShareWindowChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Spaces of a lot that the public may use in a window of local civil time: half-open, end <= start is next day.

    weekdays   1-7 = Monday-Sunday; empty: every day
    entry_only start and end bound the entry, not the stay (njytb hourly share)
    valid_from, valid_to  the period in which the rule holds; withdrawn ends it at the next minute
    version    grows with each change of one window_id; versions are never edited in place
    """

    source: Id
    ref: Id
    window_id: Id
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    pool: Word = "shared"
    product: Literal["hourly", "monthly", "window"] = "window"
    spaces: Count
    weekdays: Weekdays = ()
    start: ClockTime
    end: ClockTime
    entry_only: bool = False
    valid_from: Instant
    valid_to: Instant | None = None
    withdrawn: bool = False
    received_at: Instant
    raw_ref: str | None = None
