"""The older instantaneous values service of the US Geological Survey (NWIS IV): what does its WaterML-JSON say?

value.timeSeries[] is a site and a variable; its values[] has one list for each method (two sensors, or a moved one),
told apart by methodID where the method has a description. noDataValue says what number stands for none. Times carry
the local offset. The service is announced to end in May 2027.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.items import Misfit, array, clipped, decode_items
from connectors.water.readings import observed_at, reading_of, scaled
from connectors.water.usgs import NO_DATA, measured, station_of
from connectors.words import ident

_Item = tuple[dict[str, Any], dict[str, Any], Any]  # a series, one of its values[], one value of it


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone, make=reading_of)


def _items(document: Any) -> list[_Item | Misfit]:
    value = document.get("value") if isinstance(document, dict) else None
    found: list[_Item | Misfit] = []
    for series in array(value, "timeSeries"):
        try:
            lists = array(series, "values")
        except Unreadable as error:
            found.append(Misfit(_document(series), error.detail))
            continue
        if not lists:
            found.append(Misfit(_document(series), "values is empty"))
        for one in lists:
            try:
                found += [(series, one, value) for value in array(one, "value")]
            except Unreadable as error:
                found.append(Misfit(_document({**series, "values": [one]}), error.detail))
    return found


def _fields(item: _Item, source: SourceContext) -> dict[str, Any]:
    series, one, value = item
    if not isinstance(value, dict):
        raise Unreadable("bad_item", "value[] holds no object")
    variable = series.get("variable")
    if not isinstance(variable, dict):
        raise Unreadable("bad_item", "no variable")
    site = ident(_first(series.get("sourceInfo"), "siteCode").get("value"), "siteCode")
    code = ident(_first(variable, "variableCode").get("value"), "variableCode")
    method = _first(one, "method")
    if method.get("methodDescription") and method.get("methodID") is not None:
        site = f"{site}/{ident(method['methodID'], 'methodID')}"
    unit = variable.get("unit")
    said = value.get("qualifiers")
    no_data = scaled(variable.get("noDataValue"), "noDataValue")
    return {
        "observed_at": observed_at(value.get("dateTime"), source),
        **measured(
            station_of(site, code),
            code,
            unit.get("unitCode") if isinstance(unit, dict) else None,
            value.get("value"),
            said if isinstance(said, list) else [said],
            NO_DATA if no_data is None else Decimal(repr(no_data)),
        ),
    }


def _first(value: Any, name: str) -> dict[str, Any]:
    """The first object of an array under a name; empty where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, dict) else {}


def _document(series: Any) -> Any:
    return {"value": {"timeSeries": [series]}}


def _alone(item: _Item) -> Any:
    series, one, value = item
    kept = {name: _cut(series[name]) for name in ("sourceInfo", "variable") if name in series}
    return _document({**kept, "values": [{"method": _cut(one.get("method")), "value": [value]}]})


def _cut(value: Any) -> Any:
    """What each reject of a series repeats: only what is read of it, and cut."""
    if isinstance(value, dict):
        read = ("siteCode", "variableCode", "noDataValue", "unit", "unitCode", "value", "methodDescription", "methodID")
        return {name: _cut(value[name]) for name in read if name in value}
    if isinstance(value, list):
        return [_cut(one) for one in value[:1]]
    return clipped(value)
