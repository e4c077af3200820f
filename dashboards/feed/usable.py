"""Which lots can a driver use who arrives at `eta` and stays for `stay`? The answer of lots/usable. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import localized, of_minute
from schemas.civil import Calendar, windows_known
from schemas.registers import ParkingRegister, ShareWindow
from schemas.usability import Usability, usability


class UsableData(msgspec.Struct, frozen=True, kw_only=True):
    eta: datetime
    stay_min: int
    lots: tuple[Usability, ...]


def usable(snapshot: Snapshot, register: ParkingRegister, calendar: Calendar, eta: datetime, stay: timedelta) -> bytes:
    """Every lot in the feed's order. Which version of a window speaks when, usability itself knows."""
    hours = {lot.lot_id: lot.opening_hours for lot in snapshot.register.lots}
    windows: dict[str | None, list[ShareWindow]] = {}
    for window in windows_known(register.share_windows, snapshot.minute):
        windows.setdefault(window.lot_id, []).append(window)
    found = tuple(
        usability(lot, windows.get(lot.lot_id, ()), calendar, hours.get(lot.lot_id), eta, stay) for lot in snapshot.lots
    )
    data = UsableData(eta=eta, stay_min=int(stay.total_seconds() // 60), lots=found)
    return of_minute(snapshot, localized(data, snapshot))
