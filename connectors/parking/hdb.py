"""Singapore's HDB car parks (data.gov.sg carpark-availability): what does one minute of them say?

Numbers are strings (Q1), lot times have no zone (Q19: the source's zone), one park stands several times (Q23: all
are passed on, the newest wins in the fold), capacity 0 and free > capacity occur (Q16, Q3: kept, judged later).
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document, observation, raw_ref, reject
from connectors.numbers import whole
from connectors.times import checked, instant
from schemas.batch import Row
from schemas.source import Reject

_POOLS = {"C": "public", "Y": "motorcycle", "H": "hgv", "L": "hgv"}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    rows: list[Row] = []
    rejects: list[Reject] = []
    try:
        document = json_document(payload)
        parks = [park for item in document["items"] for park in item["carpark_data"]]
    except Unreadable as error:
        return Decoded(rows=[], rejects=[reject(source, payload, error.reason, error.detail)])
    except (KeyError, TypeError) as error:
        return Decoded(
            rows=[], rejects=[reject(source, payload, "bad_document", f"no items[].carpark_data: {error!r}")]
        )
    ref = raw_ref(payload)
    for park in parks:
        infos = park.get("carpark_info") if isinstance(park, dict) else None
        if not isinstance(infos, list) or not infos:
            rejects.append(reject(source, park, "bad_item", "no carpark_info[]"))
            continue
        for info in infos:
            made = _pool(park, info, source, ref)
            rejects.append(made) if isinstance(made, Reject) else rows.append(made)
    return Decoded(rows=rows, rejects=rejects)


def _pool(park: dict[str, Any], info: Any, source: SourceContext, ref: str) -> Row | Reject:
    raw = {**park, "carpark_info": [info]}
    try:
        if not isinstance(info, dict):
            raise Unreadable("bad_item", "carpark_info[] holds no object")
        lot_type = str(info.get("lot_type") or "")
        at, flags = checked(instant(park.get("update_datetime"), "iso", source.zone), source)
        return observation(
            source,
            raw,
            ref=park.get("carpark_number"),
            pool=source.pools.get(lot_type) or _POOLS.get(lot_type) or lot_type.lower(),
            free=whole(info.get("lots_available"), "lots_available"),
            capacity=whole(info.get("total_lots"), "total_lots"),
            observed_at=at,
            time_basis=source.time_basis or "lot",
            flags=flags,
            raw_ref=ref,
        )
    except Unreadable as error:
        return reject(source, raw, error.reason, error.detail)
