"""What does one parkingFacilityStatus say? The v2.3 ParkingFacility dialect, with areas (sums over facilities).

The element of the record and of its two status words have the same name; so have a group and what is in it. An area
repeats what its facilities count: it gets the pool `area_total`, so that no sum takes it for a car park.
"""

from __future__ import annotations

from functools import partial

from connectors.decoding import SourceContext, Unreadable, reject
from connectors.parking.datex2.document import Element, as_text, member_as_text, members, reference, text, texts
from connectors.parking.datex2.figures import Figures, observed, status_of
from connectors.parking.datex2.pools import group_pool, total_pool
from schemas.parking import Observation
from schemas.source import Reject


def observations(record: Element, source: SourceContext, payload_ref: str) -> list[Observation | Reject]:
    try:
        ref = reference(record, "parkingFacilityReference", source)
    except Unreadable as error:
        return [reject(source, as_text(record), error.reason, error.detail)]
    site = Figures(
        free=text(record, "totalNumberOfVacantParkingSpaces"),
        occupied=text(record, "totalNumberOfOccupiedParkingSpaces"),
        capacity=text(record, "totalParkingCapacityOverride"),
        percent=text(record, "parkingFacilityOccupancy"),
        time=text(record, "parkingFacilityStatusTime"),
        words=texts(record, "parkingFacilityStatus"),
    )
    groups = members(record, "assignedParkingSpacesStatus", "index")
    found: list[Observation | Reject] = []
    if not groups or not site.are_empty:
        pool = total_pool("site", source, ref)
        found.append(observed(site, source, partial(as_text, record), ref=ref, pool=pool, payload_ref=payload_ref))
    inherited = ("closed",) if status_of(site.words, source)[0] == "closed" else ()
    for index, group in groups:
        figures = Figures(
            free=text(group, "numberOfVacantAssignedParkingSpaces"),
            occupied=text(group, "numberOfOccupiedAssignedParkingSpaces"),
            time=site.time,
            words=inherited,
        )
        raw = partial(member_as_text, record, "parkingFacilityReference", group)
        try:
            pool = group_pool(ref, index, source)
        except Unreadable as error:
            found.append(reject(source, raw(), error.reason, error.detail))
            continue
        found.append(observed(figures, source, raw, ref=ref, pool=pool, payload_ref=payload_ref))
    return found


def area_observations(record: Element, source: SourceContext, payload_ref: str) -> list[Observation | Reject]:
    try:
        ref = reference(record, "parkingAreaReference", source)
    except Unreadable as error:
        return [reject(source, as_text(record), error.reason, error.detail)]
    figures = Figures(
        free=text(record, "parkingAreaTotalNumberOfVacantParkingSpaces"),
        capacity=text(record, "parkingAreaTotalParkingCapacityOverride"),
        percent=text(record, "parkingAreaOccupancy"),
        time=text(record, "parkingAreaStatusTime"),
        words=texts(record, "parkingAreaStatus"),
    )
    pool = total_pool("area", source, ref)
    return [observed(figures, source, partial(as_text, record), ref=ref, pool=pool, payload_ref=payload_ref)]
