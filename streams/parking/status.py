"""Is a car park open, almost full or full? Thresholds with hysteresis, and dwell (reference parking 5.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import ceil, floor

import msgspec

from schemas.minute import Status
from schemas.parking import SourceStatus
from schemas.settings import Parking

COUNTED: tuple[Status, ...] = ("open", "almost_full", "full")


class Thresholds(msgspec.Struct, frozen=True):
    """In available spaces: entered at or below the first, left at or above the second."""

    almost_full: tuple[int, int]
    full: tuple[int, int]

    def published(self) -> dict[str, list[int]]:
        return {"almost_full": list(self.almost_full), "full": list(self.full)}


def thresholds(capacity: int | None, limits: Parking, own: Mapping[str, tuple[int, int]]) -> Thresholds:
    """Those in force: the lot's own, else the settings'. Kept below what a small lot has, so that it can be open."""
    most = 10**9 if capacity is None else capacity
    share_of = 0 if capacity is None else capacity
    almost = (
        min(_nearest(limits.almost_full_enter, share_of), most // 2),
        min(_nearest(limits.almost_full_leave, share_of), most),
    )
    spaces, share = limits.full_enter
    full = (
        min(max(floor(spaces), ceil(share * share_of)), most // 4),
        min(_nearest(limits.full_leave, share_of), most),
    )
    return Thresholds(own.get("almost_full", almost), own.get("full", full))


def of_count(available: int, before: Status | None, limits: Thresholds) -> Status:
    """The status of a count, given the status it comes from: between two thresholds it stays what it was."""
    is_full = available <= limits.full[0] or (before == "full" and available < limits.full[1])
    if is_full:
        return "full"
    almost = available <= limits.almost_full[0]
    if almost or (before in ("almost_full", "full") and available < limits.almost_full[1]):
        return "almost_full"
    return "open"


def of_source(said: SourceStatus | None, free_max: int | None, limits: Thresholds) -> Status:
    """The status where there is no count: what the source says, or what its bound allows."""
    if said in ("full", "almost_full", "open"):
        return said
    if free_max is not None and free_max <= limits.full[0]:
        return "full"
    if free_max is not None and free_max <= limits.almost_full[0]:
        return "almost_full"
    return "unknown"


def dwelt(wanted: Status, before: Status | None, since: datetime | None, at: datetime, dwell_s: float) -> Status:
    """The status after dwell: `open`, `almost_full` and `full` are not left for one another before dwell_s.

    Into `full` and `closed` there is no delay, and what is unknown is unknown at once.
    """
    if before is None or since is None or wanted == before or wanted in ("full", "closed"):
        return wanted
    if wanted not in COUNTED or before not in COUNTED:
        return wanted
    return before if (at - since).total_seconds() < dwell_s else wanted


def _nearest(limit: tuple[float, float], capacity: int) -> int:
    spaces, share = limit
    return max(floor(spaces), floor(share * capacity + 0.5))
