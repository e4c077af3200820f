"""ParkAPI version 3 (parking-sites): what do its sites say, and their pools for the disabled, women, trucks?

Realtime fields that are missing are null, never the static number of the same name; only the capacity falls back
(Q3: a live capacity above the static one is right). A site that is restricted to somebody is that pool, not the public
one. CLOSED wins over its hundreds of free spaces, which are kept (Q10).
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import array, clipped, decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident, pool, status

_STATES = {"open": "open", "closed": "closed", "unknown": "unknown"}
_PURPOSES = {"CAR": "public", "BIKE": "bicycle"}
_AUDIENCES = {
    "DISABLED": "disabled",
    "WOMEN": "women_family",
    "FAMILY": "family",  # not one pool with WOMEN: a site gives both numbers
    "CHARGING": "ev",
    "TRUCK": "hgv",
    "BUS": "coach",
}
_SPECIAL = {"disabled": "DISABLED", "woman": "WOMEN", "family": "FAMILY", "charging": "CHARGING"} | {
    word: word.upper() for word in ("carsharing", "truck", "bus")
}
_OWN = ("source_id", "original_uid", "realtime_data_updated_at", "realtime_opening_status", "purpose", "restrictions")

_Item = tuple[Any, str]  # a site, and the suffix of a special pool or ""


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[_Item]:
    found: list[_Item] = []
    for site in array(document, "items"):
        names = site if isinstance(site, dict) else {}
        special = [
            word
            for word in _SPECIAL
            if any(names.get(f"{name}_{word}") is not None for name in ("realtime_free_capacity", "realtime_capacity"))
        ]
        if not special or any(name in names for name in ("realtime_free_capacity", "realtime_capacity", "capacity")):
            found.append((site, ""))
        found += [(site, word) for word in special]
    return found


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    site, special = item
    if not isinstance(site, dict):
        raise Unreadable("bad_item", "items[] holds no object")
    suffix = f"_{special}" if special else ""
    state, noticed = status(site.get("realtime_opening_status"), _STATES, source)
    at, basis, flags = observed(site.get("realtime_data_updated_at"), source)
    live = whole(site.get(f"realtime_capacity{suffix}"), f"realtime_capacity{suffix}")
    built = whole(site.get(f"capacity{suffix}"), f"capacity{suffix}")
    origin = ident(site.get("source_id"), "source_id")
    return {
        "ref": f"{origin}:{ident(site.get('original_uid'), 'original_uid')}",
        "pool": pool(_SPECIAL[special], _AUDIENCES, source) if special else _pool(site, source),
        "mode": "closed" if state == "closed" else "count",
        "free": whole(site.get(f"realtime_free_capacity{suffix}"), f"realtime_free_capacity{suffix}"),
        "capacity": built if live is None else live,
        "observed_at": at,
        "time_basis": basis,
        "source_status": state,
        "flags": (*flags, *noticed),
    }


def _pool(site: dict[str, Any], source: SourceContext) -> str:
    """Whom the whole site is for: its purpose, or those it is restricted to. No purpose is CAR, as in the API."""
    purpose = site.get("purpose")
    purpose = "public" if purpose is None else pool(purpose, _PURPOSES, source)
    restrictions = site.get("restrictions")
    restrictions = [] if restrictions is None else restrictions
    if not isinstance(restrictions, list) or not all(isinstance(one, dict) for one in restrictions):
        raise Unreadable("bad_item", f"restrictions is {shown(restrictions)}, not an array of objects")
    types = [one["type"] for one in restrictions if one.get("type") is not None]  # without: a longest stay for all
    audience = dict.fromkeys(pool(one, _AUDIENCES, source) for one in types)
    return "_".join(audience if audience and purpose == "public" else [purpose, *audience])


def _alone(item: _Item) -> Any:
    site, special = item
    if not isinstance(site, dict):
        return {"items": [site]}
    suffix = f"_{special}" if special else ""
    numbers = [f"{name}{suffix}" for name in ("realtime_free_capacity", "realtime_capacity", "capacity")]
    own = {name: clipped(site[name]) for name in _OWN if name in site and name != "restrictions"}
    if not special and "restrictions" in site:
        own["restrictions"] = site["restrictions"]
    return {"items": [own | {name: site[name] for name in numbers if name in site}]}
