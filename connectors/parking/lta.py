"""Singapore's LTA DataMall (CarParkAvailabilityv2): what does one page of it say?

There is no time and no capacity (Q18): observed_at is null, the basis ingest. Pages are not one snapshot.
`Location` ("lat lon", may be empty) belongs to the register.
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.items import array, decode_items
from connectors.numbers import whole
from connectors.words import ident, pool

_POOLS = {"C": "public", "Y": "motorcycle", "H": "hgv"}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[Any]:
    return array(document, "value")


def _fields(item: Any, source: SourceContext) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Unreadable("bad_item", "value[] holds no object")
    return {
        "ref": ident(item.get("CarParkID"), "CarParkID"),
        "pool": pool(item.get("LotType"), _POOLS, source),
        "free": whole(item.get("AvailableLots"), "AvailableLots"),
        "time_basis": "ingest",
    }


def _alone(item: Any) -> Any:
    return {"value": [item]}
