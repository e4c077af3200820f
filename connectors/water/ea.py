"""The flood-monitoring API of the UK's Environment Agency: what do its readings say?

`/data/readings?latest` and the like: items[] of {dateTime, measure, value}; one item alone comes as an object. The
measure's name says all: `1029TH-level-stage-i-15_min-mASD` is station, quantity, qualifier, kind, interval, unit. A
station with several measures of one quantity keeps them apart: what is not usual stands behind its name (`1029TH/
downstage`). A value may be missing (a reading of its own), or an array where a time was said twice: equal values are
one, differing ones are nobody's to choose from.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, shown
from connectors.items import Misfit, decode_items
from connectors.water.readings import FACTORS, observed_at, reading_of, scaled
from schemas.water import Element

_MEASURE = re.compile(
    r"(?P<station>.{1,80}?)-(?P<parameter>[a-z_]{1,32})-(?P<qualifier>[^-/]{0,48})"
    r"-(?P<kind>[^-/]{1,16})-(?P<interval>[^-/]{1,16})-(?P<unit>[^-/]{1,16})"
)
_LEVELS = ("m", "mASD", "mAOD", "mBDAT", "mm", "cm")
_FLOWS = ("m3_s", "l_s")
_RAINS: dict[str, Element] = {"15_min": "rain_15min_mm", "1_h": "rain_1h_mm", "5_min": "rain_5min_mm"}
_USUAL = {
    "qualifier": ("", "stage", "logged", "tipping_bucket_raingauge", "water", "dry_bulb"),
    "kind": ("i", "t"),
    "interval": ("15_min",),
    "unit": ("mASD", "m", "m3_s", "mm", "degC", "deg_C"),
}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone, make=reading_of)


def _items(document: Any) -> list[Any | Misfit]:
    found = document.get("items") if isinstance(document, dict) else None
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise Unreadable("bad_document", f"items is {shown(found)}, neither an array nor an object")
    return [item if isinstance(item, dict) else Misfit({"items": [item]}, "no object") for item in found]


def _fields(item: dict[str, Any], source: SourceContext) -> dict[str, Any]:
    measure = _measure(item.get("measure"))
    element, factor = _element(measure)
    value = scaled(_said(item.get("value")), "value", factor)
    return {
        "station": measure["station"] if element is None else _station(measure),
        "element": element or "other",
        "code": "-".join(list(measure.values())[1:]) if element is None else None,
        "observed_at": observed_at(item.get("dateTime"), source),
        "value": value,
        "quality": "missing" if value is None else "unknown",
    }


def _measure(value: Any) -> dict[str, str]:
    """The parts of a measure's name: the value is its address, its name, or an object that holds the address."""
    if isinstance(value, dict):
        value = value.get("@id")
    if not isinstance(value, str) or not value or len(value) > 400:
        raise Unreadable("bad_id", f"measure is {shown(value)}")
    name = value.rsplit("/", 1)[-1]
    found = _MEASURE.fullmatch(name)
    if not found:
        raise Unreadable("bad_id", f"measure {shown(name)} is not station-quantity-qualifier-kind-interval-unit")
    return found.groupdict()


def _element(measure: dict[str, str]) -> tuple[Element | None, Decimal]:
    parameter, unit = measure["parameter"], measure["unit"]
    if parameter == "level" and unit in _LEVELS and measure["qualifier"] != "groundwater":
        return "level_m", FACTORS.get(unit, Decimal(1))
    if parameter == "flow" and unit in _FLOWS:
        return "flow_m3s", FACTORS[unit]
    if parameter == "rainfall" and unit == "mm" and measure["kind"] == "t" and measure["interval"] in _RAINS:
        return _RAINS[measure["interval"]], Decimal(1)
    if parameter == "temperature" and unit in ("degC", "deg_C"):
        return "temperature_c", Decimal(1)
    return None, Decimal(1)


def _station(measure: dict[str, str]) -> str:
    """The station, and behind it what is not usual of this measure."""
    is_said = measure["parameter"] == "rainfall"  # the interval, by the element
    odd = [measure[name] for name, usual in _USUAL.items() if measure[name] not in usual]
    return "/".join([measure["station"], *(word for word in odd if not (is_said and word == measure["interval"]))])


def _said(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if len({str(one) for one in value[:100]}) != 1 or len(value) > 100:
        raise Unreadable("ambiguous_value", f"value is {shown(value)}, and they are not the same")
    return value[0]


def _alone(item: dict[str, Any]) -> Any:
    return {"items": [item]}
