"""What is the state of every lot? lot_status.json, lot_status.ndjson, and the records that other views are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from dashboards.feed.records import (
    LastKnown,
    LotStatus,
    LotStatusData,
    NextShare,
    PoolStatus,
    QualityMark,
    ShareStatus,
    Thresholds,
)
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import of_minute
from schemas.minute import LotMinute, PoolMinute, ShareMinute

UNEXPLAINED = "not_reported"
INCONSISTENT = "inconsistent"
VOLATILE = ("published_at", "age_s", "observed_at", "received_at")  # they move without anything having changed

_encode = msgspec.json.Encoder().encode


def lot_status(snapshot: Snapshot) -> bytes:
    return of_minute(snapshot, LotStatusData(lots=records(snapshot)))


def lot_status_lines(snapshot: Snapshot) -> bytes:
    """One record a line; the order is that of lot_status.json."""
    return b"".join(_encode(record) + b"\n" for record in records(snapshot))


def records(snapshot: Snapshot) -> tuple[LotStatus, ...]:
    return tuple(record(lot, snapshot) for lot in snapshot.lots)


def record(lot: LotMinute, snapshot: Snapshot) -> LotStatus:
    local = snapshot.local_or_none
    available, reason = counted(lot.available, lot.capacity, lot.reason)
    return LotStatus(
        lot_id=lot.lot_id,
        status=lot.status,
        status_since=snapshot.local(lot.status_since),
        opening_status=lot.opening_status,
        available=available,
        available_min=lot.available_min,
        available_max=lot.available_max,
        capacity=lot.capacity,
        occupied=lot.occupied,
        mode=lot.mode,
        observed_at=local(lot.observed_at),
        received_at=local(lot.received_at),
        published_at=snapshot.local(lot.minute),
        time_basis=lot.time_basis,
        freshness=lot.freshness,
        age_s=lot.age_s,
        quality=QualityMark(score=round(lot.quality_score, 3), flags=lot.flags),
        trend=lot.trend,
        ttf_min=lot.ttf_min,
        ttf_min_low=lot.ttf_min_low,
        ttf_min_high=lot.ttf_min_high,
        thresholds=_thresholds(lot.thresholds),
        pools=tuple(_pool(pool, snapshot) for pool in lot.pools),
        share=None if lot.share is None else _share(lot.share, snapshot),
        last_known=_last_known(lot.last_known, snapshot),
        reason=reason,
        source=lot.source,
    )


def counted(available: int | None, capacity: int | None, reason: str | None) -> tuple[int | None, str | None]:
    """The number as it may be published, and why it is null where it is: 0 <= available <= capacity always holds."""
    if available is None:
        return None, reason or UNEXPLAINED
    if available < 0 or (capacity is not None and available > capacity):
        return None, INCONSISTENT
    return available, reason


def _thresholds(raw: dict[str, Any]) -> Thresholds:
    return Thresholds(almost_full=_pair(raw.get("almost_full")), full=_pair(raw.get("full")))


def _pair(raw: Any) -> tuple[int, int] | None:
    if isinstance(raw, list | tuple) and len(raw) == 2 and all(isinstance(number, int | float) for number in raw):
        return int(raw[0]), int(raw[1])
    return None


def _pool(pool: PoolMinute, snapshot: Snapshot) -> PoolStatus:
    available, reason = counted(pool.available, pool.capacity, pool.reason)
    return PoolStatus(
        pool=pool.pool,
        vehicle=pool.vehicle,
        audience=pool.audience,
        exclusive=pool.exclusive,
        status=pool.status,
        available=available,
        capacity=pool.capacity,
        observed_at=snapshot.local_or_none(pool.observed_at),
        freshness=pool.freshness,
        flags=pool.flags,
        reason=reason,
    )


def _share(share: ShareMinute, snapshot: Snapshot) -> ShareStatus:
    local = snapshot.local_or_none
    available, reason = counted(share.available, None, share.reason)
    following = share.next
    return ShareStatus(
        state=share.state,
        spaces_contract=share.spaces_contract,
        spaces_now=share.spaces_now,
        available=available,
        available_min=share.available_min,
        available_max=share.available_max,
        in_use=share.in_use,
        held=share.held,
        overstay=share.overstay,
        opens_at=local(share.opens_at),
        last_entry_at=local(share.last_entry_at),
        must_leave_by=local(share.must_leave_by),
        entrance_id=share.entrance_id,
        eligibility=share.eligibility,
        overstay_rule_zh=share.overstay_rule_zh,
        overstay_rule_en=share.overstay_rule_en,
        next=None
        if following is None
        else NextShare(
            start=snapshot.local(following.start), end=snapshot.local(following.end), spaces=following.spaces
        ),
        flags=share.flags,
        reason=reason,
    )


def _last_known(raw: dict[str, Any] | None, snapshot: Snapshot) -> LastKnown | None:
    if raw is None:
        return None
    at = raw.get("at")
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    return LastKnown(available=raw.get("available"), at=snapshot.local_or_none(at))
