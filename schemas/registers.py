"""What is known without a sensor: the parking register, and the share windows that a platform sends into it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec

from schemas.fields import Count, Id, Instant, Word
from schemas.parking import PUBLIC as PUBLIC_POOL

ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Vehicle = Literal["car", "motorcycle", "lgv", "hgv", "coach", "bicycle"]
Audience = Literal[
    "public", "resident", "contract", "disabled", "ev", "women_family", "shared", "reserved", "unloading"
]
Product = Literal["short_term", "shared_window", "monthly"]
CapPeriod = Literal["day", "window", "stay"]
Whole = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Lat = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Lon = Annotated[float, msgspec.Meta(ge=-180, le=180)]
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


# The register of parking as loaded: rows of the tables of the same names (sql/migrations/0002). All are dated by
# [valid_from, valid_to), and versioned; `version` grows with each change of a key.


class Subdistrict(msgspec.Struct, frozen=True, kw_only=True):
    code: Id
    name_zh: str
    name_en: str
    geometry: dict[str, Any]  # GeoJSON, WGS-84


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    operator_id: Id
    name_zh: str
    name_en: str
    contact: str | None = None


class SourceTerms(msgspec.Struct, frozen=True, kw_only=True):
    source: Id
    licence: str
    attribution: str
    url: str | None = None


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: Id
    version: int = 1
    valid_from: datetime
    valid_to: datetime | None = None
    name_zh: str
    name_en: str
    subdistrict_code: str
    operator_id: str | None = None
    kind: Literal["on_street", "surface", "garage", "underground", "mechanical"]
    lat: Lat  # WGS-84
    lon: Lon
    crs_given: str = "EPSG:4326"
    address_zh: str | None = None
    address_en: str | None = None
    height_limit_m: float | None = None
    opening_hours: str | None = None  # OSM syntax; None is unknown
    entrances: tuple[dict[str, Any], ...] = ()
    contact: str | None = None
    accessibility: str | None = None
    thresholds: dict[str, Any] = {}  # overrides of [parking] for this lot, each beside its "source"
    pricing_verified_at: date | None = None
    withdrawn_at: datetime | None = None


class LotSource(msgspec.Struct, frozen=True, kw_only=True):
    """Which (source, ref) reports for which lot. Of two that are both usable the lower priority number leads."""

    source: Id
    ref: Id
    lot_id: Id
    priority: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    valid_from: datetime
    valid_to: datetime | None = None


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: Id
    pool: Word
    version: int = 1
    vehicle: Vehicle = "car"
    audience: Audience
    product: Product = "short_term"
    exclusive: bool = True  # its spaces are in no other pool: only exclusive pools may be summed
    capacity: Whole | None = None
    capacity_basis: Literal["master", "live", "contract"] = "master"
    valid_from: datetime
    valid_to: datetime | None = None


class Price(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: Id
    line: Whole
    version: int = 1
    pool: Word = PUBLIC_POOL
    weekdays: Weekdays = ()
    on_holidays: bool | None = None
    start: ClockTime = "00:00"
    end: ClockTime = "24:00"
    step_min: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    step_price_fen: Whole
    free_min: Whole = 0
    cap_fen: Whole | None = None
    cap_period: CapPeriod | None = None
    text_zh: str | None = None
    text_en: str | None = None
    valid_from: datetime
    valid_to: datetime | None = None


class ShareWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Spaces that a lot gives to the public in a window of local civil time (reference parking 6.3)."""

    window_id: Id
    version: int = 1
    lot_id: str | None
    source: Id = "register"
    ref: str | None = None
    pool: Word = "shared"
    spaces: Whole
    weekdays: Weekdays = ()
    holiday_rule: Literal["as_weekday", "only_holidays", "not_holidays", "every_day"] = "as_weekday"
    start: ClockTime
    end: ClockTime
    entry_only: bool = False
    min_stay_min: Whole = 0
    grace_min: Whole = 0
    buffer_min: Whole = 0
    reserve: Whole = 0
    exclusive: bool = False
    entrance_id: str | None = None
    eligibility: Literal["anyone", "registered_plate", "app", "reservation"] = "anyone"
    overstay_rule_zh: str | None = None
    overstay_rule_en: str | None = None
    valid_from: datetime
    valid_to: datetime | None = None
    received_at: datetime
    withdrawn_at: datetime | None = None


class CalendarDay(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    kind: Literal["holiday", "workday", "ordinary"]
    name_zh: str | None = None
    name_en: str | None = None
    source: str


class ParkingRegister(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the register says, all versions; `version` is register_version of the load."""

    version: int = 0
    subdistricts: tuple[Subdistrict, ...] = ()
    operators: tuple[Operator, ...] = ()
    source_terms: tuple[SourceTerms, ...] = ()
    lots: tuple[Lot, ...] = ()
    lot_sources: tuple[LotSource, ...] = ()
    pools: tuple[Pool, ...] = ()
    prices: tuple[Price, ...] = ()
    share_windows: tuple[ShareWindow, ...] = ()
    calendar: tuple[CalendarDay, ...] = ()
