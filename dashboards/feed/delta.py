"""Which lots say something else than they did? Compared by what they say, not by when it was seen. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from dashboards.feed.records import Envelope, LotStatus, LotStatusData
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import STATUS_TTL_S
from dashboards.feed.views.status import VOLATILE

Marks = Mapping[str, bytes]  # lot_id -> digest of what its record says

DIFFERS = b""  # equals no mark

_encode = msgspec.json.Encoder().encode


def marks(records: Iterable[LotStatus]) -> dict[str, bytes]:
    return {record.lot_id: _mark(record) for record in records}


def changed(records: Iterable[LotStatus], before: Marks) -> tuple[LotStatus, ...]:
    """The records that differ from what was said before, in their order; a lot that is new differs."""
    return tuple(record for record in records if before.get(record.lot_id) != _mark(record))


def merged(one: Marks, other: Marks) -> dict[str, bytes]:
    """What is common to minutes that share a content_seq; a lot that they show differently counts as changed."""
    return {lot_id: mark if other.get(lot_id) == mark else DIFFERS for lot_id, mark in one.items()}


def document(snapshot: Snapshot, since_seq: int, lots: tuple[LotStatus, ...], *, is_full: bool) -> bytes:
    return _encode(
        Envelope(
            last_updated=snapshot.local(snapshot.minute),
            ttl=STATUS_TTL_S,
            content_seq=snapshot.run.content_seq,
            data=LotStatusData(since_seq=since_seq, is_full=is_full, lots=lots),
        )
    )


def _mark(record: LotStatus) -> bytes:
    said = msgspec.structs.replace(
        record,
        **{name: None for name in VOLATILE},
        pools=tuple(msgspec.structs.replace(pool, observed_at=None) for pool in record.pools),
    )
    return hashlib.blake2b(_encode(said), digest_size=8).digest()
