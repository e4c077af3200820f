"""How do the operators' polled JSON feeds look? Readings in, the bytes that their servers send out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from demo import datex
from demo.district import lots_of
from demo.draws import between
from demo.faults import PUBLISHED_BEFORE_S, Reading, reading
from demo.ground import gauss_kruger
from demo.occupancy import time_of
from demo.operators import Operator

LOCAL = timezone(timedelta(hours=8))
PAGE = 25  # rows of a page of the LTA-like feed
STRANGER = "ZZ9"  # a lot that reports and is in no register

Document = Callable[[Sequence[Reading], int], bytes]


def readings_of(operator: Operator, minute: int) -> list[Reading]:
    return [reading(lot, minute) for lot in lots_of(operator.source)]


def document(operator: Operator, minute: int) -> bytes:
    """The whole feed of an operator as it is in a minute. LTA and NPR have documents of their own, see below."""
    return _DOCUMENTS[operator.source](readings_of(operator, minute), minute)


def lta_page(operator: Operator, minute: int, skip: int) -> bytes:
    """No time and no capacity, so many rows a page."""
    value = [
        {
            "CarParkID": one.lot.ref,
            "Area": "",
            "Development": one.lot.name_en,
            "Location": f"{one.lot.lat} {one.lot.lon}",
            "AvailableLots": free,
            "LotType": kind,
            "Agency": "LTA",
        }
        for one in readings_of(operator, minute)
        for kind, free in (("C", one.free), ("S", one.shared))
    ]
    return _json({"odata.metadata": "CarParkAvailability", "value": value[skip : skip + PAGE]})


def npr_lot(operator: Operator, minute: int, ref: str) -> bytes | None:
    """One lot's own document; None when nobody is called so."""
    for lot in lots_of(operator.source):
        if lot.ref == ref:
            return _json(_npr(reading(lot, minute)))
    return None


def _hdb(readings: Sequence[Reading], minute: int) -> bytes:
    parks = []
    for one in readings:
        info = [_hdb_info("C", one.capacity, one.free), _hdb_info("S", one.lot.shared, one.shared)]
        if "motorcycle" in one.pools:
            info.append(_hdb_info("Y", one.lot.pools["motorcycle"], one.pools["motorcycle"]))
        if one.fault == "duplicate":
            old = reading(one.lot, minute - 600)
            parks.append(_hdb_park(one.lot.ref, old.observed_at, [_hdb_info("C", old.capacity, old.free)]))
        parks.append(_hdb_park(one.lot.ref, one.observed_at, info))
    parks.append(_hdb_park(STRANGER, _feed_time(minute), [_hdb_info("C", 60, 20 + minute % 7)]))
    stamp = _feed_time(minute).astimezone(LOCAL).isoformat()
    return _json({"items": [{"timestamp": stamp, "carpark_data": parks}]})


def _hdb_park(ref: str, at: datetime, info: list[dict[str, str]]) -> dict[str, Any]:
    stamp = at.astimezone(LOCAL).strftime("%Y-%m-%dT%H:%M:%S")
    return {"carpark_info": info, "carpark_number": ref, "update_datetime": stamp}


def _hdb_info(kind: str, total: int, free: int | None) -> dict[str, str]:
    return {"total_lots": str(total), "lot_type": kind, "lots_available": "" if free is None else str(free)}


def _hongkong(readings: Sequence[Reading], minute: int) -> bytes:
    results = []
    for one in readings:
        car: dict[str, Any] = {**_vacancy(one), "lastupdate": _hk_time(one)}
        for pool, name in (("ev", "vacancyEV"), ("disabled", "vacancyDIS")):
            if pool in one.pools and not one.is_closed:
                car[name] = one.pools[pool]
        shared = {"vacancy_type": "A", "vacancy": one.shared, "category": "SHARED", "lastupdate": _hk_time(one)}
        results.append({"park_Id": one.lot.ref, "privateCar": [car] if one.is_closed else [car, shared]})
    return _json({"results": results})


