"""What does a vendor's client want to hear? The HTTP status of an answer; its words are each vendor's own."""

from __future__ import annotations

from typing import Any

import msgspec

Answer = tuple[int, bytes, str]  # status, body, content type

_STATUS = {
    "bad_signature": 401,
    "missing_signature": 401,
    "stale_timestamp": 401,
    "replayed": 409,
    "too_large": 413,
    "too_many": 429,
    "unavailable": 503,
}


def status_of(ok: bool, detail: str) -> int:
    """200 when the message is safe; else by the reason word that `detail` is or begins with, 400 for any other."""
    return 200 if ok else _STATUS.get(detail.partition(":")[0].strip(), 400)


def json_answer(ok: bool, detail: str, fields: dict[str, Any]) -> Answer:
    return status_of(ok, detail), msgspec.json.encode(fields), "application/json; charset=utf-8"
