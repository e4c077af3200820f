"""Hong Kong's flat file (td/carpark/vacancy_all.json): what does each service of each kind of vehicle say?

The file starts with a byte order mark (Q21). Vacancies are as in the API: A count, B flag, C closed, -1 no data.
Its `park_id` is not the API's `park_Id`. Letters that the letterhead does not explain (B, T, N, O) stay letters.
"""

from __future__ import annotations

from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.items import Misfit, array, clipped, decode_items
from connectors.parking.hongkong import pool_of, vacancy
from connectors.times import observed
from connectors.words import ident

_VEHICLES = {"P": "public", "P_D": "disabled", "M": "motorcycle", "L": "lgv", "H": "hgv", "C": "coach"}

_Item = tuple[dict[str, Any], dict[str, Any], Any]  # a park, a vehicle_type[], one of its service_category[]


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[_Item | Misfit]:
    found: list[_Item | Misfit] = []
    for park in array(document, "car_park"):
        kinds = park.get("vehicle_type") if isinstance(park, dict) else None
        if not isinstance(kinds, list) or not kinds:
            found.append(Misfit({"car_park": [park]}, "no vehicle_type[]"))
            continue
        for kind in kinds:
            services = kind.get("service_category") if isinstance(kind, dict) else None
            if isinstance(services, list) and services:
                found += [(park, kind, service) for service in services]
            else:
                found.append(Misfit(_lot(park, kind), "no service_category[]"))
    return found


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    park, kind, service = item
    if not isinstance(service, dict):
        raise Unreadable("bad_item", "service_category[] holds no object")
    at, basis, flags = observed(service.get("lastupdate"), source)
    told, noticed = vacancy(service.get("vacancy_type"), service.get("vacancy"), "vacancy")
    return {
        "ref": ident(park.get("park_id"), "park_id"),
        "pool": pool_of(kind.get("type"), service.get("category"), _VEHICLES, source),
        "observed_at": at,
        "time_basis": basis,
        "flags": (*flags, *noticed),
        **told,
    }


def _lot(park: dict[str, Any], kind: Any) -> Any:
    return {"car_park": [{"park_id": clipped(park.get("park_id")), "vehicle_type": [kind]}]}


def _alone(item: _Item) -> Any:
    park, kind, service = item
    return _lot(park, {"type": clipped(kind.get("type")), "service_category": [service]})
