"""A DATEX II publication of this moment, as publishers write it: prefixes, groups, words, seven or nine digits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

_NAMES = {
    "free": "parkingNumberOfVacantSpaces",
    "occupied": "parkingNumberOfOccupiedSpaces",
    "spaces": "parkingNumberOfSpacesOverride",
    "percent": "parkingOccupancy",
    "graded": "parkingNumberOfVacantSpacesGraded",
}


def document(now: datetime, path: str) -> bytes:
    lately = now - timedelta(seconds=5)
    nanos = lately.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
    local = lately.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%dT%H:%M:%S.%f") + "1+08:00"
    groups = "".join(
        f'<p:groupOfParkingSpacesStatus groupIndex="{index}">{_occupancy(free="117")}</p:groupOfParkingSpacesStatus>'
        for index in range(1, 7)
    )
    records = (
        _record("D1", nanos, ("open", "spacesAvailable"), free="412", occupied="148", spaces="560"),
        _record("1035[P+R Nord]", local, (), free="215", occupied="98", spaces="313", percent="31.3099041533546"),
        _record("D3", nanos, ("spacesAvailable", "closed"), free="180", occupied="0", spaces="180"),
        _record("D4", nanos, ("unknown", "open"), free="0", occupied="0", spaces="0"),
        _record("D5", nanos, ("spacesAvailable",), groups, free="702", occupied="0", percent="57.4"),
        _record("D6", nanos, (), percent="40.0"),
        _record("D7", nanos, ("full",), percent="270.0"),
        _record("D8", nanos, (), graded="lessThan10SpacesAvailable"),
        _record("D9", nanos, ("almostFull",)),
        _record("D10", "1970-01-01T00:00:00Z", ("spacesAvailable", "open"), free="0", occupied="0"),
        _record("D11", _plain(now - timedelta(days=13)), ("spacesAvailable", "open"), free="99", spaces="200"),
        _record("D12", _plain(now - timedelta(minutes=10)), ("spacesAvailable", "open"), free="44", spaces="200"),
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><p:d2LogicalModel xmlns:p="http://datex2.eu/schema/2/2_0"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><p:payloadPublication xsi:type="p:GenericPublication">'
        f"<p:publicationTime>{nanos}</p:publicationTime><p:genericPublicationExtension><p:parkingStatusPublication>"
        f"{''.join(records)}</p:parkingStatusPublication></p:genericPublicationExtension></p:payloadPublication>"
        "</p:d2LogicalModel>"
    ).encode()


def _record(ref: str, at: str, words: tuple[str, ...], groups: str = "", **numbers: str) -> str:
    told = "".join(f"<p:parkingSiteStatus>{word}</p:parkingSiteStatus>" for word in words)
    return (
        f'<p:parkingRecordStatus><p:parkingRecordReference id="{ref}" version="1"/>'
        f"<p:parkingStatusOriginTime>{at}</p:parkingStatusOriginTime>{_occupancy(**numbers)}{groups}{told}"
        "</p:parkingRecordStatus>"
    )


def _occupancy(**numbers: str) -> str:
    told = "".join(f"<p:{_NAMES[name]}>{number}</p:{_NAMES[name]}>" for name, number in numbers.items())
    return f"<p:parkingOccupancy>{told}</p:parkingOccupancy>" if told else ""


def _plain(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
