"""What does the feed publish of the register and of itself? The JSON records of the files that change seldom."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from dashboards.feed.records import Slo


class Point(msgspec.Struct, frozen=True, kw_only=True):
    lat: float
    lon: float


class Entrance(msgspec.Struct, frozen=True, kw_only=True):
    entrance_id: str
    name_zh: str | None
    name_en: str | None
    wgs84: Point | None
    gcj02: Point | None
    shared_users: bool | None


class PoolInformation(msgspec.Struct, frozen=True, kw_only=True):
    pool: str
    vehicle: str
    audience: str
    product: str
    exclusive: bool
    capacity: int | None
    capacity_basis: str
    valid_from: datetime


class LotInformation(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: str
    name_zh: str
    name_en: str
    subdistrict_code: str
    operator_id: str | None
    operator_zh: str | None
    operator_en: str | None
    kind: str
    wgs84: Point
    gcj02: Point
    address_zh: str | None
    address_en: str | None
    entrances: tuple[Entrance, ...]
    height_limit_m: float | None
    opening_hours: str | None
    contact: str | None
    accessibility: str | None
    thresholds: dict[str, Any]
    pools: tuple[PoolInformation, ...]
    sources: tuple[str, ...]
    valid_from: datetime
    withdrawn_at: datetime | None


class Subdistrict(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    name_zh: str
    name_en: str


class LotInformationData(msgspec.Struct, frozen=True, kw_only=True):
    subdistricts: tuple[Subdistrict, ...]
    lots: tuple[LotInformation, ...]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Half-open [start, end) in local civil time; end <= start is the next day; weekdays 1-7, empty: every day."""

    window_id: str
    version: int
    pool: str
    spaces: int
    weekdays: tuple[int, ...]
    holiday_rule: str
    start: str
    end: str
    entry_only: bool
    min_stay_min: int
    grace_min: int
    buffer_min: int
    exclusive: bool
    entrance_id: str | None
    eligibility: str
    overstay_rule_zh: str | None
    overstay_rule_en: str | None
    valid_from: datetime
    valid_to: datetime | None
    withdrawn_at: datetime | None


class LotWindows(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: str
    windows: tuple[Window, ...]


class ShareWindowsData(msgspec.Struct, frozen=True, kw_only=True):
    time_zone: str
    lots: tuple[LotWindows, ...]


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """step_price_fen for each begun step_min after free_min; on_holidays null: on working days and holidays alike."""

    pool: str
    weekdays: tuple[int, ...]
    on_holidays: bool | None
    start: str
    end: str
    step_min: int
    step_price_fen: int
    free_min: int
    cap_fen: int | None
    cap_period: str | None
    text_zh: str | None
    text_en: str | None
    valid_from: datetime
    valid_to: datetime | None


class LotPricing(msgspec.Struct, frozen=True, kw_only=True):
    lot_id: str
    pricing_verified_at: date | None
    lines: tuple[PriceLine, ...]
    reason: str | None


class PricingData(msgspec.Struct, frozen=True, kw_only=True):
    currency: str = "CNY"
    lots: tuple[LotPricing, ...]


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    licence: str
    attribution: str
    url: str | None


class SystemInformationData(msgspec.Struct, frozen=True, kw_only=True):
    system_id: str
    name_zh: str
    name_en: str
    publisher_zh: str
    publisher_en: str
    time_zone: str
    languages: tuple[str, ...]
    license_id: str
    license_url: str
    terms_last_updated: datetime
    attribution: tuple[Attribution, ...]
    contact: str
    bbox: tuple[float, float, float, float]
    slo: Slo


class FeedLink(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    url: str
    media_type: str
    ttl: int | None
    title_zh: str
    title_en: str


class UrlTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked with a place, a time or a number: RFC 6570. The document names every parameter."""

    name: str
    url_template: str
    title_zh: str
    title_en: str


class DiscoveryData(msgspec.Struct, frozen=True, kw_only=True):
    feeds: tuple[FeedLink, ...]
    templates: tuple[UrlTemplate, ...]
    licence: str
    licence_url: str
    documentation: str


class VersionLink(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    url: str


class VersionsData(msgspec.Struct, frozen=True, kw_only=True):
    versions: tuple[VersionLink, ...]
