"""What was a lot like? Its minutes as known at an instant, corrections applied, alone or in buckets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.minute import Freshness, Status

Resolution = Literal["1m", "15m", "1h"]
STEPS: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
}
SPANS: dict[str, timedelta] = {  # the longest range of one answer
    "1m": timedelta(days=7),
    "15m": timedelta(days=31),
    "1h": timedelta(days=31),
}
VOIDED = "voided"


class MinutePoint(msgspec.Struct, frozen=True, kw_only=True):
    """available is what is believed at as_of; published_available what the feed said in that minute."""

    at: datetime
    status: Status
    available: int | None
    published_available: int | None
    capacity: int | None
    occupied: int | None
    freshness: Freshness
    observed_at: datetime | None
    reason: str | None
    revision: int
    correction: Literal["correct", "void"] | None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """[at, at + resolution). minutes_known of minutes say something; the mean is over these only."""

    at: datetime
    minutes: int
    minutes_known: int
    available_mean: float | None
    available_min: int | None
    available_max: int | None
    available_last: int | None
    capacity_last: int | None
    status_last: Status
    corrected: int  # how many of the minutes were corrected or voided later


class LotHistory(msgspec.Struct, frozen=True, kw_only=True):
    """points for 1m, buckets else; the other is null."""

    lot_id: str
    start: datetime = msgspec.field(name="from")
    until: datetime = msgspec.field(name="to")
    resolution: Resolution
    as_of: datetime
    points: tuple[MinutePoint, ...] | None
    buckets: tuple[Bucket, ...] | None


class Correction(msgspec.Struct, frozen=True):
    at: datetime
    received_at: datetime
    kind: Literal["correct", "void"]
    available: int | None


def corrected(points: Iterable[MinutePoint], corrections: Iterable[Correction]) -> tuple[MinutePoint, ...]:
    """Each point with the last word about the observation that it rests on."""
    last: dict[datetime, Correction] = {}
    for correction in corrections:
        held = last.get(correction.at)
        if held is None or held.received_at <= correction.received_at:
            last[correction.at] = correction
    return tuple(_corrected(point, last.get(point.observed_at)) if point.observed_at else point for point in points)


def buckets(points: Sequence[MinutePoint], step: timedelta) -> tuple[Bucket, ...]:
    """Points in buckets that begin on whole steps of the points' own civil time."""
    groups: dict[datetime, list[MinutePoint]] = {}
    for point in points:
        groups.setdefault(floor(point.at, step), []).append(point)
    return tuple(_bucket(at, groups[at]) for at in sorted(groups))


def floor(at: datetime, step: timedelta) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // step * step


def _corrected(point: MinutePoint, correction: Correction | None) -> MinutePoint:
    if correction is None:
        return point
    if correction.kind == "void":
        return msgspec.structs.replace(
            point, available=None, occupied=None, status="unknown", reason=VOIDED, correction="void"
        )
    available = correction.available
    if available is not None and point.capacity is not None:
        available = min(available, point.capacity)
    occupied = None if available is None or point.capacity is None else point.capacity - available
    return msgspec.structs.replace(
        point, available=available, occupied=occupied, correction="correct", reason=point.reason or _reason(available)
    )


def _reason(available: int | None) -> str | None:
    return "corrected_to_unknown" if available is None else None


def _bucket(at: datetime, points: list[MinutePoint]) -> Bucket:
    known = [point.available for point in points if point.available is not None]
    return Bucket(
        at=at,
        minutes=len(points),
        minutes_known=len(known),
        available_mean=round(sum(known) / len(known), 2) if known else None,
        available_min=min(known, default=None),
        available_max=max(known, default=None),
        available_last=points[-1].available,
        capacity_last=points[-1].capacity,
        status_last=points[-1].status,
        corrected=sum(point.correction is not None for point in points),
    )
