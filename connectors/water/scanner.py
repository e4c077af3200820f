"""Where in a stream of bytes are the frames? Three outcomes of every byte: part of a frame, rubbish, or wait for more.

A header claims a length; the claim is tried when that many bytes are here. After a claim that fails the search goes on
one byte further. Of two claims that overlap, the sound one that ends first is the frame: so a frame behind one that was
cut short is not held back until the claimed length has come. What comes out does not depend on how the bytes came.
"""

from __future__ import annotations

import math
from typing import Generic, Protocol, TypeVar

import msgspec

Found = TypeVar("Found", covariant=True)

OPEN_CLAIMS = 8  # headers tried at a time: bounds the work for one byte; honest streams have one, or two after a cut


class Rubbish(msgspec.Struct, frozen=True):
    """Bytes that are no frame, and why: `noise`, or what was wrong with the frame that they claimed to be.

    Noise may come in pieces, as it arrived.
    """

    data: bytes
    reason: str


class Unsound(msgspec.Struct, frozen=True):
    """Why a claimed frame is none: a word to count by."""

    reason: str


class Grammar(Protocol[Found]):
    """What a protocol says of its frames. `at` is a place in the buffer."""

    def find(self, buffer: bytearray, at: int) -> int:
        """Where the next frame could begin, at or after `at`; -1: nowhere. The end of the buffer may be a beginning."""
        ...

    def header_size(self, buffer: bytearray, at: int) -> int:
        """How many bytes must be here before `size` can be asked."""
        ...

    def size(self, buffer: bytearray, at: int) -> int:
        """How long the whole frame claims to be; 0: this is no header."""
        ...

    def read(self, data: bytes) -> Found | Unsound: ...


class Scanner(Generic[Found]):
    """Bytes in, frames and rubbish out, in their order. Holds at most one claimed frame and what came with its end."""

    def __init__(self, grammar: Grammar[Found]) -> None:
        self._grammar = grammar
        self._buffer = bytearray()
        self._next = 0  # headers before here were looked at
        self._claims: list[tuple[int, int]] = []  # (start, end) of headers whose frame is not complete
        self._failed: list[tuple[int, int, str]] = []  # claims that failed and are not given out yet

    @property
    def held(self) -> int:
        """Bytes that wait for more."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Found | Rubbish]:
        self._buffer += data
        events: list[Found | Rubbish] = []
        while self._step(events):
            pass
        self._let_go(events, self._undecided())
        return events

    def close(self) -> list[Found | Rubbish]:
        """No more bytes will come: what is held is a frame cut short, or noise."""
        events: list[Found | Rubbish] = []
        if self._claims:
            self._failed.append((self._claims[0][0], len(self._buffer), "truncated"))
        self._claims.clear()
        self._let_go(events, len(self._buffer))
        return events

    def _step(self, events: list[Found | Rubbish]) -> bool:
        """One header looked at or one claim tried, in the order of the bytes that decide them. False: wait for more."""
        buffer, grammar = self._buffer, self._grammar
        start = grammar.find(buffer, self._next)
        ready = start + grammar.header_size(buffer, start) if start >= 0 else math.inf
        claim = min(self._claims, key=_end) if self._claims else None
        if min(ready, claim[1] if claim else math.inf) > len(buffer):
            return False
        if claim is None or ready < claim[1]:
            size = grammar.size(buffer, start)
            self._next = start + 1
            if size:
                if len(self._claims) == OPEN_CLAIMS:
                    self._claims.pop(0)
                self._claims.append((start, start + size))
            return True
        self._claims.remove(claim)
        found = grammar.read(bytes(buffer[claim[0] : claim[1]]))
        if isinstance(found, Unsound):
            self._fail((*claim, found.reason), events)
            return True
        self._let_go(events, claim[0])
        events.append(found)
        del buffer[: claim[1] - claim[0]]
        self._next = 0
        self._claims.clear()
        self._failed.clear()
        return True

    def _fail(self, failed: tuple[int, int, str], events: list[Found | Rubbish]) -> None:
        self._failed.append(failed)
        if all(start > failed[0] for start, _ in self._claims):
            self._let_go(events, min(failed[1], self._undecided()))

    def _undecided(self) -> int:
        """The first byte that may still belong to a frame."""
        start = self._grammar.find(self._buffer, self._next)
        first = len(self._buffer) if start < 0 else start
        return min(first, self._claims[0][0]) if self._claims else first

    def _let_go(self, events: list[Found | Rubbish], until: int) -> None:
        """Bytes before `until` are no frame's."""
        if until <= 0:
            return
        at = 0
        for start, end, reason in sorted(self._failed):
            if at <= start < until:
                if start > at:
                    events.append(Rubbish(bytes(self._buffer[at:start]), "noise"))
                at = min(end, until)
                events.append(Rubbish(bytes(self._buffer[start:at]), reason))
        if at < until:
            events.append(Rubbish(bytes(self._buffer[at:until]), "noise"))
        del self._buffer[:until]
        self._next = max(0, self._next - until)
        self._claims = [(start - until, end - until) for start, end in self._claims]
        self._failed = [(start - until, end - until, why) for start, end, why in self._failed if start >= until]


def _end(claim: tuple[int, int]) -> int:
    return claim[1]
