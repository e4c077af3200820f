"""How do the operators' DATEX II publications look? Readings in, XML out: v2.3 in two dialects, and v3."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import quoteattr

from demo.faults import PUBLISHED_BEFORE_S, Reading, reading
from demo.occupancy import time_of

_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_CHINA = timezone(timedelta(hours=8))


def records(readings: Sequence[Reading], minute: int) -> bytes:
    """The ParkingRecord dialect, prefix ns2, thresholds of 10 %, microseconds in UTC."""
    found = []
    for one in readings:
        if one.fault == "duplicate":
            found.append(_record(reading(one.lot, minute - 600)))
        found.append(_record(one))
    return _publication("ns2:", "parkingStatusPublication", "".join(found), minute)


def facilities(readings: Sequence[Reading], minute: int) -> bytes:
    """The ParkingFacility dialect, no prefix: two status words in either order, seven digits, local offset."""
    found = "".join(_facility(one) for one in readings)
    return _publication("", "parkingFacilityTableStatusPublication", found, minute)


def version_3(readings: Sequence[Reading], minute: int) -> bytes:
    """v3 with nanoseconds and two groups that lie inside the site's total: the shared spaces, and the others."""
    body = "".join(_status_3(one) for one in readings)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" xmlns:com="http://datex2.eu/schema/3/common"'
        f' xmlns:prk="http://datex2.eu/schema/3/parking" {_XSI} lang="zh" modelBaseVersion="3"'
        ' xsi:type="prk:ParkingStatusPublication">'
        f"<com:publicationTime>{_nanos(_published(minute))}</com:publicationTime>{body}</d2:payload>"
    ).encode()


def _record(one: Reading) -> str:
    numbers = ""
    if one.free is not None and one.occupied is not None:
        numbers = (
            f"<ns2:parkingNumberOfVacantSpaces>{one.free}</ns2:parkingNumberOfVacantSpaces>"
            f"<ns2:parkingNumberOfOccupiedSpaces>{one.occupied}</ns2:parkingNumberOfOccupiedSpaces>"
        )
    group = (
        '<ns2:groupOfParkingSpacesStatus groupIndex="1"><ns2:parkingOccupancy>'
        f"<ns2:parkingNumberOfSpacesOverride>{one.lot.shared}</ns2:parkingNumberOfSpacesOverride>"
        f"<ns2:parkingNumberOfVacantSpaces>{one.shared}</ns2:parkingNumberOfVacantSpaces>"
        "</ns2:parkingOccupancy></ns2:groupOfParkingSpacesStatus>"
    )
    enter = one.capacity // 10
    at = one.observed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    opening = "closed" if one.is_closed else "open"
    return (
        '<ns2:parkingRecordStatus xsi:type="ns2:ParkingSiteStatus">'
        f'<ns2:parkingRecordReference id={quoteattr(one.lot.ref)} targetClass="ParkingRecord" version="1"/>'
        f"<ns2:parkingStatusOriginTime>{at}</ns2:parkingStatusOriginTime><ns2:parkingOccupancy>"
        f"<ns2:parkingNumberOfSpacesOverride>{one.capacity}</ns2:parkingNumberOfSpacesOverride>{numbers}"
        f"</ns2:parkingOccupancy>{group}<ns2:overrideParkingThresholds>"
        f"<ns2:almostFullDecreasing>{enter + 1}</ns2:almostFullDecreasing>"
        f"<ns2:almostFullIncreasing>{enter}</ns2:almostFullIncreasing>"
        "<ns2:fullDecreasing>1</ns2:fullDecreasing><ns2:fullIncreasing>0</ns2:fullIncreasing>"
        f"</ns2:overrideParkingThresholds><ns2:parkingSiteStatus>{_word(one)}</ns2:parkingSiteStatus>"
        f"<ns2:parkingSiteOpeningStatus>{opening}</ns2:parkingSiteOpeningStatus></ns2:parkingRecordStatus>"
    )


