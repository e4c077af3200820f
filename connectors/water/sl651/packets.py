"""Which packets of a message are here, and which is asked for again? Bounded memory, whatever a station sends.

Packets are of one message when station, function and total agree. A packet that differs from the one held under its
number belongs to another message: what was held is given up. (The serial is only in the first packet.)
"""

from __future__ import annotations

from itertools import islice

import msgspec

from connectors.water.sl651.frames import ETX, Frame

ASSEMBLY_LIMIT_BYTES = 256 * 1024  # of one connection
NAMED = 16  # missing packets that are named at a time: one is asked for at a time


class Message(msgspec.Struct, frozen=True):
    """A whole message, of one frame or of many. `frame` is the one that completed it: the answer goes to it."""

    frame: Frame
    content: bytes
    frames: tuple[Frame, ...]

    @property
    def text(self) -> str:
        """One frame a line, as hex digits."""
        return "\n".join(frame.text for frame in self.frames)


class Missing(msgspec.Struct, frozen=True):
    """The last packet came, or one that was asked for, and these did not: ask for the first of them."""

    frame: Frame
    numbers: tuple[int, ...]


class GivenUp(msgspec.Struct, frozen=True):
    """Packets that will never be a message: superseded, too_large, missing_packets."""

    frames: tuple[Frame, ...]
    reason: str


_Key = tuple[str, int]


class Packets:
    """The unfinished messages of one connection."""

    def __init__(self, limit_bytes: int = ASSEMBLY_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: dict[_Key, dict[int, Frame]] = {}  # oldest message first
        self._ended: set[_Key] = set()  # whose last packet came
        self.held_bytes = 0

    def receive(self, frame: Frame) -> list[Message | Missing | GivenUp]:
        if not frame.is_packet:
            return [Message(frame, frame.content, (frame,))]
        events: list[Message | Missing | GivenUp] = []
        key = (frame.station, frame.function)
        held = self._held.get(key)
        if held is not None and _is_other(held, frame):
            events += self._given_up(key, "superseded")
            held = None
        if held is None:
            held = self._held[key] = {}
        if frame.packet not in held:
            held[frame.packet] = frame
            self.held_bytes += len(frame.data)
        while self.held_bytes > self._limit_bytes:
            events += self._given_up(next(iter(self._held)), "too_large")
        if key not in self._held:
            return events
        if frame.end == ETX or frame.packet == frame.packets:
            self._ended.add(key)
        if len(held) == frame.packets:
            self._forget(key)
            frames = tuple(held[number] for number in range(1, frame.packets + 1))
            events.append(Message(frame, b"".join(each.content for each in frames), frames))
        elif key in self._ended:
            events.append(self._missing(frame, held))
        return events

    def missing(self) -> list[Missing]:
        """What every unfinished message still lacks, for when its station has fallen silent."""
        return [self._missing(next(reversed(held.values())), held) for held in self._held.values()]

    def close(self) -> list[GivenUp]:
        return [event for key in list(self._held) for event in self._given_up(key, "missing_packets")]

    def _missing(self, frame: Frame, held: dict[int, Frame]) -> Missing:
        lacking = (number for number in range(1, frame.packets + 1) if number not in held)
        return Missing(frame, tuple(islice(lacking, NAMED)))

    def _given_up(self, key: _Key, reason: str) -> list[GivenUp]:
        held = self._held[key]
        self._forget(key)
        return [GivenUp(tuple(held[number] for number in sorted(held)), reason)]

    def _forget(self, key: _Key) -> None:
        self.held_bytes -= sum(len(frame.data) for frame in self._held.pop(key).values())
        self._ended.discard(key)


def _is_other(held: dict[int, Frame], frame: Frame) -> bool:
    if next(iter(held.values())).packets != frame.packets:
        return True
    same = held.get(frame.packet)
    return same is not None and same.content != frame.content
