"""How does a document become items, and each item a row or a reject? The one loop of the feeds that are pulled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document, raw_ref, reject, row_of, shown
from schemas.batch import Row
from schemas.source import Reject

Item = TypeVar("Item")


class Misfit(msgspec.Struct, frozen=True):
    """A place of a document where an item should be and is none. `raw` is a document with it alone."""

    raw: Any
    detail: str


def decode_items(
    payload: bytes,
    source: SourceContext,
    items: Callable[[Any], Sequence[Item | Misfit]],
    fields: Callable[[Item, SourceContext], dict[str, Any]],
    alone: Callable[[Item], Any],
    document: Callable[[bytes], Any] = json_document,
    make: Callable[[SourceContext, dict[str, Any]], Row] = row_of,
) -> Decoded:
    """The one loop of the pull decoders: a document into items, each item into the fields of a row, or a reject.

    items   finds them, and Misfits, in a document; raises Unreadable when it has none to find
    fields  reads one; raises Unreadable when it is no row
    alone   the document that has this item alone: the raw of its reject
    make    the row of the fields; raises Unreadable contract

    A payload with more than `rows_limit` items is rejected as a whole, so that nothing is read by half.
    """
    try:
        found = items(document(payload))
        if len(found) > source.rows_limit:
            raise Unreadable("too_many_rows", f"{len(found)} items, at most {source.rows_limit} are allowed")
    except Unreadable as error:
        return Decoded(rows=[], rejects=[reject(source, payload, error.reason, error.detail)])
    name = raw_ref(payload)
    rows: list[Row] = []
    rejects: list[Reject] = []
    for item in found:
        if isinstance(item, Misfit):
            rejects.append(reject(source, item.raw, "bad_item", item.detail))
            continue
        try:
            rows.append(make(source, {**fields(item, source), "raw_ref": name}))
        except Unreadable as error:
            rejects.append(reject(source, alone(item), error.reason, error.detail))
    return Decoded(rows=rows, rejects=rejects)


def array(value: Any, name: str) -> list[Any]:
    """The array that a document has under a name. Raises Unreadable bad_document."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise Unreadable("bad_document", f"{name} is {shown(found)}, not an array, in {shown(value)}")
    return found


def clipped(value: Any) -> Any:
    """A value of a lot that the raw of each of its items repeats: cut, so that a long one cannot be multiplied.

    It is cut to something as wrong as it was: longer than any id or time, or an empty array or object.
    """
    if isinstance(value, str):
        return value[:256]
    return type(value)() if isinstance(value, (list, dict)) else value
