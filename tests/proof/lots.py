"""What should the feed publish of a car park, and the database keep? Written by hand from the payload, not computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

Documents = Callable[[datetime, str], bytes]  # what the source answers at a time to a path


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A push; what is signed into its headers is."""

    body: bytes
    headers: Mapping[str, str] = {}


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One source: its [[source]] table, and what it says when it is polled, or pushes."""

    name: str
    decoder: str
    zone: str
    document: Documents | None = None
    pushes: Callable[[datetime], tuple[Message, ...]] | None = None
    table: Mapping[str, Any] = {}  # further fields of its [[source]]


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One lot of lot_status.json. `pools` are registered, with capacities; `why` names quirks of the reference."""

    source: str
    ref: str
    why: str = ""
    status: str = "unknown"
    available: int | None = None
    low: int | None = None
    high: int | None = None
    capacity: int | None = None
    reason: str | None = None
    freshness: str = "fresh"
    mode: str | None = "count"
    flags: tuple[str, ...] = ()
    last_known: int | None = None
    at: str | None = None  # observed_at, when the payload is a recorded one
    basis: str | None = "lot"
    pools: dict[str, int | None] = msgspec.field(default_factory=lambda: {"public": None})

    @property
    def lot_id(self) -> str:
        return f"{self.source}.{self.ref}"


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The newest raw observation of one pool, beside the number that it was clamped to."""

    source: str
    ref: str
    pool: str = "public"
    free: int | None = None
    occupied: int | None = None
    available: int | None = None
    capacity: int | None = None  # capacity_used
    overflow: int = 0
    status: str | None = None  # source_status
    flags: tuple[str, ...] = ()


def counted(
    source: str, ref: str, available: int, capacity: int | None = None, status: str = "open", **rest: Any
) -> Published:
    """A lot of which a number is known; its bounds are the number itself unless they are given."""
    bounds = {"low": available, "high": available} | rest
    return Published(source=source, ref=ref, available=available, capacity=capacity, status=status, **bounds)


def closed(source: str, ref: str, capacity: int | None = None, **rest: Any) -> Published:
    said = {"reason": "closed_by_source", "mode": "closed"} | rest
    return counted(source, ref, 0, capacity, "closed", **said)


def dead(source: str, ref: str, last_known: int | None, capacity: int | None, at: str, **rest: Any) -> Published:
    """A lot whose newest reading is older than a day."""
    said = {"freshness": "dead", "reason": "dead", "at": at} | rest
    return Published(source=source, ref=ref, last_known=last_known, capacity=capacity, **said)


def silent(source: str, ref: str, why: str = "") -> Published:
    """A registered lot of which nothing could be read."""
    return Published(source=source, ref=ref, why=why, reason="never_reported", freshness="never", mode=None, basis=None)


def published(record: Mapping[str, Any], wanted: Published) -> Published:
    """A record of the feed in the form of what is wanted of it."""
    observed_at = record["observed_at"]
    last_known = record["last_known"]
    return Published(
        source=wanted.source,
        ref=wanted.ref,
        why=wanted.why,
        status=record["status"],
        available=record["available"],
        low=record["available_min"],
        high=record["available_max"],
        capacity=record["capacity"],
        reason=record["reason"],
        freshness=record["freshness"],
        mode=record["mode"],
        flags=tuple(record["quality"]["flags"]),
        last_known=None if last_known is None else last_known["available"],
        at=wanted.at if wanted.at is None or _is_same(observed_at, wanted.at) else observed_at,
        basis=record["time_basis"],
        pools=wanted.pools,
    )


def _is_same(observed_at: str | None, wanted: str) -> bool:
    return observed_at is not None and datetime.fromisoformat(observed_at) == datetime.fromisoformat(wanted)
