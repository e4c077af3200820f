"""Did the vendor sign this message with the secret that we share, and lately?

A rule says which digest is taken of which text, and how it is written. In its template `{pairs}` stands for all signed
fields as `name=value` in the order of their names, joined by `&`; `{secret}` for the secret; `{name}` for the field of
that name. The value of a string is its characters, of anything else its JSON exactly as it was sent; fields that are
null or empty, and the signature itself, are not signed.

Where a vendor's document was not at hand the rule is the usual one of its kind, said to be so in its module. Three
options of the source replace it: `sign_digest`, `sign_encoding`, `sign_template`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

import msgspec

from connectors.decoding import Unreadable
from connectors.times import instant
from schemas.fields import EARLIEST

BAD = "bad_signature"
MISSING = "missing_signature"
STALE = "stale_timestamp"
NO_OPTIONS: Mapping[str, Any] = {}

_PLACE = re.compile(r"\{(\w+)\}")
_STAMPED = re.compile(r"(?:^|,)\s*(t|v1)=([^,\s]+)")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Rule(msgspec.Struct, frozen=True):
    digest: Literal["md5", "sha256", "hmac_md5", "hmac_sha256"]
    encoding: Literal["hex", "base64"]
    template: str


def rule_of(usual: Rule, options: Mapping[str, Any]) -> Rule:
    """The usual rule with what the options of the source say otherwise. Raises msgspec.ValidationError."""
    chosen = {name: options.get(f"sign_{name}", getattr(usual, name)) for name in Rule.__struct_fields__}
    return msgspec.convert(chosen, Rule)


def signed_fields(body: bytes) -> dict[str, str] | None:
    """The top-level fields of a JSON object, keys stripped, as the texts that are signed; None when it is none."""
    try:
        return {name.strip(): _text(raw) for name, raw in _fields.decode(body).items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def signature(rule: Rule, fields: Mapping[str, str], secret: str, signature_field: str) -> str:
    signed = {name: value for name, value in fields.items() if value and name != signature_field}
    pairs = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
    places = {**signed, "pairs": pairs, "secret": secret}
    text = _PLACE.sub(lambda match: places.get(match[1], ""), rule.template).encode()
    digest = _digest(rule, text, secret.encode())
    return digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()


def is_same(given: str, wanted: str) -> bool:
    """Whether two signatures are the same, in constant time and in any case: vendors change the case, base64 too."""
    return hmac.compare_digest(given.strip().lower().encode(), wanted.lower().encode())


def verdict(rule: Rule, fields: Mapping[str, str] | None, signature_field: str, secret: str) -> str | None:
    """None, or why the signature in the body is not good. An empty secret signs nothing."""
    given = "" if fields is None else fields.get(signature_field, "")
    if fields is None or not given.strip():
        return MISSING
    if not secret:
        return BAD
    return None if is_same(given, signature(rule, fields, secret, signature_field)) else BAD


def stamp_verdict(stamp: str | None, form: str, zone: tzinfo, now: datetime, window_s: int) -> str | None:
    """None, or that a message was signed too long ago, too far ahead, or at no time that can be read."""
    try:
        at = instant(stamp, form, zone)
    except Unreadable:
        at = None
    is_timely = at is not None and at >= EARLIEST and abs(now - at) <= timedelta(seconds=window_s)
    return None if is_timely else STALE


def stamped_header(body: bytes, secret: str, at_unix_s: int) -> str:
    """`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 with the secret of `<t>.<body>`."""
    digest = hmac.new(secret.encode(), f"{at_unix_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_unix_s},v1={digest}"


def stamped_header_verdict(
    body: bytes, headers: Mapping[str, str], secret: str, now: datetime, window_s: int, options: Mapping[str, Any]
) -> str | None:
    """None, or why the header is not good. Option `signature_header` names it; it may hold several v1 (rotation)."""
    wanted_name = str(options.get("signature_header") or "x-signature").lower()
    given = next((value for name, value in headers.items() if name.lower() == wanted_name), "")
    parts = _STAMPED.findall(given)
    stamps = [value for name, value in parts if name == "t"]
    candidates = [value for name, value in parts if name == "v1"]
    if len(stamps) != 1 or not candidates:
        return MISSING
    if not secret or not re.fullmatch(r"[0-9]{1,12}", stamps[0], re.ASCII):
        return BAD
    wanted = stamped_header(body, secret, int(stamps[0])).partition("v1=")[2]
    if not any([is_same(candidate, wanted) for candidate in candidates]):  # a list: all of them, whichever is right
        return BAD
    return STALE if abs(now.timestamp() - int(stamps[0])) > window_s else None


def body_identity(body: bytes) -> str:
    """What two deliveries of one message have in common where the vendor sends no nonce: all of it."""
    return hashlib.sha256(body).hexdigest()[:32]


def _text(raw: msgspec.Raw) -> str:
    data = bytes(raw)
    if data[:1] == b'"':
        return str(msgspec.json.decode(data))
    return "" if data == b"null" else data.decode()


def _digest(rule: Rule, text: bytes, secret: bytes) -> bytes:
    if rule.digest.startswith("hmac_"):
        return hmac.new(secret, text, rule.digest.removeprefix("hmac_")).digest()
    return hashlib.new(rule.digest, text, usedforsecurity=False).digest()  # the vendor's rule, not our choice
