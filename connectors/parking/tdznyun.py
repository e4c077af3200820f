"""tdznyun: what do its notifications, its MQTT messages and its answers say about the spaces left?

- push `enterNotify`, `exitNotify` ..: an entry or exit of one car, with the spaces left after it. Plates are dropped.
  The time is the event's; the envelope's `timestamp` (unix s) stands in where the event has none.
- MQTT `manage.parkleft`: dataItems[].parkLeft of parkCode, without a time.
- the answer of `queryParkInfo`, which does not say whose it is: option `ref` of the source does.
Keys come with trailing spaces (`"remainParkNum "`, Q25).

sign: MD5 over pid, serviceName, timestamp and bizContent. Their order and where the secret stands were not visible; the
usual rule is taken: `bizContent=<its JSON as sent>&pid=..&serviceName=..&timestamp=..&key=<secret>` in hex of any case;
options of the source replace it (signing.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, json_document, raw_ref, shown
from connectors.numbers import whole
from connectors.parking import plates, signing
from connectors.parking.answers import Answer, json_answer
from connectors.parking.messages import Message, decoded, objects, optional_ref, stripped
from connectors.times import observed
from connectors.words import ident
from schemas.batch import Row
from schemas.source import Reject

_RULE = signing.Rule(
    "md5", "hex", "bizContent={bizContent}&pid={pid}&serviceName={serviceName}&timestamp={timestamp}&key={secret}"
)
_SIGN = "sign"
_EVENT_TIMES = ("enterTime", "exitTime", "outTime", "leaveTime", "eventTime")
_GOOD_CODES = (0, 1, 200)


def decode(payload: bytes, source: SourceContext) -> Decoded:
    name = raw_ref(payload)
    return decoded(payload, source, lambda message: _lot(message, source, name))


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    now: datetime,
    window_s: int,
    options: Mapping[str, Any] = signing.NO_OPTIONS,
) -> str | None:
    """None, or the reason word why this is not, or not lately, from the vendor."""
    fields = signing.signed_fields(body)
    reason = signing.verdict(signing.rule_of(_RULE, options), fields, _SIGN, secret)
    return reason or signing.stamp_verdict((fields or {}).get("timestamp"), "unix_s", UTC, now, window_s)


def sign(body: bytes, secret: str, options: Mapping[str, Any] = signing.NO_OPTIONS) -> str:
    """The sign of a body, whatever sign it has."""
    rule = signing.rule_of(_RULE, options)
    return signing.signature(rule, signing.signed_fields(body) or {}, secret, _SIGN).upper()


def replay_id(body: bytes) -> str | None:
    """The sign: it covers the whole message, and several events of one second differ in it."""
    given = (signing.signed_fields(body) or {}).get(_SIGN, "").strip().upper()
    return given[:256] or None


def answer(ok: bool, detail: str) -> Answer:
    return json_answer(ok, detail, {"code": 200 if ok else 500, "msg": "成功" if ok else detail})


def _lot(message: Message, source: SourceContext, name: str) -> Iterator[Row | Reject]:
    if "bizContent" in message:
        yield _event(message, source, name)
    elif "dataItems" in message:
        _check_code(message)
        items = objects(message["dataItems"], "dataItems", source.rows_limit)
        if not items:
            raise Unreadable("missing_count", "no dataItems")
        ref = ident(message.get("parkCode"), "parkCode")
        for item in items:
            yield _left(ref, item, source, name)
    elif "data" in message:
        _check_code(message)
        yield _info(message, source, name)
    else:
        raise Unreadable("bad_item", "no bizContent, dataItems or data")


def _event(message: Message, source: SourceContext, name: str) -> Row | Reject:
    biz = message["bizContent"]
    content = stripped(json_document(biz.encode(errors="replace")) if isinstance(biz, str) else biz)
    stamp = next((content[key] for key in _EVENT_TIMES if content.get(key)), None)
    if stamp is None:
        at, basis, flags = observed(message.get("timestamp"), source, form="unix_s")
    else:
        at, basis, flags = observed(stamp, source)
    time = {"observed_at": at, "time_basis": basis, "flags": flags}
    return _row(content, message, source, ref=ident(content.get("parkCode"), "parkCode"), raw_ref=name, **time)


def _left(ref: str, item: Any, source: SourceContext, name: str) -> Row | Reject:
    raw = {"parkCode": ref, "dataItems": [item]}
    try:
        content = stripped(item)
        if "parkLeft" not in content:
            raise Unreadable("missing_count", "no parkLeft")
        free = whole(content["parkLeft"], "parkLeft")
        return plates.row(source, raw, ref=ref, free=free, time_basis="ingest", raw_ref=name)
    except Unreadable as error:
        return plates.reject(source, raw, error.reason, error.detail)


def _info(message: Message, source: SourceContext, name: str) -> Row | Reject:
    content = stripped(message["data"])
    own = content.get("parkCode")
    ref = ident(optional_ref(source) if own is None else own, "parkCode")
    return _row(content, message, source, ref=ref, time_basis="ingest", raw_ref=name)


def _row(content: Message, raw: Any, source: SourceContext, **fields: Any) -> Row | Reject:
    if not {"remainParkNum", "totalParkNum"} & content.keys():
        raise Unreadable("missing_count", "neither spaces left nor spaces in all")
    free = whole(content.get("remainParkNum"), "remainParkNum")
    capacity = whole(content.get("totalParkNum"), "totalParkNum")
    return plates.row(source, raw, free=free, capacity=capacity, **fields)


def _check_code(message: Message) -> None:
    if "code" in message and whole(message["code"], "code") not in _GOOD_CODES:
        raise Unreadable("vendor_error", f"code {shown(message['code'])}: {shown(message.get('msg'))}")
