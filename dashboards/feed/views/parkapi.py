"""What would ParkAPI v1 say? city.json for OpenTripPlanner and other readers of that format.

Its `free` is null where we do not know, beside state "nodata": a reader that ignores the state must not see a zero.
Times carry their offset, which readers of that format (who take a naive time as UTC) parse as well.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.status import counted
from schemas.minute import LotMinute
from schemas.registers import Lot

_LOT_TYPES = {
    "on_street": "Straßenparkplatz",
    "surface": "Parkplatz",
    "garage": "Parkhaus",
    "underground": "Tiefgarage",
    "mechanical": "Parkhaus",
}  # the words of the format


class Coords(msgspec.Struct, frozen=True, kw_only=True):
    lat: float
    lng: float


class CityLot(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    address: str | None
    region: str
    lot_type: str
    coords: Coords
    total: int | None
    free: int | None
    state: Literal["open", "closed", "nodata"]
    forecast: bool
    opening_hours: str | None
    last_updated: datetime | None


class City(msgspec.Struct, frozen=True, kw_only=True):
    last_updated: datetime
    last_downloaded: datetime
    data_source: str | None
    lots: tuple[CityLot, ...]


_encode = msgspec.json.Encoder().encode


def city(snapshot: Snapshot) -> bytes:
    minutes = {lot.lot_id: lot for lot in snapshot.lots}
    at = snapshot.local(snapshot.minute)
    return _encode(
        City(
            last_updated=at,
            last_downloaded=at,
            data_source=snapshot.publisher.public_url or None,
            lots=tuple(_lot(lot, minutes[lot.lot_id], snapshot) for lot in snapshot.register.lots),
        )
    )


def _lot(lot: Lot, minute: LotMinute, snapshot: Snapshot) -> CityLot:
    free, _ = counted(minute.available, minute.capacity, minute.reason)
    is_closed = minute.status in ("closed", "withdrawn")
    return CityLot(
        id=lot.lot_id,
        name=lot.name_zh,
        address=lot.address_zh,
        region=lot.subdistrict_code,
        lot_type=_LOT_TYPES[lot.kind],
        coords=Coords(lat=round(lot.lat, 7), lng=round(lot.lon, 7)),
        total=minute.capacity,
        free=free,
        state="closed" if is_closed else "nodata" if minute.status == "unknown" else "open",
        forecast=bool(minute.forecast),
        opening_hours=lot.opening_hours,
        last_updated=snapshot.local_or_none(minute.observed_at),
    )
