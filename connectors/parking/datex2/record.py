"""What does one parkingRecordStatus say? The v2.3 ParkingRecord dialect and v3, which differ in namespaces only.

Status of single spaces (parkingSpaceStatus) is no count of a pool and is left out; the row says so with the flag
`single_spaces`.
"""

from __future__ import annotations

from functools import partial

import msgspec

from connectors.decoding import SourceContext, Unreadable, reject
from connectors.parking.datex2.document import Element, as_text, child, member_as_text, members, reference, text, texts
from connectors.parking.datex2.figures import Figures, observed, status_of
from connectors.parking.datex2.pools import group_pool, total_pool
from schemas.parking import Observation
from schemas.source import Reject


def observations(record: Element, source: SourceContext, payload_ref: str) -> list[Observation | Reject]:
    """One for the site and one for each of its groups; a site that only has groups has no total of its own."""
    try:
        ref = reference(record, "parkingRecordReference", source)
    except Unreadable as error:
        return [reject(source, as_text(record), error.reason, error.detail)]
    site = _figures(record, texts(record, "parkingSiteStatus") + texts(record, "parkingSiteOpeningStatus"))
    groups = members(record, "groupOfParkingSpacesStatus", "groupIndex")
    found: list[Observation | Reject] = []
    if not groups or not site.are_empty:
        pool = total_pool("site", source, ref)
        total = observed(site, source, partial(as_text, record), ref=ref, pool=pool, payload_ref=payload_ref)
        if isinstance(total, Observation) and child(record, "parkingSpaceStatus") is not None:
            total = msgspec.structs.replace(total, flags=(*total.flags, "single_spaces"))
        found.append(total)
    inherited = ("closed",) if status_of(site.words, source)[0] == "closed" else ()
    for index, group in groups:
        figures = _figures(group, inherited + texts(group, "parkingSiteStatus"))
        if figures.time is None:
            figures = msgspec.structs.replace(figures, time=site.time)
        raw = partial(member_as_text, record, "parkingRecordReference", group)
        try:
            pool = group_pool(ref, index, source)
        except Unreadable as error:
            found.append(reject(source, raw(), error.reason, error.detail))
            continue
        found.append(observed(figures, source, raw, ref=ref, pool=pool, payload_ref=payload_ref))
    return found


def _figures(element: Element, words: tuple[str, ...]) -> Figures:
    occupancy = child(element, "parkingOccupancy")
    return Figures(
        free=text(occupancy, "parkingNumberOfVacantSpaces"),
        occupied=text(occupancy, "parkingNumberOfOccupiedSpaces"),
        capacity=text(occupancy, "parkingNumberOfSpacesOverride"),
        vehicles=text(occupancy, "parkingNumberOfVehicles"),
        percent=text(occupancy, "parkingOccupancy"),
        graded=text(occupancy, "parkingNumberOfVacantSpacesGraded")
        or text(element, "parkingNumberOfVacantSpacesGraded"),
        time=text(element, "parkingStatusOriginTime"),
        words=words,
    )
