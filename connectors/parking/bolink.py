"""bolink (泊链): what do `updatepark` (push) and the answer of `getparkempty` say about a car park?

Either is JSON or Base64 of JSON. updatepark type 1 is an update, type 2 takes the lot off the platform: mode closed,
its counts kept. The answer does not say whose it is: option `ref` of the source does; its state 0 is no answer. Neither
has a time in the documents; `query_time` is read where it is sent.

sign: MD5 in upper-case hex over the fields sorted, `empty_plot=32&park_id=1001&..&key=<secret>`; of a message with
`data`, over `<data as sent>key=<secret>`. The vendor's page shows such signs but not the secret to check the rule
with: options of the source replace it (signing.py). No time is signed, so only `rand` guards against replay.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref, shown
from connectors.numbers import whole
from connectors.parking import plates, signing
from connectors.parking.answers import Answer, json_answer
from connectors.parking.messages import Message, decoded, optional_ref, stripped
from connectors.times import observed
from connectors.words import ident
from schemas.batch import Row
from schemas.parking import Mode, SourceStatus
from schemas.source import Reject

_RULE = signing.Rule("md5", "hex", "{pairs}&key={secret}")
_DATA_RULE = signing.Rule("md5", "hex", "{data}key={secret}")
_SIGN = "sign"
_FREE = ("empty_plot", "empty_total", "free_space")
_CAPACITY = ("total_plot", "carport_total")
_CHINA = ZoneInfo("Asia/Shanghai")


def decode(payload: bytes, source: SourceContext) -> Decoded:
    name = raw_ref(payload)
    return decoded(plain(payload), source, lambda message: _lot(message, source, name))


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    now: datetime,
    window_s: int,
    options: Mapping[str, Any] = signing.NO_OPTIONS,
) -> str | None:
    """None, or the reason word why this is not from the vendor; stale only where the message has a time."""
    fields = signing.signed_fields(plain(body))
    reason = signing.verdict(_rule(fields, options), fields, _SIGN, secret)
    stamp = (fields or {}).get("query_time")
    if reason is not None or not stamp:
        return reason
    return signing.stamp_verdict(stamp, _form(stamp), _CHINA, now, window_s)


def sign(body: bytes, secret: str, options: Mapping[str, Any] = signing.NO_OPTIONS) -> str:
    """The sign of a body, whatever sign it has."""
    fields = signing.signed_fields(plain(body)) or {}
    return signing.signature(_rule(fields, options), fields, secret, _SIGN).upper()


def replay_id(body: bytes) -> str | None:
    fields = signing.signed_fields(plain(body)) or {}
    rand = fields.get("rand")
    if rand:
        return f"{fields.get('park_id', '')}:{rand}"[:256]
    return fields[_SIGN].strip().upper()[:256] if fields.get(_SIGN) else None


def answer(ok: bool, detail: str) -> Answer:
    return json_answer(ok, detail, {"state": 1 if ok else 0, "message": "success" if ok else detail})


def plain(payload: bytes) -> bytes:
    """The JSON of a body that may be Base64 of it; the body itself when it is neither."""
    if payload.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return payload
    try:
        return base64.b64decode(b"".join(payload.split()), validate=True)
    except (binascii.Error, ValueError):
        return payload


def _rule(fields: Mapping[str, str] | None, options: Mapping[str, Any]) -> signing.Rule:
    return signing.rule_of(_DATA_RULE if fields and "data" in fields else _RULE, options)


def _form(stamp: Any) -> str:
    digits = str(stamp).strip()
    if not digits.isdigit():
        return "iso"
    return "unix_ms" if len(digits) > 11 else "unix_s"


def _lot(message: Message, source: SourceContext, name: str) -> Iterator[Row | Reject]:
    content = stripped(message["data"]) if "data" in message else message
    if content.get("empty_data") is not None:
        content = {**content, **stripped(content["empty_data"])}
    if "state" in content and whole(content["state"], "state") != 1:
        raise Unreadable("vendor_error", f"state {shown(content['state'])}: {shown(content.get('message'))}")
    ref = content.get("park_id", message.get("park_id"))
    stamp = content.get("query_time")
    at, basis, flags = observed(stamp, source, form=_form(stamp))
    mode, status, told = _state(whole(content.get("type"), "type"))
    yield plates.row(
        source,
        message,
        ref=ident(optional_ref(source) if ref is None else ref, "park_id"),
        mode=mode,
        free=whole(_first(content, _FREE), "free"),
        capacity=whole(_first(content, _CAPACITY), "capacity"),
        observed_at=at,
        time_basis=basis,
        source_status=status,
        flags=flags + told,
        raw_ref=name,
    )


def _state(kind: int | None) -> tuple[Mode, SourceStatus | None, tuple[str, ...]]:
    if kind == 2:
        return "closed", "closed", ()
    return ("count", None, ()) if kind in (None, 1) else ("count", "unknown", ("unknown_status",))


def _first(content: Message, names: tuple[str, ...]) -> Any:
    return next((content[name] for name in names if content.get(name) is not None), None)