def _hongkong_flat(readings: Sequence[Reading], minute: int) -> bytes:
    parks = []
    for one in readings:
        services = {"P": [{"category": "HOURLY", **_vacancy(one)}]}
        if not one.is_closed:
            services["P"].append({"category": "SHARED", "vacancy_type": "A", "vacancy": one.shared})
        for pool, name in (("disabled", "P_D"), ("motorcycle", "M")):
            if pool in one.pools:
                services[name] = [{"category": "HOURLY", "vacancy_type": "A", "vacancy": one.pools[pool]}]
        vehicles = [
            {"type": kind, "service_category": [{**service, "lastupdate": _hk_time(one)} for service in told]}
            for kind, told in services.items()
        ]
        parks.append({"park_id": one.lot.ref, "vehicle_type": vehicles})
    return b"\xef\xbb\xbf" + _json({"car_park": parks})


def _vacancy(one: Reading) -> dict[str, Any]:
    if one.is_closed:
        return {"vacancy_type": "C", "vacancy": 0}
    return {"vacancy_type": "A", "vacancy": -1 if one.free is None else one.free}


def _hk_time(one: Reading) -> str:
    return one.observed_at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")


def _parkapi_v3(readings: Sequence[Reading], minute: int) -> bytes:
    items = []
    for one in readings:
        item: dict[str, Any] = {
            "id": 19_000 + one.lot.number,
            "source_id": 12,
            "original_uid": one.lot.ref.partition(":")[2],
            "name": one.lot.name_zh,
            "address": one.lot.address_zh,
            "type": "CAR_PARK",
            "purpose": "CAR",
            "has_realtime_data": True,
            "static_data_updated_at": "2026-01-01T00:00:00Z",
            "realtime_data_updated_at": _utc(one.observed_at),
            "realtime_opening_status": "CLOSED" if one.is_closed else "OPEN",
            "lat": one.lot.lat,
            "lon": one.lot.lon,
            "capacity": one.capacity,
            "realtime_capacity": one.capacity,
        }
        if one.free is not None:
            item["realtime_free_capacity"] = one.free
        for pool, word in (("disabled", "disabled"), ("ev", "charging")):
            if pool in one.pools:
                item[f"capacity_{word}"] = one.lot.pools[pool]
                item[f"realtime_free_capacity_{word}"] = one.pools[pool]
        items.append(item)
    return _json({"items": items, "total_count": len(items)})


def _parkapi_v1(readings: Sequence[Reading], minute: int) -> bytes:
    lots = []
    for one in readings:
        lot: dict[str, Any] = {
            "id": one.lot.ref,
            "name": one.lot.name_zh,
            "address": one.lot.address_zh,
            "coords": {"lat": one.lot.lat, "lng": one.lot.lon},
            "lot_type": "Parkhaus",
            "forecast": False,
            "state": "closed" if one.is_closed else "nodata" if one.free is None else "open",
            "total": one.capacity,
            "free": 0 if one.free is None else one.free,
        }
        lots.append(lot)
    stamp = _feed_time(minute).strftime("%Y-%m-%dT%H:%M:%S")
    return _json({"last_downloaded": stamp, "last_updated": stamp, "data_source": "", "lots": lots})


def _npr(one: Reading) -> dict[str, Any]:
    actual: dict[str, Any] = {
        "lastUpdated": int(one.observed_at.timestamp()),
        "open": not one.is_closed,
        "full": one.free == 0,
        "parkingCapacity": one.capacity,
    }
    if one.free is not None:
        actual["vacantSpaces"] = one.free
    return {
        "parkingFacilityDynamicInformation": {
            "identifier": one.lot.ref,
            "name": one.lot.name_zh,
            "description": "",
            "facilityActualStatus": actual,
        }
    }


def _basel(readings: Sequence[Reading], minute: int) -> bytes:
    return _json(
        [
            {
                "title": one.lot.name_zh,
                "published": _feed_time(minute).isoformat(),
                "free": one.free,
                "total": one.capacity,
                "geo_point_2d": {"lon": one.lot.lon, "lat": one.lot.lat},
                "name": one.lot.name_zh,
                "id2": one.lot.ref,
            }
            for one in readings
        ]
    )


