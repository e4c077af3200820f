"""A city of ParkAPI version 1 (ParkenDD): what do its lots say?

`last_updated` is one stamp for all lots (Q8), in UTC without a zone (Q19). Where the state is `nodata`, `free` is
missing or 0 and the 0 is no reading: it is null. `total` never moves.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.items import array, clipped, decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident, status

_STATES = {"open": "open", "closed": "closed", "nodata": "unknown", "unknown": "unknown", "full": "full"}

_Item = tuple[Any, Any]  # the city's stamp, a lot


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[_Item]:
    return [(document.get("last_updated"), lot) for lot in array(document, "lots")]


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    stamp, lot = item
    if not isinstance(lot, dict):
        raise Unreadable("bad_item", "lots[] holds no object")
    at, basis, flags = observed(stamp, source, basis="feed", zone=UTC)
    state, noticed = status(lot.get("state"), _STATES, source)
    free = whole(lot.get("free"), "free")
    if lot.get("state") == "nodata":
        free, noticed = None, (*noticed, "no_data")
    return {
        "ref": ident(lot.get("id"), "id"),
        "mode": "closed" if state == "closed" else "count",
        "free": free,
        "capacity": whole(lot.get("total"), "total"),
        "observed_at": at,
        "time_basis": basis,
        "source_status": state,
        "flags": (*flags, *noticed),
    }


def _alone(item: _Item) -> Any:
    stamp, lot = item
    return {"last_updated": clipped(stamp), "lots": [lot]}
