"""Singapore's HDB car parks (data.gov.sg carpark-availability): what does one minute of them say?

Numbers are strings (Q1), lot times have no zone (Q19: the source's zone), one park stands several times (Q23: all
are passed on, the newest wins in the fold), capacity 0 and free > capacity occur (Q16, Q3: kept, judged later).
The feed's own `timestamp` can be newer than any of its lots: it is not used.
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.items import Misfit, array, clipped, decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident, pool

_POOLS = {"C": "public", "Y": "motorcycle", "H": "hgv"}

_Item = tuple[dict[str, Any], Any]  # a park, one of its carpark_info[]


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[_Item | Misfit]:
    found: list[_Item | Misfit] = []
    for snapshot in array(document, "items"):
        try:
            parks = array(snapshot, "carpark_data")
        except Unreadable as error:
            found.append(Misfit({"items": [snapshot]}, error.detail))
            continue
        for park in parks:
            infos = park.get("carpark_info") if isinstance(park, dict) else None
            if isinstance(infos, list) and infos:
                found += [(park, info) for info in infos]
            else:
                found.append(Misfit({"items": [{"carpark_data": [park]}]}, "no carpark_info[]"))
    return found


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    park, info = item
    if not isinstance(info, dict):
        raise Unreadable("bad_item", "carpark_info[] holds no object")
    at, basis, flags = observed(park.get("update_datetime"), source)
    return {
        "ref": ident(park.get("carpark_number"), "carpark_number"),
        "pool": pool(info.get("lot_type"), _POOLS, source),
        "free": whole(info.get("lots_available"), "lots_available"),
        "capacity": whole(info.get("total_lots"), "total_lots"),
        "observed_at": at,
        "time_basis": basis,
        "flags": flags,
    }


def _alone(item: _Item) -> Any:
    park, info = item
    lot = {name: clipped(park.get(name)) for name in ("carpark_number", "update_datetime")}
    return {"items": [{"carpark_data": [{**lot, "carpark_info": [info]}]}]}
