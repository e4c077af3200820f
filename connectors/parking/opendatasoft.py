"""A car park dataset of an Opendatasoft portal (Basel, Ghent, others): what do its records say?

Records come bare, in `results`, in `records[].fields` or as GeoJSON features. Their names are the dataset's own: two
dialects are known by their keys, `options.fields` names those of any other ("a.b" looks into b of a, also where a is
JSON in a string). `options.no_data` lists the numbers by which the dataset says that it has none (Ghent -1,
Brussels -999).
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document, shown
from connectors.items import array, decode_items
from connectors.numbers import reading, whole
from connectors.times import observed
from connectors.words import ident, status, strictest
from schemas.parking import TimeBasis


class _Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ref: str
    free: str
    capacity: str
    time: str
    open: str = ""
    closed: str = ""
    basis: TimeBasis = "lot"
    no_data: tuple[int, ...] = ()


_BASEL = _Dialect(ref="id2", free="free", capacity="total", time="published", basis="feed")
_GHENT = _Dialect(
    ref="id",
    free="availablecapacity",
    capacity="totalcapacity",
    time="lastupdate",
    open="isopennow",
    closed="temporaryclosed",
    no_data=(-1,),
)
_YES = {"1": "1", "1.0": "1", "true": "1", "yes": "1", "0": "0", "0.0": "0", "false": "0", "no": "0"}


def decode(payload: bytes, source: SourceContext) -> Decoded:
    return decode_items(payload, source, _items, _fields, _alone)


def _items(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    for name in ("results", "records", "features"):
        if isinstance(document, dict) and name in document:
            return array(document, name)
    raise Unreadable("bad_document", f"no results, records or features in {shown(document)}")


def _fields(item: Any, source: SourceContext) -> dict[str, Any]:
    record = _record(item)
    names = _dialect(record, source)
    at, basis, flags = observed(_at(record, names.time), source, basis=names.basis)
    free, noticed = reading(_at(record, names.free), names.free, names.no_data)
    state, doubts = _state(record, names, source)
    return {
        "ref": ident(_at(record, names.ref), names.ref),
        "mode": "closed" if state == "closed" else "count",
        "free": free,
        "capacity": whole(_at(record, names.capacity), names.capacity),
        "observed_at": at,
        "time_basis": basis,
        "source_status": strictest(state, "unknown" if noticed else None),
        "flags": (*flags, *noticed, *doubts),
    }


def _record(item: Any) -> dict[str, Any]:
    inner = item
    if isinstance(item, dict):
        inner = item.get("properties") or item.get("fields") or item
    if not isinstance(inner, dict):
        raise Unreadable("bad_item", f"a record is {shown(inner)}, not an object")
    return inner


def _dialect(record: dict[str, Any], source: SourceContext) -> _Dialect:
    known = _GHENT if _GHENT.free in record else _BASEL if _BASEL.free in record else None
    names = source.options.get("fields")
    if known is not None and not names and "no_data" not in source.options:
        return known
    told = {"no_data": source.options["no_data"]} if "no_data" in source.options else {}
    try:
        return msgspec.convert({**(msgspec.structs.asdict(known) if known else {}), **(names or {}), **told}, _Dialect)
    except (TypeError, msgspec.ValidationError) as error:
        raise Unreadable("unknown_dialect", f"neither Basel's nor Ghent's names, nor options: {error}") from error


def _state(record: dict[str, Any], names: _Dialect, source: SourceContext) -> tuple[str | None, tuple[str, ...]]:
    """Closed when either field says so; what a field says in no known word is unknown."""
    is_open, doubt = status(_at(record, names.open), _YES, source)
    is_closed, other_doubt = status(_at(record, names.closed), _YES, source)
    told = {"0": "closed", "1": "open"}.get(is_open or "", is_open)
    shut = {"0": None, "1": "closed"}.get(is_closed or "", is_closed)
    return strictest(told, shut), doubt or other_doubt


def _at(record: dict[str, Any], path: str) -> Any:
    """The value under a name, or under "name.name" through objects and JSON in strings."""
    if not path or path in record:
        return record.get(path)
    found: Any = record
    for name in path.split("."):
        if isinstance(found, str):
            found = json_document(found.encode())
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _alone(item: Any) -> Any:
    return [item]
