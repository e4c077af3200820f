"""A car park of the Dutch NPR (SPDP 2.0): what does its dynamic document say? One lot a payload, or an array of them.

`lastUpdated` is in unix seconds (Q20). Where there is no count, `full` is a flag (Q9).
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident

_DYNAMIC = "parkingFacilityDynamicInformation"


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and _DYNAMIC in document:
        return [document]
    raise Unreadable("bad_document", f"no {_DYNAMIC} in {shown(document)}")


def _fields(item: Any, source: SourceContext) -> dict[str, Any]:
    lot = item.get(_DYNAMIC) if isinstance(item, dict) else None
    actual = lot.get("facilityActualStatus") if isinstance(lot, dict) else None
    if not isinstance(lot, dict) or not isinstance(actual, dict):
        raise Unreadable("bad_item", f"no {_DYNAMIC}.facilityActualStatus")
    at, basis, flags = observed(actual.get("lastUpdated"), source, form="unix_s")
    free = whole(actual.get("vacantSpaces"), "vacantSpaces")
    state, noticed = _state(actual)
    mode = "flag" if free is None and state in ("open", "full") and actual.get("full") is not None else "count"
    return {
        "ref": ident(lot.get("identifier"), "identifier"),
        "mode": "closed" if state == "closed" else mode,
        "free": free,
        "capacity": whole(actual.get("parkingCapacity"), "parkingCapacity"),
        "observed_at": at,
        "time_basis": basis,
        "source_status": state,
        "flags": (*flags, *noticed),
    }


def _state(actual: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    is_open, is_full = actual.get("open"), actual.get("full")
    if is_open is False:
        return "closed", ()
    if not isinstance(is_open, (bool, type(None))) or not isinstance(is_full, (bool, type(None))):
        return "unknown", ("unknown_status",)
    if is_full:
        return "full", ()
    return ("open" if is_open or is_full is False else None), ()


def _alone(item: Any) -> Any:
    return [item]
