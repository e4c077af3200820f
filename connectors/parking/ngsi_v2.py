"""Entities of an NGSI-v2 broker (OffStreetParking; Heidelberg): what do they say, as {type, value} or plain values?

One stamp for almost all lots (Q8: basis feed). "Stoerung" comes with 0 free: a fault, not full (Q11). A lot of 1 space
with -8 free is passed on as it is (Q2, Q16). Some have only occupied: free stays null.
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident, status

_STATES = {
    "offen": "open",
    "open": "open",
    "geschlossen": "closed",
    "closed": "closed",
    "besetzt": "full",
    "full": "full",
    "almostfull": "almost_full",
    "stoerung": "fault",
    "störung": "fault",
}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and "id" in document:
        return [document]
    raise Unreadable("bad_document", f"neither entities nor an entity: {shown(document)}")


def _fields(item: Any, source: SourceContext) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Unreadable("bad_item", f"an entity is {shown(item)}, not an object")
    at, basis, flags = observed(_value(item, "observationDateTime"), source, basis="feed")
    state, noticed = status(_value(item, "status"), _STATES, source)
    return {
        "ref": ident(item.get("id"), "id"),
        "mode": "closed" if state == "closed" else "count",
        "free": whole(_value(item, "availableSpotNumber"), "availableSpotNumber"),
        "occupied": whole(_value(item, "occupiedSpotNumber"), "occupiedSpotNumber"),
        "capacity": whole(_value(item, "totalSpotNumber"), "totalSpotNumber"),
        "observed_at": at,
        "time_basis": basis,
        "source_status": state,
        "flags": (*flags, *noticed),
    }


def _value(entity: dict[str, Any], name: str) -> Any:
    attribute = entity.get(name)
    return attribute.get("value") if isinstance(attribute, dict) else attribute


def _alone(item: Any) -> Any:
    return [item]
