"""What travels about sources themselves: health, ticks, and what could not be read."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schemas.fields import Id, Instant, Text, Word

RAW_LIMIT_BYTES = 32 * 1024  # a longer payload is stored in raw_payload and named by its hash


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A connector's clock, put into every partition of its topics every 5 s: the only "now" streams know."""

    received_at: Instant
    connector: Id


class Reject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item that could not become a row. `raw` holds it (text, or base64 when raw_encoding says so)."""

    source: Id
    reason: Word  # a word to count by, e.g. not_json, bad_number, missing_id, bad_signature
    detail: Text
    raw: str = ""
    raw_encoding: Annotated[str, msgspec.Meta(max_length=16)] = "utf-8"
    raw_sha256: str | None = None  # set when the payload is longer than RAW_LIMIT_BYTES
    topic: Word | None = None  # where the row would have gone, so that it can be replayed
    received_at: Instant


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a route did since its last report. Sent at each poll and at least every 15 s."""

    source: Id
    received_at: Instant
    polls: int = 0
    failures: int = 0
    rows: int = 0
    rejects: int = 0
    spooled: int = 0
    last_success_at: Instant | None = None
    newest_observed_at: Instant | None = None
    cadence_s: float | None = None
    error: Text | None = None
