"""Karlsruhe's region (GeoServer, GeoJSON): what do its car parks say?

`Störung` comes with a count that looks alive (Q12): a fault, the count is kept. `Geschlossen` comes with free spaces
(Q10): closed wins. Lots without a sensor have neither count nor status nor time: all null. The stamp is one for each
supplier (Q8: basis feed).
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.items import array, decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident, status, strictest

_STATES = {"ok": "open", "störung": "fault", "stoerung": "fault", "geschlossen": "closed"}
_CLOSED = {"t": "closed", "true": "closed", "f": "", "false": ""}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[Any]:
    return array(document, "features")


def _fields(item: Any, source: SourceContext) -> dict[str, Any]:
    lot = item.get("properties") if isinstance(item, dict) else None
    if not isinstance(lot, dict):
        raise Unreadable("bad_item", "a feature has no properties")
    at, basis, flags = observed(lot.get("stand_freieparkplaetze"), source, basis="feed")
    state, doubt = status(lot.get("echtzeit_status"), _STATES, source)
    closed, other_doubt = status(lot.get("geschlossen"), _CLOSED, source)
    told = strictest(state, closed)
    return {
        "ref": ident(lot.get("id"), "id"),
        "mode": "closed" if told == "closed" else "count",
        "free": whole(lot.get("freie_parkplaetze"), "freie_parkplaetze"),
        "capacity": whole(lot.get("gesamte_parkplaetze"), "gesamte_parkplaetze"),
        "observed_at": at,
        "time_basis": basis,
        "source_status": told,
        "flags": (*flags, *(doubt or other_doubt)),
    }


def _alone(item: Any) -> Any:
    return {"features": [item]}
