"""What is one minute of the district, ready to be shown? Every registered lot, and the register in force then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from schemas.minute import LotMinute, MinuteRun
from schemas.registers import (
    Lot,
    LotSource,
    Operator,
    ParkingRegister,
    Pool,
    Price,
    ShareWindow,
    SourceTerms,
    Subdistrict,
)
from schemas.settings import Settings

T = TypeVar("T", bound=msgspec.Struct)


class Publisher(msgspec.Struct, frozen=True, kw_only=True):
    """Who publishes, under which terms. A part of the settings, so that views need no others."""

    zone: ZoneInfo
    district_code: str
    district_zh: str
    district_en: str
    publisher_zh: str
    publisher_en: str
    licence: str
    licence_url: str
    contact: str
    public_url: str
    bbox: tuple[float, float, float, float]
    source_terms: tuple[SourceTerms, ...]

    @property
    def time_zone(self) -> str:
        return self.zone.key


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table alert that concerns parking or the platform."""

    alert_id: str
    kind: str
    subject: str
    level: int
    certainty: str
    raised_at: datetime
    ended_at: datetime | None
    sentence_zh: str
    sentence_en: str


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """The register in force at a minute. `seq` and `changed_at` grow with each change and with each date that comes."""

    seq: int
    changed_at: datetime
    subdistricts: tuple[Subdistrict, ...]
    operators: dict[str, Operator]
    source_terms: tuple[SourceTerms, ...]
    lots: tuple[Lot, ...]
    pools: dict[str, tuple[Pool, ...]]
    sources: dict[str, tuple[LotSource, ...]]
    prices: dict[str, tuple[Price, ...]]
    windows: dict[str, tuple[ShareWindow, ...]]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    run: MinuteRun
    lots: tuple[LotMinute, ...]  # by lot_id; every lot of the register is here
    register: Register
    alerts: tuple[Alert, ...]
    publisher: Publisher

    @property
    def minute(self) -> datetime:
        return self.run.minute

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.publisher.zone)

    def local_or_none(self, at: datetime | None) -> datetime | None:
        return None if at is None else at.astimezone(self.publisher.zone)


def publisher_of(settings: Settings) -> Publisher:
    terms = tuple(
        SourceTerms(
            source=source.name,
            licence=source.licence,
            attribution=source.attribution or source.name,
            url=source.attribution_url or None,
        )
        for source in settings.sources
        if source.licence or source.attribution
    )
    return Publisher(
        zone=ZoneInfo(settings.district.time_zone),
        district_code=settings.district.code,
        district_zh=settings.district.name_zh,
        district_en=settings.district.name_en,
        publisher_zh=settings.feed.publisher_zh,
        publisher_en=settings.feed.publisher_en,
        licence=settings.feed.licence,
        licence_url=settings.feed.licence_url,
        contact=settings.feed.contact,
        public_url=settings.feed.public_url.rstrip("/"),
        bbox=settings.district.bbox,
        source_terms=terms,
    )


def snapshot_of(
    run: MinuteRun,
    rows: Iterable[LotMinute],
    register: Register,
    alerts: Iterable[Alert],
    publisher: Publisher,
) -> Snapshot:
    """The minute with every registered lot in it: one that was not computed is unknown and says so."""
    lots = {row.lot_id: row for row in rows}
    for lot in register.lots:
        if lot.lot_id not in lots:
            lots[lot.lot_id] = _not_computed(lot, run)
    return Snapshot(
        run=run,
        lots=tuple(lots[lot_id] for lot_id in sorted(lots)),
        register=register,
        alerts=tuple(sorted(alerts, key=lambda alert: (alert.raised_at, alert.alert_id))),
        publisher=publisher,
    )


def register_at(minute: datetime, register: ParkingRegister, changed_at: datetime) -> Register:
    """The rows that are valid at a minute, the newest version of each key."""
    dated: list[Any] = [*register.lots, *register.pools, *register.prices, *register.lot_sources]
    dated += register.share_windows
    passed = [at for row in dated for at in _dates(row) if at <= minute]
    lots = _in_force(register.lots, minute, lambda lot: lot.lot_id)
    pools = _in_force(register.pools, minute, lambda pool: (pool.lot_id, pool.pool))
    prices = _in_force(register.prices, minute, lambda price: (price.lot_id, price.line))
    windows = [window for window in register.share_windows if window.lot_id is not None]
    valid_windows = _in_force(windows, minute, lambda window: window.window_id)
    sources = [row for row in register.lot_sources if _is_valid(row, minute)]
    return Register(
        seq=register.version + len(passed),
        changed_at=max([changed_at, *passed], default=changed_at).astimezone(UTC),
        subdistricts=tuple(sorted(register.subdistricts, key=lambda area: area.code)),
        operators={operator.operator_id: operator for operator in register.operators},
        source_terms=tuple(sorted(register.source_terms, key=lambda terms: terms.source)),
        lots=tuple(lots),
        pools=_grouped(pools),
        sources=_grouped(sorted(sources, key=lambda row: (row.priority, row.source, row.ref))),
        prices=_grouped(prices),
        windows=_grouped(valid_windows),
    )


def _not_computed(lot: Lot, run: MinuteRun) -> LotMinute:
    return LotMinute(
        minute=run.minute,
        lot_id=lot.lot_id,
        revision=run.revision,
        status="unknown",
        status_since=run.minute,
        opening_status="unknown",
        freshness="never",
        quality_score=0.0,
        reason="not_computed",
    )


def _dates(row: Any) -> list[datetime]:
    dates = [row.valid_from, row.valid_to, getattr(row, "withdrawn_at", None)]
    return [at for at in dates if at is not None]


def _is_valid(row: Any, minute: datetime) -> bool:
    return bool(row.valid_from <= minute and (row.valid_to is None or minute < row.valid_to))


def _in_force(rows: Iterable[T], minute: datetime, key: Callable[[T], Any]) -> list[T]:
    newest: dict[Any, T] = {}
    for row in rows:
        if _is_valid(row, minute):
            held = newest.get(key(row))
            if held is None or row.version > held.version:  # type: ignore[attr-defined]
                newest[key(row)] = row
    return [newest[found] for found in sorted(newest)]


def _grouped(rows: Iterable[T]) -> dict[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = {}
    for row in rows:
        groups.setdefault(row.lot_id, []).append(row)  # type: ignore[attr-defined]
    return {lot_id: tuple(group) for lot_id, group in groups.items()}
