"""What would DATEX II v3 say? ParkingTablePublication (what there is) and ParkingStatusPublication (how it is now).

Element names are those of the v2.3 ParkingRecord dialect, which v3 moved into the namespaces below; the schema files
themselves were not at hand. A number that is not known is left out: DATEX has no null, and the opening or site status
then says unknown.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from dashboards.feed.records import LotStatus, PoolStatus
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.status import records
from schemas.registers import Lot, Pool

PAYLOAD = "http://datex2.eu/schema/3/d2Payload"
COMMON = "http://datex2.eu/schema/3/common"
PARKING = "http://datex2.eu/schema/3/parking"
LOCATION = "http://datex2.eu/schema/3/locationReferencing"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NAMESPACES = {"d2": PAYLOAD, "com": COMMON, "prk": PARKING, "loc": LOCATION, "xsi": XSI}

LAYOUTS = {
    "on_street": "openSpace",
    "surface": "openSpace",
    "garage": "multiStorey",
    "underground": "underground",
    "mechanical": "automatedParkingGarage",
}
SITE_STATUS = {
    "open": "spacesAvailable",
    "almost_full": "almostFull",
    "full": "full",
    "closed": "unknown",
    "unknown": "unknown",
    "withdrawn": "unknown",
}
OPENING_STATUS = {"open": "open", "closed": "closed", "unknown": "unknown"}

Element = Any  # lxml-stubs name no type for an element that is built


def table_xml(snapshot: Snapshot) -> bytes:
    register = snapshot.register
    root = _publication(snapshot, "prk:ParkingTablePublication", register.changed_at)
    table = _add(root, PARKING, "parkingTable")
    table.set("id", f"{snapshot.publisher.district_code}-parking")
    table.set("version", str(register.seq))
    _text(table, PARKING, "parkingTableVersionTime", snapshot.local(register.changed_at).isoformat())
    for lot in register.lots:
        _lot(table, lot, register.pools.get(lot.lot_id, ()), snapshot)
    return _document(root)


def status_xml(snapshot: Snapshot) -> bytes:
    root = _publication(snapshot, "prk:ParkingStatusPublication", snapshot.minute)
    reference = _add(root, PARKING, "parkingTableReference")
    reference.set("id", f"{snapshot.publisher.district_code}-parking")
    reference.set("version", str(snapshot.register.seq))
    reference.set("targetClass", "prk:ParkingTable")
    versions = {lot.lot_id: lot.version for lot in snapshot.register.lots}
    for status in records(snapshot):
        _status(root, status, versions.get(status.lot_id, 1))
    return _document(root)


def _publication(snapshot: Snapshot, kind: str, at: Any) -> Element:
    root = etree.Element(f"{{{PAYLOAD}}}payload", nsmap=NAMESPACES)
    root.set(f"{{{XSI}}}type", kind)
    root.set("lang", "zh")
    root.set("modelBaseVersion", "3")
    _text(root, COMMON, "publicationTime", snapshot.local(at).isoformat())
    creator = _add(root, COMMON, "publicationCreator")
    _text(creator, COMMON, "country", "cn")
    _text(creator, COMMON, "nationalIdentifier", snapshot.publisher.district_code)
    return root


def _lot(table: Element, lot: Lot, pools: tuple[Pool, ...], snapshot: Snapshot) -> None:
    record = _add(table, PARKING, "parkingRecord")
    record.set(f"{{{XSI}}}type", "prk:UrbanParkingSite")
    record.set("id", lot.lot_id)
    record.set("version", str(lot.version))
    _multilingual(record, "parkingName", lot.name_zh, lot.name_en)
    _text(record, PARKING, "parkingRecordVersionTime", snapshot.local(lot.valid_from).isoformat())
    public = [pool.capacity for pool in pools if pool.pool == "public" and pool.capacity is not None]
    if public:
        _text(record, PARKING, "parkingNumberOfSpaces", str(public[0]))
    place = _add(record, PARKING, "parkingLocation")
    place.set(f"{{{XSI}}}type", "loc:PointLocation")
    point = _add(_add(place, LOCATION, "pointByCoordinates"), LOCATION, "pointCoordinates")
    _text(point, LOCATION, "latitude", f"{lot.lat:.7f}")
    _text(point, LOCATION, "longitude", f"{lot.lon:.7f}")
    for index, pool in enumerate(pools, 1):
        if pool.pool == "public" or pool.capacity is None:
            continue
        indexed = _add(record, PARKING, "groupOfParkingSpaces")
        indexed.set("groupIndex", str(index))
        group = _add(indexed, PARKING, "groupOfParkingSpaces")
        _text(group, PARKING, "parkingNumberOfSpaces", str(pool.capacity))
    _text(record, PARKING, "parkingLayout", LAYOUTS[lot.kind])
    _text(
        record,
        PARKING,
        "urbanParkingSiteType",
        "onStreetParking" if lot.kind == "on_street" else "offStreetParking",
    )


def _status(root: Element, status: LotStatus, version: int) -> None:
    record = _add(root, PARKING, "parkingRecordStatus")
    record.set(f"{{{XSI}}}type", "prk:ParkingSiteStatus")
    reference = _add(record, PARKING, "parkingRecordReference")
    reference.set("targetClass", "prk:ParkingRecord")
    reference.set("id", status.lot_id)
    reference.set("version", str(version))
    if status.observed_at is not None:
        _text(record, PARKING, "parkingStatusOriginTime", status.observed_at.isoformat())
    _occupancy(record, status.available, status.capacity, status.occupied, status.trend)
    for index, pool in enumerate(status.pools, 1):
        if pool.pool != "public":
            _group(record, index, pool)
    _text(record, PARKING, "parkingSiteStatus", SITE_STATUS[status.status])
    _text(record, PARKING, "parkingSiteOpeningStatus", OPENING_STATUS[status.opening_status])


def _group(record: Element, index: int, pool: PoolStatus) -> None:
    if pool.available is None and pool.capacity is None:
        return
    indexed = _add(record, PARKING, "groupOfParkingSpacesStatus")
    indexed.set("groupIndex", str(index))
    group = _add(indexed, PARKING, "groupOfParkingSpacesStatus")
    if pool.observed_at is not None:
        _text(group, PARKING, "parkingStatusOriginTime", pool.observed_at.isoformat())
    _occupancy(group, pool.available, pool.capacity, None, None)


def _occupancy(
    parent: Element, available: int | None, capacity: int | None, occupied: int | None, trend: str | None
) -> None:
    if available is None and capacity is None and occupied is None:
        return
    occupancy = _add(parent, PARKING, "parkingOccupancy")
    if capacity is not None:
        _text(occupancy, PARKING, "parkingNumberOfSpacesOverride", str(capacity))
    if available is not None:
        _text(occupancy, PARKING, "parkingNumberOfVacantSpaces", str(available))
    if occupied is not None:
        _text(occupancy, PARKING, "parkingNumberOfOccupiedSpaces", str(occupied))
    if available is not None and capacity:
        _text(occupancy, PARKING, "parkingOccupancy", f"{100 * (capacity - available) / capacity:.1f}")
    if trend is not None:
        _text(occupancy, PARKING, "parkingOccupancyTrend", trend)


def _multilingual(parent: Element, name: str, zh: str, en: str) -> None:
    values = _add(_add(parent, PARKING, name), COMMON, "values")
    for language, value in (("zh", zh), ("en", en)):
        _text(values, COMMON, "value", value).set("lang", language)


def _add(parent: Element, namespace: str, name: str) -> Element:
    return etree.SubElement(parent, f"{{{namespace}}}{name}")


def _text(parent: Element, namespace: str, name: str, text: str) -> Element:
    element = _add(parent, namespace, name)
    element.text = text
    return element


def _document(root: Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
