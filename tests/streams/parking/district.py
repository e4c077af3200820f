"""A small district for tests: one garage, one estate, and short words to say what they report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.minute import LotMinute
from schemas.parking import Observation
from schemas.registers import Lot, LotSource, ParkingRegister, Pool, ShareWindow, Subdistrict
from schemas.settings import District, Parking
from streams.parking.minute import Beside, MinuteResult
from streams.parking.replay import replay

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Parking()
MINUTE = timedelta(minutes=1)


def at(clock: str, day: str = "2026-11-24") -> datetime:
    """Local civil time of a Tuesday, as UTC."""
    return datetime.fromisoformat(f"{day}T{clock}+08:00").astimezone(UTC)


def lot(lot_id: str = "garage", **values: Any) -> Lot:
    given: dict[str, Any] = {"subdistrict_code": "440303001", "kind": "garage", "opening_hours": "24/7"} | values
    return Lot(
        lot_id=lot_id, name_zh="车库", name_en="Garage", lat=22.55, lon=114.12, **({"valid_from": SINCE} | given)
    )


def claim(lot_id: str = "garage", source: str = "op-jst", **values: Any) -> LotSource:
    given: dict[str, Any] = {"ref": lot_id, "valid_from": SINCE} | values
    return LotSource(source=source, lot_id=lot_id, **given)


def pool(name: str = "public", capacity: int | None = 100, lot_id: str = "garage", **values: Any) -> Pool:
    audience = name if name in ("shared", "resident", "disabled", "ev", "contract") else "public"
    given: dict[str, Any] = {"audience": audience, "valid_from": SINCE} | values
    return Pool(lot_id=lot_id, pool=name, capacity=capacity, **given)


def window(start: str = "08:30", end: str = "18:30", spaces: int = 40, **values: Any) -> ShareWindow:
    given: dict[str, Any] = {"window_id": "w1", "lot_id": "garage", "valid_from": SINCE, "received_at": SINCE} | values
    return ShareWindow(start=start, end=end, spaces=spaces, **given)


def register(
    lots: Sequence[Lot] = (),
    claims: Sequence[LotSource] = (),
    pools: Sequence[Pool] = (),
    windows: Sequence[ShareWindow] = (),
    **values: Any,
) -> ParkingRegister:
    lots = lots or (lot(),)
    return ParkingRegister(
        version=1,
        subdistricts=tuple(
            Subdistrict(code=code, name_zh="", name_en="", geometry={}) for code in ("440303001", "440303002")
        ),
        lots=tuple(lots),
        lot_sources=tuple(claims or [claim(each.lot_id) for each in lots]),
        pools=tuple(pools or [pool(lot_id=each.lot_id) for each in lots]),
        share_windows=tuple(windows),
        **values,
    )


def seen(free: int | None, when: datetime, lot_id: str = "garage", **values: Any) -> Observation:
    """An observation that was true at `when` and received three seconds later."""
    given: dict[str, Any] = {"observed_at": when, "received_at": when + timedelta(seconds=3), "source": "op-jst"}
    return Observation(ref=lot_id, free=free, **(given | values))


def run(
    rows: Iterable[Observation],
    now: datetime,
    known: ParkingRegister | None = None,
    previous: MinuteResult | None = None,
    beside: Beside | None = None,
    limits: Parking = LIMITS,
) -> MinuteResult:
    before: Mapping[str, LotMinute] = {} if previous is None else {each.lot_id: each for each in previous.lots}
    return replay(list(rows), known or register(), now, limits, District(), previous=before, beside=beside or Beside())


def one(result: MinuteResult, lot_id: str = "garage") -> LotMinute:
    return next(each for each in result.lots if each.lot_id == lot_id)
