"""Which messages are in the body of a push? One, or an array of them; each becomes rows or a reject without plates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document
from connectors.parking.plates import reject
from schemas.batch import Row
from schemas.source import Reject

Message = dict[str, Any]
Read = Callable[[Message], Iterable[Row | Reject]]


def decoded(
    payload: bytes, source: SourceContext, read: Read, document: Callable[[bytes], Any] = json_document
) -> Decoded:
    """`read` gets each message with its keys stripped (Q25), and may raise Unreadable for the whole of it."""
    try:
        found = document(payload)
        messages = found if isinstance(found, list) else [found]
        if not messages:
            raise Unreadable("bad_document", "an empty array")
        if len(messages) > source.rows_limit:
            raise Unreadable("too_many_rows", f"{len(messages)} messages, at most {source.rows_limit} are allowed")
    except Unreadable as error:
        return Decoded(rows=[], rejects=[reject(source, payload, error.reason, error.detail)])
    rows: list[Row] = []
    rejects: list[Reject] = []
    for message in messages:
        try:
            for made in read(stripped(message)):
                rejects.append(made) if isinstance(made, Reject) else rows.append(made)
        except Unreadable as error:
            rejects.append(reject(source, message, error.reason, error.detail))
    return Decoded(rows=rows, rejects=rejects)


def stripped(message: Any) -> Message:
    """An object with its keys stripped. Raises Unreadable bad_item when it is none."""
    if not isinstance(message, dict):
        raise Unreadable("bad_item", f"not an object but {type(message).__name__}")
    return {key.strip(): value for key, value in message.items()}


def objects(value: Any, field: str, limit: int) -> list[Any]:
    """The members of an array that may be missing. Raises Unreadable bad_item, too_many_rows."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable("bad_item", f"{field} is no array")
    if len(value) > limit:
        raise Unreadable("too_many_rows", f"{len(value)} in {field}, at most {limit} are allowed")
    return value


def optional_ref(source: SourceContext) -> str | None:
    """The lot of an answer that does not say whose it is: option `ref`."""
    ref = source.options.get("ref")
    return str(ref) if isinstance(ref, (str, int)) and not isinstance(ref, bool) else None