def _ghent(readings: Sequence[Reading], minute: int) -> bytes:
    results = [
        {
            "name": one.lot.name_zh,
            "id": one.lot.ref,
            "lastupdate": one.observed_at.isoformat(),
            "totalcapacity": one.capacity,
            "availablecapacity": -1 if one.free is None else one.free,
            "isopennow": 0 if one.is_closed else 1,
            "temporaryclosed": 1 if one.is_closed else 0,
            "openingtimesdescription": "24/7",
            "location": {"lon": one.lot.lon, "lat": one.lot.lat},
        }
        for one in readings
    ]
    return _json({"total_count": len(results), "results": results})


def _ngsi(readings: Sequence[Reading], minute: int) -> bytes:
    states = {"closed": "Geschlossen", "fault": "Stoerung"}
    return _json(
        [
            {
                "id": one.lot.ref,
                "type": "OffStreetParking",
                "name": _attribute("Text", one.lot.name_zh),
                "availableSpotNumber": _attribute("Number", one.free),
                "occupiedSpotNumber": _attribute("Number", 0 if one.fault == "fault" else one.occupied),
                "totalSpotNumber": _attribute("Number", one.capacity),
                "status": _attribute("Text", states.get(one.fault or "", "Offen")),
                "observationDateTime": _attribute("DateTime", _utc(_feed_time(minute))),
            }
            for one in readings
        ]
    )


def _attribute(kind: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "metadata": {}}


def _freiburg(readings: Sequence[Reading], minute: int) -> bytes:
    """Everything is a string; coordinates are of the national grid, not of GeoJSON."""
    stamp = _feed_time(minute).astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")
    features = []
    for one in readings:
        share = "" if one.free is None else str(round(100 * one.free / one.capacity))
        properties = {
            "obs_id": str(16_000_000 + one.lot.number),
            "obs_parkid": one.lot.ref,
            "obs_state": "1",
            "obs_max": str(one.capacity),
            "obs_free": "" if one.free is None else str(one.free),
            "obs_ts": stamp,
            "park_name": one.lot.name_zh,
            "trend": "0",
            "prozent": share,
        }
        point = {"type": "Point", "coordinates": list(gauss_kruger(one.lot.lat, one.lot.lon))}
        features.append({"type": "Feature", "properties": properties, "geometry": point})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
    return _json({"type": "FeatureCollection", "name": "pls", "crs": crs, "features": features})


def _karlsruhe(readings: Sequence[Reading], minute: int) -> bytes:
    """A fault comes with a count that looks alive."""
    states = {"closed": "Geschlossen", "fault": "Störung"}
    features = []
    for one in readings:
        free = int(between(1, one.capacity, "alive", one.lot.number)) if one.fault == "fault" else one.free
        properties = {
            "id": int(one.lot.ref),
            "gemeinde": "Luohu",
            "parkhaus_name": one.lot.name_zh,
            "gesamte_parkplaetze": one.capacity,
            "freie_parkplaetze": free,
            "echtzeit_status": states.get(one.fault or "", "OK"),
            "echtzeit_belegung": "T",
            "geschlossen": "T" if one.is_closed else "F",
            "stand_freieparkplaetze": _utc(_feed_time(minute)),
        }
        point = {"type": "Point", "coordinates": [one.lot.lon, one.lot.lat]}
        feature = {"type": "Feature", "id": f"parkhaeuser.{one.lot.ref}", "geometry": point, "properties": properties}
        features.append(feature)
    return _json({"type": "FeatureCollection", "features": features})


def _feed_time(minute: int) -> datetime:
    """The one stamp of a feed that has no other: of a few seconds before it is published."""
    return time_of(minute) - timedelta(seconds=PUBLISHED_BEFORE_S + 5)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_DOCUMENTS: dict[str, Document] = {
    "demo-hdb": _hdb,
    "demo-hongkong": _hongkong,
    "demo-hongkong-flat": _hongkong_flat,
    "demo-parkapi-v3": _parkapi_v3,
    "demo-parkapi-v1": _parkapi_v1,
    "demo-basel": _basel,
    "demo-ghent": _ghent,
    "demo-ngsi": _ngsi,
    "demo-freiburg": _freiburg,
    "demo-karlsruhe": _karlsruhe,
    "demo-datex2-record": datex.records,
    "demo-datex2-facility": datex.facilities,
    "demo-datex2-v3": datex.version_3,
}
