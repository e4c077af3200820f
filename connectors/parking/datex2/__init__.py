"""What do car parks say in DATEX II? Status publications of v2.3, in both dialects, and of v3.

record.py     parkingRecordStatus (v2.3 ParkingRecord dialect and v3)
facility.py   parkingFacilityStatus and parkingAreaStatus (v2.3 ParkingFacility dialect)
figures.py    from numbers and status words to one observation
thresholds.py the spaces at which the source's own status changes, for the register

The site's total is the pool `public`; its groups, which lie inside it, are `group_<index>` (Q15: never sum both).
`pools` may rename one: by "<ref>/<index>", "<index>", or "site" and "area" for the totals. Time is each record's own
(Q5: never the publication's); a record without one has time_basis ingest. Option `ref_until = "["` cuts an id like
`1035[P+R Bondorf]` down to the one the static table knows; without it an id is kept whole.
"""

from __future__ import annotations

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref, reject
from connectors.parking.datex2 import facility, record
from connectors.parking.datex2.document import local_name, parsed
from connectors.parking.datex2.thresholds import Thresholds, thresholds
from schemas.batch import Row
from schemas.source import Reject

__all__ = ["Thresholds", "decode", "thresholds"]

_PUBLICATIONS = {"parkingStatusPublication", "parkingFacilityTableStatusPublication", "ParkingStatusPublication"}
_READERS = {
    "parkingRecordStatus": record.observations,
    "parkingFacilityStatus": facility.observations,
    "parkingAreaStatus": facility.area_observations,
}
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def decode(payload: bytes, source: SourceContext) -> Decoded:
    try:
        root = parsed(payload)
    except Unreadable as error:
        return Decoded(rows=[], rejects=[reject(source, payload, error.reason, error.detail)])
    ref = raw_ref(payload)
    rows: list[Row] = []
    rejects: list[Reject] = []
    is_publication = False
    for element in root.iter("{*}*"):
        name = local_name(element)
        is_publication = is_publication or name in _PUBLICATIONS or _xsi_type(element.get(_TYPE)) in _PUBLICATIONS
        parent = element.getparent()
        if name not in _READERS or (parent is not None and local_name(parent) == name):
            continue
        is_publication = True
        for made in _READERS[name](element, source, ref):
            rejects.append(made) if isinstance(made, Reject) else rows.append(made)
        if len(rows) + len(rejects) > source.rows_limit:
            detail = f"more than the {source.rows_limit} items that are allowed"
            return Decoded(rows=[], rejects=[reject(source, payload, "too_many_rows", detail)])
    if not is_publication:
        detail = f"<{local_name(root)}> holds no parking status publication"
        return Decoded(rows=[], rejects=[reject(source, payload, "bad_document", detail)])
    return Decoded(rows=rows, rejects=rejects)


def _xsi_type(value: str | None) -> str:
    return (value or "").rpartition(":")[2]
