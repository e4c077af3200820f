"""The register as the minute reads it: everything of one lot at one place. Built once per version of the register."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from schemas.civil import Calendar, calendar_of
from schemas.fields import EARLIEST
from schemas.parking import PUBLIC
from schemas.registers import Lot, LotSource, ParkingRegister, Pool, ShareWindow
from schemas.settings import District, Parking

Vehicle = Literal["car", "motorcycle", "lgv", "hgv", "coach", "bicycle"]
Audience = Literal[
    "public", "resident", "contract", "disabled", "ev", "women_family", "shared", "reserved", "unloading"
]

VEHICLES: tuple[Vehicle, ...] = ("motorcycle", "lgv", "hgv", "coach", "bicycle")
AUDIENCES: tuple[Audience, ...] = (
    "resident",
    "contract",
    "disabled",
    "ev",
    "women_family",
    "shared",
    "reserved",
    "unloading",
)
_LIMIT_TYPES = {field.name: field.type for field in msgspec.structs.fields(Parking)}


class LotEntry(msgspec.Struct, frozen=True):
    """All versions of what is registered of one lot; `limits` are the settings with this lot's overrides."""

    lot_id: str
    versions: tuple[Lot, ...]  # by valid_from
    sources: tuple[LotSource, ...]  # by priority
    pools: tuple[Pool, ...]
    windows: tuple[ShareWindow, ...]
    limits: Mapping[int, Parking]  # by version of the lot
    thresholds: Mapping[
        int, Mapping[str, tuple[int, int]]
    ]  # [enter, leave] in available spaces that the lot itself sets


class RegisterView(msgspec.Struct, frozen=True):
    version: int
    district: str
    subdistricts: tuple[str, ...]
    lots: tuple[LotEntry, ...]  # by lot_id: the order of the feed
    claims: Mapping[tuple[str, str], tuple[LotSource, ...]]  # (source, ref) -> which lots it reports for
    calendar: Calendar


def view_of(register: ParkingRegister, limits: Parking, district: District) -> RegisterView:
    versions: dict[str, list[Lot]] = defaultdict(list)
    sources: dict[str, list[LotSource]] = defaultdict(list)
    pools: dict[str, list[Pool]] = defaultdict(list)
    windows: dict[str, list[ShareWindow]] = defaultdict(list)
    claims: dict[tuple[str, str], list[LotSource]] = defaultdict(list)
    for lot in register.lots:
        versions[lot.lot_id].append(lot)
    for claim in register.lot_sources:
        sources[claim.lot_id].append(claim)
        claims[claim.source, claim.ref].append(claim)
    for pool in register.pools:
        pools[pool.lot_id].append(pool)
    for window in register.share_windows:
        for lot_id in _lots_of(window, claims):
            windows[lot_id].append(window)
    return RegisterView(
        version=register.version,
        district=district.code,
        subdistricts=tuple(sorted(row.code for row in register.subdistricts)),
        lots=tuple(
            _entry(lot_id, versions[lot_id], sources[lot_id], pools[lot_id], windows[lot_id], limits)
            for lot_id in sorted(versions)
        ),
        claims={key: tuple(rows) for key, rows in claims.items()},
        calendar=calendar_of(district.time_zone, district.holiday_country, register.calendar),
    )


def lot_at(entry: LotEntry, at: datetime) -> tuple[Lot, bool] | None:
    """The lot as registered at `at`, and whether it is withdrawn. A lot that once was stays listed, withdrawn."""
    for lot in reversed(entry.versions):
        if lot.valid_from <= at:
            is_over = lot.valid_to is not None and lot.valid_to <= at
            return lot, is_over or (lot.withdrawn_at is not None and lot.withdrawn_at <= at)
    return None


def sources_at(entry: LotEntry, at: datetime) -> list[LotSource]:
    return [row for row in entry.sources if row.valid_from <= at and (row.valid_to is None or at < row.valid_to)]


def pools_at(entry: LotEntry, at: datetime) -> dict[str, Pool]:
    """The pools in force, by name; of several versions the highest."""
    found: dict[str, Pool] = {}
    for row in entry.pools:
        if row.valid_from <= at and (row.valid_to is None or at < row.valid_to):
            found[row.pool] = row
    return found


def is_claimed(view: RegisterView, source: str, ref: str, at: datetime) -> bool:
    rows = view.claims.get((source, ref), ())
    return any(row.valid_from <= at and (row.valid_to is None or at < row.valid_to) for row in rows)


def unregistered_pool(lot_id: str, pool: str, is_alone: bool) -> Pool:
    """What a pool that reports and is not registered may be taken for: its word says, and it is never summed.

    The public pool of a lot of which no pool is registered is the exception: it is all that is known of the lot.
    """
    vehicle: Vehicle = next((word for word in VEHICLES if pool.startswith(word)), "car")
    audience: Audience = next((word for word in AUDIENCES if word in pool), "public")
    return Pool(
        lot_id=lot_id,
        pool=pool,
        vehicle=vehicle,
        audience=audience,
        exclusive=is_alone and pool == PUBLIC,
        capacity_basis="live",
        valid_from=EARLIEST,
    )


def _entry(
    lot_id: str,
    versions: list[Lot],
    sources: list[LotSource],
    pools: list[Pool],
    windows: list[ShareWindow],
    limits: Parking,
) -> LotEntry:
    return LotEntry(
        lot_id=lot_id,
        versions=tuple(sorted(versions, key=lambda lot: (lot.valid_from, lot.version))),
        sources=tuple(sorted(sources, key=lambda row: (row.priority, row.source, row.ref))),
        pools=tuple(sorted(pools, key=lambda row: (row.pool, row.version))),
        windows=tuple(sorted(windows, key=lambda row: (row.window_id, row.version))),
        limits={lot.version: _limits(lot.thresholds, limits) for lot in versions},
        thresholds={lot.version: _thresholds(lot.thresholds) for lot in versions},
    )


def _lots_of(window: ShareWindow, claims: Mapping[tuple[str, str], list[LotSource]]) -> Iterable[str]:
    if window.lot_id is not None:
        return (window.lot_id,)
    return sorted({row.lot_id for row in claims.get((window.source, window.ref or ""), ())})


def _limits(overrides: Mapping[str, Any], limits: Parking) -> Parking:
    """The settings with those that the lot overrides; what does not fit a field's type is left as it was."""
    fitting: dict[str, Any] = {}
    for name, override in overrides.items():
        if name in _LIMIT_TYPES:
            try:
                fitting[name] = msgspec.convert(_value(override), _LIMIT_TYPES[name])
            except msgspec.ValidationError:
                continue
    return msgspec.structs.replace(limits, **fitting) if fitting else limits


def _thresholds(overrides: Mapping[str, Any]) -> Mapping[str, tuple[int, int]]:
    """{"almost_full": [19, 24], "full": [1, 4], "source": "..."}: available spaces to enter and to leave."""
    found: dict[str, tuple[int, int]] = {}
    for name in ("almost_full", "full"):
        try:
            enter, leave = msgspec.convert(_value(overrides.get(name)), tuple[int, int])
        except msgspec.ValidationError:
            continue
        if 0 <= enter < leave:
            found[name] = (enter, leave)
    return found


def _value(override: Any) -> Any:
    return override.get("value") if isinstance(override, dict) else override
