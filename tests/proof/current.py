"""One payload of each format as its source would send it now, every quirk in it, and what must come of each car park.

The shapes are those of the real feeds, the car parks and their numbers are ours. Times are of the moment of asking.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.parking import bolink, tdznyun, ymzh
from connectors.parking.signing import stamped_header
from tests.proof.chain import SECRET, ago
from tests.proof.current_datex2 import document as datex2
from tests.proof.lots import Message, Supply

PLATE = "粤B98765"
CHINA = ZoneInfo("Asia/Shanghai")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _local(at: datetime, zone: ZoneInfo = CHINA, separator: str = " ") -> str:
    return at.astimezone(zone).strftime(f"%Y-%m-%d{separator}%H:%M:%S")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hdb(now: datetime, path: str) -> bytes:
    def park(ref: str, at: datetime, *infos: tuple[str, str, str]) -> dict[str, Any]:
        told = [{"total_lots": total, "lot_type": kind, "lots_available": free} for kind, total, free in infos]
        stamp = _local(at, ZoneInfo("Asia/Singapore"), "T")
        return {"carpark_info": told, "carpark_number": ref, "update_datetime": stamp}

    lately = ago(now, seconds=5)
    parks = [
        park("A1", lately, ("C", "80", "12"), ("Y", "10", "3"), ("H", "5", "0")),
        park("A2", lately, ("C", "120", "30")),
        park("A2", ago(now, minutes=10), ("C", "120", "99")),
        park("A3", lately, ("C", "73", "0")),
        park("A4", datetime(2016, 2, 19, 3, 19, tzinfo=UTC), ("C", "181", "200")),
        park("A5", lately, ("C", "620", "490 (79%)")),
        park("A6", lately, ("C", "0", "7")),
        park("A7", now + timedelta(minutes=10), ("C", "50", "5")),
        park("A8", lately, ("C", "66", "6")),
    ]
    return _json({"items": [{"timestamp": now.isoformat(), "carpark_data": parks}]})


def _lta(now: datetime, path: str) -> bytes:
    spaces = {"11": 25, "12": 0, "13": 104, "14": 102}
    lots = [
        {"CarParkID": ref, "Area": "", "Development": ref, "Location": "", "AvailableLots": free, "LotType": "C"}
        for ref, free in spaces.items()
    ]
    skip = int(path.partition("skip=")[2] or 0)
    return _json({"odata.metadata": "x", "value": lots[skip : skip + 3]})


def _hongkong(now: datetime, path: str) -> bytes:
    def park(ref: str, kind: str, vacancy: int, **more: int) -> dict[str, Any]:
        entry = {"vacancy_type": kind, "vacancy": vacancy, **more, "lastupdate": _local(ago(now, seconds=5))}
        return {"park_Id": ref, "privateCar": [entry]}

    parks = [
        park("H1", "A", 55, vacancyEV=2, vacancyDIS=1), park("H2", "B", 1), park("H3", "B", 0), park("H4", "C", 0),
        park("H5", "A", -1), park("H6", "B", -1),
    ]  # fmt: skip
    return _json({"results": parks})


def _hongkong_flat(now: datetime, path: str) -> bytes:
    def park(ref: str, kind: str, vacancy: int) -> dict[str, Any]:
        service = {"category": "HOURLY", "vacancy_type": kind, "vacancy": vacancy}
        told = [{"type": "P", "service_category": [{**service, "lastupdate": _local(ago(now, seconds=5))}]}]
        return {"park_id": ref, "vehicle_type": told}

    parks = [park("F1", "A", 21), park("F2", "B", 1), park("F3", "C", 0), park("F4", "A", -1)]
    return b"\xef\xbb\xbf" + _json({"car_park": parks})


def _parkapi_v1(now: datetime, path: str) -> bytes:
    lots: list[dict[str, Any]] = [
        {"id": "P1", "state": "open", "free": 20, "total": 40},
        {"id": "P2", "state": "nodata", "free": 0, "total": 300},
        {"id": "P3", "state": "closed", "free": 0, "total": 100},
        {"id": "P4", "state": "open", "total": 80},
    ]
    return _json({"last_updated": _utc(ago(now, seconds=5)).removesuffix("Z"), "lots": lots})


def _parkapi_v3(now: datetime, path: str) -> bytes:
    def site(uid: str, built: int, free: int | None, live: int | None, state: str, **more: Any) -> dict[str, Any]:
        found = {"source_id": 7, "original_uid": uid, "purpose": "CAR", "capacity": built, **more}
        if free is not None:
            found |= {"realtime_free_capacity": free, "realtime_opening_status": state}
            found |= {"realtime_capacity": live, "realtime_data_updated_at": _utc(ago(now, seconds=5))}
        return found

    sites = [
        site("1", 260, 160, 260, "OPEN"), site("2", 843, 820, 843, "CLOSED"), site("3", 137, 143, 147, "OPEN"),
        site("4", 7, None, None, ""),
        site("5", 90, 50, 90, "OPEN", realtime_free_capacity_disabled=2, realtime_capacity_disabled=4),
    ]  # fmt: skip
    return _json({"items": sites})


def _npr(now: datetime, path: str) -> bytes:
    said: dict[str, dict[str, Any]] = {
        "n1": {"open": True, "full": False, "parkingCapacity": 350, "vacantSpaces": 35},
        "n2": {"open": True, "full": True, "parkingCapacity": 30},
    }
    ref = path.rpartition("/")[2]
    status = {"lastUpdated": int(ago(now, seconds=5).timestamp()), **said[ref]}
    return _json({"parkingFacilityDynamicInformation": {"identifier": ref, "facilityActualStatus": status}})


def _ghent(now: datetime, path: str) -> bytes:
    def garage(ref: str, free: int, total: int, is_open: int = 1) -> dict[str, Any]:
        told = {"id": ref, "lastupdate": _utc(ago(now, seconds=5)), "availablecapacity": free, "totalcapacity": total}
        return {"properties": {**told, "isopennow": is_open, "temporaryclosed": 0}}

    garages = [garage("G1", 50, 90), garage("G2", 93, 90), garage("G3", 92, 90), garage("G4", -1, 90)]
    return _json({"type": "FeatureCollection", "features": [*garages, garage("G5", 40, 90, 0)]})


def _ngsi(now: datetime, path: str) -> bytes:
    stamp = _utc(ago(now, seconds=5))
    names = ("availableSpotNumber", "occupiedSpotNumber", "totalSpotNumber")

    def entity(ref: str, status: str, *numbers: int | None) -> dict[str, Any]:
        told = {
            name: {"type": "Number", "value": number}
            for name, number in zip(names, numbers, strict=True)
            if number is not None
        }
        timed = {
            "observationDateTime": {"type": "DateTime", "value": stamp},
            "status": {"type": "Text", "value": status},
        }
        return {"id": ref, "type": "OffStreetParking", **told, **timed}

    found = [
        entity("N1", "Offen", 143, 385, 528), entity("N2", "Stoerung", 0, 140, 140), entity("N3", "Offen", -8, 9, 1),
        entity("N4", "Offen", -2, 102, 100), entity("N5", "Offen", None, 120, 100),
        entity("N6", "Offen", None, 140, 100), entity("N7", "Offen", 9999, None, 9999),
        entity("N8", "Offen", 46, 6, 87), entity("N9", "Besetzt", 0, 50, 50),
    ]  # fmt: skip
    return _json(found)


def _freiburg(now: datetime, path: str) -> bytes:
    def lot(ref: str, state: str, most: str, free: str, share: str) -> dict[str, Any]:
        numbers = {"obs_max": most, "obs_free": free, "prozent": share}
        stamp = _local(ago(now, seconds=5), ZoneInfo("Europe/Berlin"))
        return {"properties": {"obs_parkid": ref, "obs_state": state, **numbers, "obs_ts": stamp}}

    return _json({"features": [lot("13", "1", "105", "56", "53"), lot("2", "0", "399", "399", "100")]})


def _karlsruhe(now: datetime, path: str) -> bytes:
    def lot(ref: int, total: int, free: int | None, status: str | None, shut: str | None = "F") -> dict[str, Any]:
        stamp = None if status is None else _utc(ago(now, seconds=5))
        numbers = {"id": ref, "gesamte_parkplaetze": total, "freie_parkplaetze": free}
        return {
            "properties": {**numbers, "echtzeit_status": status, "geschlossen": shut, "stand_freieparkplaetze": stamp}
        }

    lots = [
        lot(1, 59, 16, "OK"),
        lot(3, 250, 226, "Geschlossen", "T"),
        lot(4, 50, None, None),
        lot(54, 495, 255, "Störung"),
    ]
    return _json({"features": lots})


def _ymzh(now: datetime) -> tuple[Message, ...]:
    data = {
        "TotalSpaces": 100,
        "RemainingSpaces": 32,
        "CarCardTypeSpaces": [{"AreaCarCardTypeName": "[地下] [月租车A] 数量", "AreaNo": "1", "UseSpaces": 40}],
    }
    body = {"ParkKey": "K1", "AppId": "a", "TimeStamp": str(int(now.timestamp() * 1000)), "Data": data, "Nonce": "1"}
    return (Message(body=_json({**body, "Sign": ymzh.sign(_json(body), SECRET)})),)


def _bolink(now: datetime) -> tuple[Message, ...]:
    found = []
    for ref, kind, free in (("B1", 1, 30), ("B2", 2, 32)):
        body = {"park_id": ref, "type": kind, "total_plot": 120, "empty_plot": free, "rand": f"0.{ref}"}
        found.append(Message(body=base64.b64encode(_json({**body, "sign": bolink.sign(_json(body), SECRET)}))))
    return tuple(found)


def _tdznyun(now: datetime) -> tuple[Message, ...]:
    content = {
        "parkCode": "T/1",
        "plateNum": PLATE,
        "remainParkNum ": 99,
        "totalParkNum ": 100,
        "enterTime ": _local(ago(now, seconds=5)),
    }
    body = {"pid": "1", "serviceName": "enterNotify", "timestamp": str(int(now.timestamp())), "bizContent": content}
    return (Message(body=_json({**body, "sign": tdznyun.sign(_json(body), SECRET)})),)


def stamped(body: Any, now: datetime) -> Message:
    """A message with our own signature header, as lpr and njytb have it."""
    data = _json(body)
    return Message(body=data, headers={"X-Signature": stamped_header(data, SECRET, int(now.timestamp()))})


def _lpr(now: datetime) -> tuple[Message, ...]:
    body = {"service": "parkingspace", "parkid": "L1", "spacetotal": 1000, "spaceLeft": 978, "spaceused": 22}
    return (stamped({**body, "time": _local(ago(now, seconds=5))}, now),)


def _njytb(now: datetime) -> tuple[Message, ...]:
    """Two bays of the lot L1, for two hours."""
    begin, end = ago(now, minutes=10), now + timedelta(hours=2)
    period = {"startTime": _local(begin)[:16], "endTime": _local(end)[:16]}
    body = {"parkingLotId": "877", "parkingType": "5", "plateNumber": PLATE, **period}
    return tuple(stamped({**body, "parkingCode": bay}, now) for bay in ("A001", "A002"))


def _supplies() -> Iterable[Supply]:
    yield Supply(name="now-hdb", decoder="hdb", zone="Asia/Singapore", document=_hdb)
    paged = {"page_param": "$skip", "page_size": 3}
    yield Supply(name="now-lta", decoder="lta", zone="Asia/Singapore", document=_lta, table=paged)
    yield Supply(name="now-hk", decoder="hongkong", zone="Asia/Hong_Kong", document=_hongkong)
    yield Supply(name="now-hk-flat", decoder="hongkong-flat", zone="Asia/Hong_Kong", document=_hongkong_flat)
    yield Supply(name="now-parkapi1", decoder="parkapi-v1", zone="UTC", document=_parkapi_v1)
    yield Supply(name="now-parkapi3", decoder="parkapi-v3", zone="UTC", document=_parkapi_v3)
    cut = {"options": {"ref_until": "["}}
    yield Supply(name="now-datex2", decoder="datex2", zone="Europe/Berlin", document=datex2, table=cut)
    yield Supply(name="now-npr", decoder="npr", zone="Europe/Amsterdam", document=_npr, table={"refs": ["n1", "n2"]})
    yield Supply(name="now-ghent", decoder="opendatasoft", zone="Europe/Brussels", document=_ghent)
    yield Supply(name="now-ngsi", decoder="ngsi-v2", zone="Europe/Berlin", document=_ngsi)
    off = {"options": {"status": {"0": "closed"}}}
    yield Supply(name="now-freiburg", decoder="freiburg", zone="Europe/Berlin", document=_freiburg, table=off)
    yield Supply(name="now-karlsruhe", decoder="karlsruhe", zone="Europe/Berlin", document=_karlsruhe)
    yield Supply(name="now-ymzh", decoder="ymzh", zone="Asia/Shanghai", pushes=_ymzh)
    yield Supply(name="now-bolink", decoder="bolink", zone="Asia/Shanghai", pushes=_bolink)
    yield Supply(name="now-tdznyun", decoder="tdznyun", zone="Asia/Shanghai", pushes=_tdznyun)
    yield Supply(name="now-lpr", decoder="lpr", zone="Asia/Shanghai", pushes=_lpr)
    topic = {"topic": "registers.changes"}
    yield Supply(name="now-njytb", decoder="njytb", zone="Asia/Shanghai", pushes=_njytb, table=topic)


SUPPLIES = tuple(_supplies())
