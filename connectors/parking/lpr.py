"""Number-plate cameras of the common showdoc shape, `service=parkingspace`: how many spaces does a lot have left?

JSON or a form; times are local. Other services on the same address (entries, exits, payments) are rejected as
`other_service`, without their plates.

The document shows no signature. Ours is the header `X-Signature: t=<unix s>,v1=<hex>`, HMAC-SHA256 with the secret of
`<t>.<body>` (option `signature_header` renames it); a vendor that can only send a fixed token uses `auth = "header"`.
The words of the answer are usual, not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document, raw_ref, shown
from connectors.numbers import whole
from connectors.parking import plates, signing
from connectors.parking.answers import Answer, json_answer
from connectors.parking.messages import Message, decoded
from connectors.times import observed
from connectors.words import ident
from schemas.batch import Row
from schemas.source import Reject

_SERVICE = "parkingspace"
_FORM_FIELDS = 64


def decode(payload: bytes, source: SourceContext) -> Decoded:
    name = raw_ref(payload)
    return decoded(payload, source, lambda message: _lot(message, source, name), _document)


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    now: datetime,
    window_s: int,
    options: Mapping[str, Any] = signing.NO_OPTIONS,
) -> str | None:
    """None, or the reason word why this is not, or not lately, from the vendor."""
    return signing.stamped_header_verdict(body, headers, secret, now, window_s, options)


def replay_id(body: bytes) -> str | None:
    return signing.body_identity(body)


def answer(ok: bool, detail: str) -> Answer:
    words = {"service": _SERVICE, "state": 1 if ok else 0, "message": "success" if ok else detail}
    return json_answer(ok, detail, words)


def _document(payload: bytes) -> Any:
    if payload.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return json_document(payload)
    try:
        fields = parse_qsl(payload.decode(), keep_blank_values=True, max_num_fields=_FORM_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Unreadable("bad_form", str(error)[:200]) from error
    if not fields:
        raise Unreadable("bad_document", "neither JSON nor a form")
    return dict(fields)


def _lot(message: Message, source: SourceContext, name: str) -> Iterator[Row | Reject]:
    content = {key.lower(): value for key, value in message.items()}
    if content.get("service") != _SERVICE:
        raise Unreadable("other_service", f"service is {shown(content.get('service'))}")
    at, basis, flags = observed(content.get("time"), source)
    yield plates.row(
        source,
        message,
        ref=ident(content.get("parkid"), "parkid"),
        free=whole(content.get("spaceleft"), "spaceLeft"),
        occupied=whole(content.get("spaceused"), "spaceused"),
        capacity=whole(content.get("spacetotal"), "spacetotal"),
        observed_at=at,
        time_basis=basis,
        flags=flags,
        raw_ref=name,
    )
