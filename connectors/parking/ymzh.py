"""ymzh (Shenzhen), callback B30 "spaces have changed": what does one message say about a car park?

`Data` has three views of the same spaces, and none may be added to another:
- the total of the lot -> pool `public` (TotalSpaces, RemainingSpaces);
- AreaSpaces, a partition of it by area -> pools `area_<AreaNo>`;
- CarCardTypeSpaces, cars inside by card and area ("[外场] [临时车A] 数量", UseSpaces) -> occupied of one pool per card:
  `contract` for monthly cards (月), else `card_<card>`. A card that stands in several areas is summed. If one of its
  parts cannot be read, that part is a reject and the sum is unknown (null, flag `incomplete`), not too small.
The source's `pools` may name any of them otherwise: by AreaNo or by card.

Sign: 32 bytes in lower-cased Base64 as seen on the wire; over which text was not visible. The usual rule is taken:
HMAC-SHA256 with the secret over all other top-level fields, sorted, `AppId=..&Data=<its JSON as sent>&Nonce=..&
ParkKey=..&TimeStamp=..`; options of the source replace it (signing.py). The answer's words are usual, not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref
from connectors.numbers import whole
from connectors.parking import plates, signing
from connectors.parking.answers import Answer, json_answer
from connectors.parking.messages import Message, decoded, objects, stripped
from connectors.times import observed
from connectors.words import ident
from schemas.batch import Row
from schemas.parking import PUBLIC
from schemas.source import Reject

_RULE = signing.Rule("hmac_sha256", "base64", "{pairs}")
_SIGN = "Sign"
_CARD = re.compile(r"^\s*(?:\[[^\]]*\]\s*)?\[([^\]]+)\]\s*(?:数量)?\s*$")  # "[area] [card] number"


def decode(payload: bytes, source: SourceContext) -> Decoded:
    name = raw_ref(payload)
    return decoded(payload, source, lambda message: _pools(message, source, name))


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
    return reason or signing.stamp_verdict((fields or {}).get("TimeStamp"), "unix_ms", UTC, now, window_s)


def sign(body: bytes, secret: str, options: Mapping[str, Any] = signing.NO_OPTIONS) -> str:
    """The Sign of a body, whatever Sign it has."""
    made = signing.signature(signing.rule_of(_RULE, options), signing.signed_fields(body) or {}, secret, _SIGN)
    return made.lower()


def replay_id(body: bytes) -> str | None:
    fields = signing.signed_fields(body) or {}
    nonce = fields.get("Nonce")
    return f"{fields.get('ParkKey', '')}:{nonce}"[:256] if nonce else None


def answer(ok: bool, detail: str) -> Answer:
    return json_answer(ok, detail, {"code": 200 if ok else 500, "msg": "success" if ok else detail})


def _pools(message: Message, source: SourceContext, name: str) -> Iterator[Row | Reject]:
    data = stripped(message.get("Data"))
    ref = ident(message.get("ParkKey"), "ParkKey")
    at, basis, flags = observed(message.get("TimeStamp"), source, form="unix_ms")
    common = {"ref": ref, "observed_at": at, "time_basis": basis, "raw_ref": name}
    areas = objects(data.pop("AreaSpaces", None), "AreaSpaces", source.rows_limit)
    cards = objects(data.pop("CarCardTypeSpaces", None), "CarCardTypeSpaces", source.rows_limit)
    lot = {"ParkKey": ref, "TimeStamp": message.get("TimeStamp")}
    yield _spaces(data, {**lot, "Data": data}, PUBLIC, {**common, "flags": flags}, source)
    for area in areas:
        raw = {**lot, "Data": {"AreaSpaces": [area]}}
        try:
            content = stripped(area)
            number = ident(content.get("AreaNo"), "AreaNo")
        except Unreadable as error:
            yield plates.reject(source, raw, error.reason, error.detail)
            continue
        pool = source.pools.get(number) or f"area_{number}"
        yield _spaces(content, raw, pool, {**common, "flags": flags}, source)
    yield from _cards(cards, common, flags, source)


def _spaces(content: Message, raw: Any, pool: str, common: dict[str, Any], source: SourceContext) -> Row | Reject:
    try:
        free = whole(content.get("RemainingSpaces"), "RemainingSpaces")
        capacity = whole(content.get("TotalSpaces"), "TotalSpaces")
    except Unreadable as error:
        return plates.reject(source, raw, error.reason, error.detail)
    return plates.row(source, raw, pool=pool, free=free, capacity=capacity, **common)


def _cards(
    cards: list[Any], common: dict[str, Any], flags: tuple[str, ...], source: SourceContext
) -> Iterator[Row | Reject]:
    inside: dict[str, int | None] = {}
    parts: dict[str, list[Any]] = {}
    for card in cards:
        raw = {"ParkKey": common["ref"], "Data": {"CarCardTypeSpaces": [card]}}
        pool = None
        try:
            content = stripped(card)
            pool = _card_pool(ident(content.get("AreaCarCardTypeName"), "AreaCarCardTypeName"), source)
            used = whole(content.get("UseSpaces"), "UseSpaces")
        except Unreadable as error:
            if pool is not None:
                inside[pool] = None
                parts.setdefault(pool, []).append(card)
            yield plates.reject(source, raw, error.reason, error.detail)
            continue
        before = inside.get(pool, 0)
        inside[pool] = None if used is None or before is None else before + used
        parts.setdefault(pool, []).append(card)
    for pool, occupied in inside.items():
        told = flags if occupied is not None else (*flags, "incomplete")
        raw = {"ParkKey": common["ref"], "Data": {"CarCardTypeSpaces": parts[pool]}}
        yield plates.row(source, raw, pool=pool, occupied=occupied, flags=told, **common)


def _card_pool(name: str, source: SourceContext) -> str:
    match = _CARD.match(name)
    card = match[1].strip() if match else name
    default = "contract" if "月" in card else f"card_{card}"
    return source.pools.get(card) or default
