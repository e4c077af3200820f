"""What would the feed have said at a time, given these observations? The same folds and the same minute, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from schemas.fields import EARLIEST
from schemas.minute import LotMinute
from schemas.parking import Observation
from schemas.registers import Lot, LotSource, ParkingRegister, Subdistrict
from schemas.settings import District, Parking
from streams.parking.availability import Authoritative, Clamped, clamp
from streams.parking.latest import Key, Latest, latest_of
from streams.parking.minute import NOTHING_BESIDE, Beside, MinuteResult, minute
from streams.parking.register_view import RegisterView, pools_at, view_of

UNPLACED = "unplaced"  # subdistrict of lots that only their reports make known


def replay(
    rows: Sequence[Observation],
    register: ParkingRegister,
    at: datetime,
    limits: Parking,
    district: District,
    authoritative: Mapping[str, Authoritative] = {},
    previous: Mapping[str, LotMinute] = {},
    beside: Beside = NOTHING_BESIDE,
) -> MinuteResult:
    """The minute `at` from the rows received until then, in any order.

    Without lots in the register each (source, ref) is taken for a lot of its own, named source/ref.
    """
    heard = [row for row in rows if row.received_at <= at]
    known = register if register.lots else derived_register(heard, register)
    view = view_of(known, limits, district)
    return minute(at, view, latest_by_series(heard, view, at, limits, authoritative), previous, beside)


def latest_by_series(
    rows: Sequence[Observation],
    view: RegisterView,
    at: datetime,
    limits: Parking,
    authoritative: Mapping[str, Authoritative] = {},
) -> list[Latest]:
    capacities = capacities_at(view, at)
    said: dict[Key, list[tuple[Observation, Clamped]]] = {}
    for row in rows:
        key = (row.source, row.ref, row.pool)
        clamped = clamp(row, capacities.get(key), limits, authoritative.get(row.source, "free"))
        said.setdefault(key, []).append((row, clamped))
    found = (latest_of(said[key]) for key in sorted(said))
    return [newest for newest in found if newest is not None]


def derived_register(rows: Sequence[Observation], register: ParkingRegister) -> ParkingRegister:
    """A register of the lots that report, one for each (source, ref)."""
    names = sorted({(row.source, row.ref) for row in rows})
    lots = tuple(
        Lot(
            lot_id=f"{source}/{ref}",
            valid_from=EARLIEST,
            name_zh=ref,
            name_en=ref,
            subdistrict_code=UNPLACED,
            kind="surface",
            lat=0.0,
            lon=0.0,
        )
        for source, ref in names
    )
    claims = tuple(LotSource(source=s, ref=r, lot_id=f"{s}/{r}", valid_from=EARLIEST) for s, r in names)
    return ParkingRegister(
        version=register.version,
        subdistricts=(Subdistrict(code=UNPLACED, name_zh="未定位", name_en="not placed", geometry={}),),
        lots=lots,
        lot_sources=claims,
        share_windows=register.share_windows,
        calendar=register.calendar,
    )


def capacities_at(view: RegisterView, at: datetime) -> dict[Key, int]:
    return {
        (claim.source, claim.ref, name): pool.capacity
        for entry in view.lots
        for claim in entry.sources
        for name, pool in pools_at(entry, at).items()
        if pool.capacity is not None
    }
