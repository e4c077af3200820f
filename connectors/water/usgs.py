"""The water data of the US Geological Survey: what do its records say? OGC API, and the words it shares with NWIS.

`/collections/latest-continuous/items` and `continuous/items`: GeoJSON features whose values are strings. The id of a
feature is not stable, so a reading is known by location, parameter and time. Two series of one parameter at one place
(two sensors) differ in time_series_id alone: `options.series = {"<time_series_id>" = "<station>"}` keeps them apart.
A level above another datum than the gage's own is another station: `USGS-01646500/63160`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import Misfit, array, decode_items
from connectors.water.readings import FACTORS, observed_at, reading_of, scaled, words
from connectors.words import ident
from schemas.water import Element, SourceQuality

INSTANTANEOUS = "00011"
# parameter code -> our element, and the unit where a document does not say it
PARAMETERS: dict[str, tuple[Element, str]] = {
    "00065": ("level_m", "ft"),
    "62614": ("level_m", "ft"),  # lake, above NGVD 1929
    "62615": ("level_m", "ft"),  # lake, above NAVD 1988
    "62620": ("level_m", "ft"),  # estuary
    "63160": ("level_m", "ft"),  # stream, above NAVD 1988
    "00060": ("flow_m3s", "ft^3/s"),
    "00055": ("velocity_ms", "ft/s"),
    "72255": ("velocity_ms", "ft/s"),
    "00010": ("temperature_c", "degC"),
}
_USUAL = frozenset(("00065", "00060", "00055", "00010"))  # others of the same quantity stand behind the station's name
_UNITS: dict[str, tuple[str, ...]] = {
    "level_m": ("ft", "m"),
    "flow_m3s": ("ft^3/s", "ft3/s", "m3/s"),
    "velocity_ms": ("ft/s", "ft/sec", "m/s"),
    "temperature_c": ("degC", "deg C"),
}
_GOOD = frozenset(("A", "Approved"))
_OPEN = frozenset(("P", "Provisional"))
_ESTIMATED = frozenset(("e", "ESTIMATED"))
NO_DATA = Decimal(-999999)


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone, make=reading_of)


def _items(document: Any) -> list[Any | Misfit]:
    return [
        feature
        if isinstance(feature, dict) and isinstance(feature.get("properties"), dict)
        else Misfit({"features": [feature]}, "no properties")
        for feature in array(document, "features")
    ]


def _fields(feature: dict[str, Any], source: SourceContext) -> dict[str, Any]:
    record = feature["properties"]
    if record.get("statistic_id") not in (None, INSTANTANEOUS):
        raise Unreadable("bad_statistic", f"statistic {shown(record['statistic_id'])} is no reading of one moment")
    code = ident(record.get("parameter_code"), "parameter_code")
    station = ident(record.get("monitoring_location_id"), "monitoring_location_id")
    named = source.options.get("series", {})
    series = record.get("time_series_id")
    is_named = isinstance(named, dict) and isinstance(series, str) and isinstance(named.get(series), str)
    station = named[series] if is_named else station_of(station, code)
    said = [record.get("approval_status"), *_list(record.get("qualifier"))]
    return {
        "observed_at": observed_at(record.get("time"), source),
        **measured(station, code, record.get("unit_of_measure"), record.get("value"), said),
    }


def station_of(location: str, code: str) -> str:
    """Two parameters of one quantity (a stage and an elevation above a datum) must not be one series."""
    return location if code in _USUAL or code not in PARAMETERS else f"{location}/{code}"


def measured(
    station: str, code: str, unit: Any, value: Any, said: Sequence[Any], no_data: Decimal = NO_DATA
) -> dict[str, Any]:
    """Station, element, value, quality and flags of one value of a parameter, whichever service it comes from.

    Raises Unreadable bad_unit, bad_number.
    """
    known = PARAMETERS.get(code)
    raw = scaled(value, "value")
    is_missing = raw is None or Decimal(repr(raw)) == no_data
    quality, flags = judged(said)
    if known is None:
        number = None if is_missing else raw
        return {
            "station": station,
            "element": "other",
            "code": code,
            "value": number,
            "quality": "missing" if is_missing else quality,
            "flags": flags,
        }
    element, usual_unit = known
    unit = usual_unit if unit is None else unit
    if unit not in _UNITS[element]:
        raise Unreadable("bad_unit", f"{shown(unit)} is no unit of {element}")
    return {
        "station": station,
        "element": element,
        "value": None if is_missing else scaled(value, "value", FACTORS[unit]),
        "quality": "missing" if is_missing else quality,
        "flags": flags,
    }


def judged(said: Sequence[Any]) -> tuple[SourceQuality, tuple[str, ...]]:
    """What approvals and qualifiers say: approved is good, provisional is unknown, any other word makes it suspect."""
    quality: SourceQuality = "unknown"
    flags: list[str] = []
    for word in said:
        if word is None or word == "":
            continue
        if not isinstance(word, str) or len(word) > 20 or not word.isprintable() or "," in word:
            raise Unreadable("bad_quality", f"{shown(word)} is no qualifier")
        if word in _GOOD:
            quality = "good" if quality == "unknown" else quality
        elif word in _OPEN:
            flags.append("provisional")
        elif word in _ESTIMATED:
            flags.append("estimated")
        else:
            quality = "suspect"
            flags.append(word.lower())
    return quality, words(*flags)[:3]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _alone(feature: dict[str, Any]) -> Any:
    return {"features": [{"properties": feature["properties"]}]}