def _facility(one: Reading) -> str:
    words = [_word(one), "closed" if one.is_closed else "open"]
    if one.fault == "fault":
        words = ["carParkFacilityFaulty", "open"]
    elif one.lot.number % 2:
        words.reverse()
    told = "".join(f"<parkingFacilityStatus>{word}</parkingFacilityStatus>" for word in words)
    at = one.observed_at.astimezone(_CHINA).strftime("%Y-%m-%dT%H:%M:%S.0000000+08:00")
    free, occupied = (0, 0) if one.fault == "fault" else (one.free, one.occupied)
    shared = one.shared or 0
    return (
        f"<parkingFacilityStatus><parkingFacilityReference id={quoteattr(one.lot.ref)}"
        f' targetClass="ParkingFacility" version="1.0"/>{told}'
        f"<parkingFacilityStatusTime>{at}</parkingFacilityStatusTime>"
        f"<totalNumberOfOccupiedParkingSpaces>{occupied}</totalNumberOfOccupiedParkingSpaces>"
        f"<totalNumberOfVacantParkingSpaces>{free}</totalNumberOfVacantParkingSpaces>"
        '<assignedParkingSpacesStatus index="1"><assignedParkingSpacesStatus>'
        f"<numberOfOccupiedAssignedParkingSpaces>{one.lot.shared - shared}</numberOfOccupiedAssignedParkingSpaces>"
        f"<numberOfVacantAssignedParkingSpaces>{shared}</numberOfVacantAssignedParkingSpaces>"
        "</assignedParkingSpacesStatus></assignedParkingSpacesStatus></parkingFacilityStatus>"
    )


def _status_3(one: Reading) -> str:
    numbers = groups = ""
    if one.free is not None:
        numbers = f"<prk:parkingNumberOfVacantSpaces>{one.free}</prk:parkingNumberOfVacantSpaces>"
        shared = one.shared or 0
        groups = "".join(
            f'<prk:groupOfParkingSpacesStatus groupIndex="{index}"><prk:parkingOccupancy>'
            f"<prk:parkingNumberOfVacantSpaces>{free}</prk:parkingNumberOfVacantSpaces>"
            "</prk:parkingOccupancy></prk:groupOfParkingSpacesStatus>"
            for index, free in ((1, shared), (2, one.free - shared))
        )
    return (
        '<prk:parkingRecordStatus xsi:type="prk:UrbanParkingSiteStatus">'
        f'<prk:parkingRecordReference id={quoteattr(one.lot.ref)} targetClass="prk:ParkingRecord" version="1"/>'
        f"<prk:parkingStatusOriginTime>{_nanos(one.observed_at)}</prk:parkingStatusOriginTime><prk:parkingOccupancy>"
        f"<prk:parkingNumberOfSpacesOverride>{one.capacity}</prk:parkingNumberOfSpacesOverride>{numbers}"
        f"</prk:parkingOccupancy>{groups}<prk:parkingSiteStatus>{_word(one)}</prk:parkingSiteStatus>"
        "</prk:parkingRecordStatus>"
    )


def _publication(prefix: str, name: str, body: str, minute: int) -> bytes:
    """A generic publication of v2.3 around a parking one, as Mobilithek's publishers send it."""
    declared = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    at = _published(minute).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    p = prefix
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{p}d2LogicalModel {declared}="http://datex2.eu/schema/2/2_0"'
        f' {_XSI} modelBaseVersion="2"><{p}payloadPublication lang="zh" xsi:type="{p}GenericPublication">'
        f"<{p}publicationTime>{at}</{p}publicationTime><{p}genericPublicationExtension><{p}{name}>{body}"
        f"</{p}{name}></{p}genericPublicationExtension></{p}payloadPublication></{p}d2LogicalModel>"
    ).encode()


def _published(minute: int) -> datetime:
    return time_of(minute) - timedelta(seconds=PUBLISHED_BEFORE_S)


def _word(one: Reading) -> str:
    if one.free is None:
        return "unknown"
    if one.free <= 0:
        return "full"
    return "almostFull" if one.free <= one.capacity // 10 else "spacesAvailable"


def _nanos(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}123Z"
