"""Who wrote this message, and when? Standard Webhooks 1.0, scheme v1: HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

PREFIX = "whsec_"
TOLERANCE_S = 300
SECRET_BYTES = (24, 64)
_SIGNATURES_READ = 16


class SignatureError(ValueError):
    """The message is not from a holder of the secret, or not from now. Says nothing about the right signature."""


def secret_of(key: bytes) -> str:
    """The written form of 24 to 64 random bytes."""
    if not SECRET_BYTES[0] <= len(key) <= SECRET_BYTES[1]:
        raise ValueError("a secret has 24 to 64 bytes")
    return PREFIX + base64.b64encode(key).decode()


def headers(message_id: str, at: datetime, secrets: Sequence[str], body: bytes) -> dict[str, str]:
    """The three headers. One signature for each secret, so that a receiver may hold the old or the new one."""
    second = _second(at)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": second,
        "webhook-signature": " ".join(f"v1,{_digest(secret, message_id, second, body)}" for secret in secrets),
    }


def verify(found: Mapping[str, str], secrets: Sequence[str], body: bytes, now: datetime) -> str:
    """The id of a message that one of the secrets signed within five minutes of now. Raises SignatureError.

    `found` are the headers, names in lower case.
    """
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not found.get(name)]
    if missing:
        raise SignatureError(f"the header {missing[0]} is missing")
    message_id, second = found["webhook-id"], found["webhook-timestamp"]
    if not (second.isascii() and second.isdigit() and len(second) <= 12):
        raise SignatureError("webhook-timestamp is no number of seconds")
    age_s = int(_second(now)) - int(second)
    if abs(age_s) > TOLERANCE_S:
        raise SignatureError(
            f"webhook-timestamp is {abs(age_s)} s {'old' if age_s > 0 else 'ahead'}; 300 s are allowed"
        )
    given = [
        one.partition(",")[2] for one in found["webhook-signature"].split(" ")[:_SIGNATURES_READ] if one[:3] == "v1,"
    ]
    if not given:
        raise SignatureError("webhook-signature has no v1 signature")
    right = False
    for secret in secrets:
        wanted = _digest(secret, message_id, second, body).encode()
        for one in given:
            right |= hmac.compare_digest(wanted, one.encode("utf-8", "replace"))
    if not right:
        raise SignatureError("no signature is that of a secret of this endpoint")
    return message_id


def _digest(secret: str, message_id: str, second: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX) + "==")
    except binascii.Error as error:
        raise ValueError("a secret is base64 after whsec_") from error
    return base64.b64encode(hmac.digest(key, f"{message_id}.{second}.".encode() + body, "sha256")).decode()


def _second(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a time without a zone is none")
    return str(int(at.timestamp()))  # of the instant, in whatever zone it is written
