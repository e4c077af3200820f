"""Hong Kong's one-stop API (carpark-info-vacancy?data=vacancy): what does each array of each park say?

`vacancy_type` says what the number is (Q9): A a count, B a flag (0 full, 1 has space), C closed. -1 is no data (Q7),
however fresh its stamp. `vacancyEV`, `vacancyDIS`, `vacancyUNL` are pools of their own.
Each item is the lot, the name of a vehicle's array, one entry of it, and one of the entry's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import Misfit, array, clipped, decode_items
from connectors.numbers import whole
from connectors.times import observed
from connectors.words import ident, pool

_VEHICLES = {
    "privateCar": "public",
    "motorCycle": "motorcycle",
    "LGV": "lgv",
    "HGV": "hgv",
    "CV": "container",
    "coach": "coach",
}
_NUMBERS = {"vacancy": "", "vacancyEV": "ev", "vacancyDIS": "disabled", "vacancyUNL": "unloading"}
_PRODUCTS = {"MONTHLY": "contract"}  # HOURLY is the ordinary one and has no name

_Item = tuple[dict[str, Any], str, Any, str]


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[_Item | Misfit]:
    found: list[_Item | Misfit] = []
    for park in array(document, "results"):
        items = _of_park(park) if isinstance(park, dict) else []
        found += items or [Misfit({"results": [park]}, "no array of a kind of vehicle")]
    return found


def _of_park(park: dict[str, Any]) -> list[_Item | Misfit]:
    items: list[_Item | Misfit] = []
    for vehicle, entries in park.items():
        if isinstance(entries, list):
            for entry in entries:
                numbers = [name for name in _NUMBERS if isinstance(entry, dict) and name in entry]
                items += [(park, vehicle, entry, number) for number in numbers or ["vacancy"]]
        elif vehicle in _VEHICLES and entries is not None:
            items.append(Misfit(_lot(park, vehicle, entries), f"{vehicle} is {shown(entries)}, not an array"))
    return items


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    park, vehicle, entry, number = item
    if not isinstance(entry, dict):
        raise Unreadable("bad_item", f"{vehicle[:80]}[] holds no object")
    at, basis, flags = observed(entry.get("lastupdate"), source)
    told, noticed = vacancy(entry.get("vacancy_type"), entry.get(number), number)
    return {
        "ref": ident(park.get("park_Id"), "park_Id"),
        "pool": pool_of(vehicle, entry.get("category"), _VEHICLES, source, _NUMBERS[number]),
        "observed_at": at,
        "time_basis": basis,
        "flags": (*flags, *noticed),
        **told,
    }


def vacancy(kind: Any, value: Any, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """mode, free and source_status of a vacancy of type A, B or C, and flags. Both of Hong Kong's feeds have it."""
    number = whole(value, name)
    if kind == "C":
        return {"mode": "closed", "free": number, "source_status": "closed"}, ()
    if kind not in ("A", "B"):
        raise Unreadable("unknown_mode", f"vacancy_type is {shown(kind)}, none of A, B, C")
    mode = "count" if kind == "A" else "flag"
    if number == -1:
        return {"mode": mode, "source_status": "unknown"}, ("no_data",)
    if kind == "A":
        return {"free": number}, ()
    if number not in (None, 0, 1):
        raise Unreadable("bad_flag", f"{name} of type B is {number}, neither 0 nor 1")
    return {"mode": mode, "source_status": {None: "unknown", 0: "full", 1: "open"}[number]}, ()


def pool_of(vehicle: Any, category: Any, names: Mapping[str, str], source: SourceContext, special: str = "") -> str:
    """The pool of a vehicle's word, a category and a special use: `public`, `contract`, `ev`, `lgv_contract`.

    `source.pools` may name the vehicle's word, or word and category together ("P/MONTHLY").
    """
    kind = pool(vehicle, names, source)
    both = f"{vehicle}/{category}" if isinstance(category, str) else ""
    if both in source.pools:
        words = [source.pools[both], special]
    elif category is None or category == "" or category == "HOURLY":
        words = [kind, special]
    else:
        words = [kind, pool(category, _PRODUCTS, source), special]
    told = [word for word in words if word]
    return "_".join(told[1:] if told[0] == "public" and len(told) > 1 else told)


def _lot(park: dict[str, Any], vehicle: str, entries: Any) -> Any:
    return {"results": [{"park_Id": clipped(park.get("park_Id")), vehicle: entries}]}


def _alone(item: _Item) -> Any:
    park, vehicle, entry, number = item
    if isinstance(entry, dict):
        entry = {
            name: clipped(value) if name != number else value
            for name, value in entry.items()
            if name == number or name not in _NUMBERS
        }
    return _lot(park, clipped(vehicle), [entry])
