"""What is one minute of parking, as streams compute and the feed publishes it? Rows of parking_minute and its run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

Status = Literal["open", "almost_full", "full", "closed", "unknown", "withdrawn"]
Opening = Literal["open", "closed", "unknown"]
Freshness = Literal["fresh", "aging", "stale", "expired", "dead", "never"]
Trend = Literal["increasingQuickly", "increasing", "stable", "decreasing", "decreasingQuickly"]  # of occupancy (DATEX)
WindowState = Literal["closed", "opening_soon", "open", "last_entry_passed", "closing"]


class PoolMinute(msgspec.Struct, frozen=True, kw_only=True):
    """One pool of a lot in one minute. available null has a reason; 0 <= available <= capacity."""

    pool: str
    vehicle: str = "car"
    audience: str = "public"
    exclusive: bool = True
    status: Status = "unknown"
    available: int | None = None
    available_min: int | None = None
    available_max: int | None = None
    capacity: int | None = None
    occupied: int | None = None
    mode: str | None = None
    observed_at: datetime | None = None
    received_at: datetime | None = None
    freshness: Freshness = "never"
    flags: tuple[str, ...] = ()
    reason: str | None = None
    source: str | None = None


class NextWindow(msgspec.Struct, frozen=True, kw_only=True):
    start: datetime
    end: datetime
    spaces: int


class ShareMinute(msgspec.Struct, frozen=True, kw_only=True):
    """What of a lot is shared now (reference parking 6.2, 6.4). spaces_contract is an upper bound, not "available"."""

    state: WindowState
    spaces_contract: int
    spaces_now: int  # W(t)
    available: int | None  # after the last-entry rule
    available_min: int | None = None
    available_max: int | None = None
    in_use: int | None = None
    held: int | None = None
    overstay: int | None = None  # shared cars beyond the windows; null where nobody says how many are in
    opens_at: datetime | None = None
    last_entry_at: datetime | None = None
    must_leave_by: datetime | None = None
    entrance_id: str | None = None
    eligibility: str = "anyone"
    overstay_rule_zh: str | None = None
    overstay_rule_en: str | None = None
    next: NextWindow | None = None
    flags: tuple[str, ...] = ()  # share_use_estimated, calendar_unconfirmed, closed_early ...
    reason: str | None = None


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    minutes: int
    at: datetime
    p10: float
    p50: float
    p90: float
    p_space: float  # probability of at least one space
    score: float  # 1 - error of the model / error of persistence, last 14 days; served only above 0
    n: int  # forecasts behind the score


class LotMinute(msgspec.Struct, frozen=True, kw_only=True):
    """One lot in one minute: a row of parking_minute. Times are aware UTC; the feed writes them with its offset."""

    minute: datetime
    lot_id: str
    revision: int = 1
    status: Status
    status_since: datetime
    opening_status: Opening
    available: int | None = None
    available_min: int | None = None
    available_max: int | None = None
    capacity: int | None = None
    occupied: int | None = None
    mode: str | None = None
    observed_at: datetime | None = None
    received_at: datetime | None = None
    time_basis: str | None = None
    freshness: Freshness
    age_s: int | None = None  # at the tick
    quality_score: float
    flags: tuple[str, ...] = ()
    trend: Trend | None = None
    fill_per_min: float | None = None
    ttf_min: int | None = None
    ttf_min_low: int | None = None
    ttf_min_high: int | None = None
    thresholds: dict[str, Any] = {}  # {"almost_full": [enter, leave], "full": [enter, leave]} in available spaces
    pools: tuple[PoolMinute, ...] = ()
    share: ShareMinute | None = None
    forecast: tuple[Horizon, ...] | None = None
    last_known: dict[str, Any] | None = None  # {"available": n, "at": time} once expired
    reason: str | None = None
    source: str | None = None
    state: dict[str, Any] = {}  # for the next minute only; never published


class AreaMinute(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of an area, always with their coverage (reference parking 6.7)."""

    code: str  # subdistrict code, or the district's
    lots_total: int
    lots_live: int
    spaces_capacity: int  # of those lots whose capacity is known
    spaces_contract: int
    spaces_window_now: int
    available_now: int
    available_unknown_spaces: int  # capacity of pools whose number is not known
    lots_capacity_unknown: int = 0  # their spaces are in no sum of capacities


class SourceMinute(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    state: Literal["live", "late", "silent", "starting", "unknown"]
    last_success_at: datetime | None = None
    newest_observed_at: datetime | None = None
    lots: int = 0
    lots_fresh: int = 0


class QualityMinute(msgspec.Struct, frozen=True, kw_only=True):
    """The feed's own health in one minute."""

    lots_total: int
    lots_by_freshness: dict[str, int]
    lots_by_status: dict[str, int]
    observed_to_minute_p50_s: float | None
    observed_to_minute_p95_s: float | None
    sources: tuple[SourceMinute, ...] = ()
    unregistered: int = 0  # series that report and no lot claims


class MinuteRun(msgspec.Struct, frozen=True, kw_only=True):
    """A row of parking_minute_run: written in the transaction that wrote the lots of the minute, then notified."""

    minute: datetime
    revision: int
    computed_at: datetime
    clock: datetime | None
    fences: dict[str, int]
    register_version: int
    content_seq: int
    is_late: bool
    areas: tuple[AreaMinute, ...]
    quality: QualityMinute
