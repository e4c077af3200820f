"""What does a transport hand over? One payload, and what to do when it is safe, or when it cannot be made safe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from connectors.decoding import Decoded, SourceContext


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A payload and the way back to its source. Exactly one of the two calls is made, once.

    received_at  when it was first got: a poll's planned minute, the first try of a push
    meta         what the transport knows besides (headers, page, ref), for logs and decoders that need it
    acknowledge  every row is confirmed by Kafka or on the spool: answer 200, advance the cursor
    refuse       it is not; the reason goes to the source where its protocol has a place for it
    decode       of a conversation: what its transport has understood already, instead of the route's decoder
    """

    payload: bytes
    received_at: datetime
    acknowledge: Callable[[], Awaitable[None]]
    refuse: Callable[[str], Awaitable[None]]
    meta: Mapping[str, str] = {}
    decode: Callable[[SourceContext], Decoded] | None = None


class Holds(Protocol):
    """Who has an unfinished delivery holds the clock: no tick goes past its received_at (connectors/kafka.py)."""

    def hold(self, received_at: datetime) -> Callable[[], None]:
        """Hold the clock at `received_at` until the returned function is called; a second call does nothing."""
        ...
