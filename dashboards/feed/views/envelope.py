"""What stands around the data of every JSON file? Times with the district's offset, the sequence, the time to live."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from dashboards.feed.records import Envelope
from dashboards.feed.snapshot import Snapshot

STATUS_TTL_S = 60
REGISTER_TTL_S = 300
FORECAST_TTL_S = 300

_encode = msgspec.json.Encoder(enc_hook=str).encode


def of_minute(snapshot: Snapshot, data: Any, ttl_s: int = STATUS_TTL_S) -> bytes:
    """A file that is renewed at each tick."""
    return _encode(
        Envelope(
            last_updated=snapshot.local(snapshot.minute), ttl=ttl_s, content_seq=snapshot.run.content_seq, data=data
        )
    )


def of_register(snapshot: Snapshot, data: Any) -> bytes:
    """A file that is renewed when the register changes, or when a date in it comes."""
    register = snapshot.register
    return _encode(
        Envelope(
            last_updated=snapshot.local(register.changed_at), ttl=REGISTER_TTL_S, content_seq=register.seq, data=data
        )
    )


def localized(value: Any, snapshot: Snapshot) -> Any:
    """The record with its times in the district's offset, all the way down."""
    if isinstance(value, datetime):
        return snapshot.local(value)
    if isinstance(value, msgspec.Struct):
        changes = {name: localized(getattr(value, name), snapshot) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(localized(item, snapshot) for item in value)
    return value
