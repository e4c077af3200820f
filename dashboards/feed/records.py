"""What does the feed publish each minute? The JSON records of its files, with their nulls written out."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from schemas.minute import AreaMinute, Freshness, Opening, SourceMinute, Status, Trend, WindowState

VERSION = "1.0"

T = TypeVar("T")


class Envelope(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """last_updated advances at each tick; content_seq only when a published value changed."""

    last_updated: datetime
    ttl: int
    version: str = VERSION
    content_seq: int
    data: T


class QualityMark(msgspec.Struct, frozen=True, kw_only=True):
    score: float
    flags: tuple[str, ...]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """In available spaces: [enter, leave]. They differ, so that a status does not flap."""

    almost_full: tuple[int, int] | None
    full: tuple[int, int] | None


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    pool: str
    vehicle: str
    audience: str
    exclusive: bool
    status: Status
    available: int | None
    capacity: int | None
    observed_at: datetime | None
    freshness: Freshness
    flags: tuple[str, ...]
    reason: str | None


class NextShare(msgspec.Struct, frozen=True, kw_only=True):
    start: datetime
    end: datetime
    spaces: int


class ShareStatus(msgspec.Struct, frozen=True, kw_only=True):
    """spaces_contract is the upper bound that was signed, spaces_now what windows give now, available what is left."""

    state: WindowState
    spaces_contract: int
    spaces_now: int
    available: int | None
    available_min: int | None
    available_max: int | None
    in_use: int | None
    held: int | None
    overstay: int | None
    opens_at: datetime | None
    last_entry_at: datetime | None
    must_leave_by: datetime | None
    entrance_id: str | None
    eligibility: str
    overstay_rule_zh: str | None
    overstay_rule_en: str | None
    next: NextShare | None
    flags: tuple[str, ...]
    reason: str | None


class LastKnown(msgspec.Struct, frozen=True, kw_only=True):
    available: int | None
    at: datetime | None


class LotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One lot now. A number that is not known is null and `reason` says why; it is never 0, -1 or left out."""

    lot_id: str
    status: Status
    status_since: datetime
    opening_status: Opening
    available: int | None
    available_min: int | None
    available_max: int | None
    capacity: int | None
    occupied: int | None
    mode: str | None
    observed_at: datetime | None
    received_at: datetime | None
    published_at: datetime
    time_basis: str | None
    freshness: Freshness
    age_s: int | None
    quality: QualityMark
    trend: Trend | None
    ttf_min: int | None
    ttf_min_low: int | None
    ttf_min_high: int | None
    thresholds: Thresholds
    pools: tuple[PoolStatus, ...]
    share: ShareStatus | None
    last_known: LastKnown | None
    reason: str | None
    source: str | None


class LotStatusData(msgspec.Struct, frozen=True, kw_only=True):
    """is_full: these are all lots. Else those that say something else than under the content_seq since_seq."""

    since_seq: int | None = None
    is_full: bool = True
    lots: tuple[LotStatus, ...]


class HorizonForecast(msgspec.Struct, frozen=True, kw_only=True):
    minutes: int
    at: datetime
    p10: float
    p50: float
    p90: float
    p_space: float
    score: float
    n: int


class LotForecast(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: str
    horizons: tuple[HorizonForecast, ...]
    reason: str | None


class ForecastData(msgspec.Struct, frozen=True, kw_only=True):
    lots: tuple[LotForecast, ...]


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    alert_id: str
    kind: str
    subject: str
    level: int
    certainty: str
    raised_at: datetime
    ended_at: datetime | None
    sentence_zh: str
    sentence_en: str


class AlertsData(msgspec.Struct, frozen=True, kw_only=True):
    alerts: tuple[AlertRecord, ...]


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    observed_to_published_p95_s: int = 60
    observed_to_published_p99_s: int = 120
    publication_every_s: int = 60
    publication_within_s: int = 5
    lots_fresh_share: float = 0.95
    availability: float = 0.999


class QualityData(msgspec.Struct, frozen=True, kw_only=True):
    """The feed's own health in this minute; areas give sums always with their coverage."""

    minute: datetime
    revision: int
    computed_at: datetime
    clock: datetime | None
    is_late: bool
    register_version: int
    lots_total: int
    lots_by_freshness: dict[str, int]
    lots_by_status: dict[str, int]
    observed_to_minute_p50_s: float | None
    observed_to_minute_p95_s: float | None
    unregistered: int
    sources: tuple[SourceMinute, ...]
    areas: tuple[AreaMinute, ...]
    slo: Slo
