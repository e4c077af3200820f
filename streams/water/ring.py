"""Which points of a series may late data still change? The last day of every series, bounded, in one set of columns.

Each series has a block of the columns; a block doubles when it is full, until `most` points. Points are in the order of
their own times. What is dropped at the old end is gone for good: `floor_at` says up to where.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from streams.water.qartod import Flags, Floats, Ints
from streams.water.rules import ALWAYS, HOUR

FIRST_BLOCK: Final = 32
Slots = npt.NDArray[np.int64]
_Kind = TypeVar("_Kind", bound=np.generic)


class Ring:
    """Points of many series: (at, value, rank) and a mark. 25 bytes a point.

    `keeps`: what is dropped is put aside, for who asks for all of it in the end; it can no longer change.
    """

    __slots__ = ("_free", "_used", "aside", "at", "capacity", "floor_at", "horizon", "length", "mark", "most",
                 "rank", "start", "value")  # fmt: skip

    def __init__(self, hours: float = 24.0, most: int = 1536, *, keeps: bool = False) -> None:
        self.aside: dict[int, list[tuple[Ints, Floats, Flags]]] | None = {} if keeps else None
        self.horizon = round(hours * HOUR)
        self.most = most
        self.at: Ints = np.zeros(1024, np.int64)
        self.rank: Ints = np.zeros(1024, np.int64)
        self.value: Floats = np.zeros(1024)
        self.mark: Flags = np.zeros(1024, np.uint8)
        self.start: Slots = np.zeros(0, np.int64)
        self.capacity: Slots = np.zeros(0, np.int64)
        self.length: Slots = np.zeros(0, np.int64)
        self.floor_at: Ints = np.zeros(0, np.int64)
        self._used = 0
        self._free: dict[int, list[int]] = {}

    def add_series(self, slots: int) -> None:
        """Room for so many series in all; a block comes with the first point."""
        more = slots - len(self.start)
        self.start = np.concatenate([self.start, np.zeros(more, np.int64)])
        self.capacity = np.concatenate([self.capacity, np.zeros(more, np.int64)])
        self.length = np.concatenate([self.length, np.zeros(more, np.int64)])
        self.floor_at = np.concatenate([self.floor_at, np.full(more, ALWAYS, np.int64)])

    def begin_blocks(self, slots: Slots) -> None:
        """The first blocks of series that have none."""
        if len(slots):
            self.start[slots] = self._block(FIRST_BLOCK * len(slots)) + FIRST_BLOCK * np.arange(len(slots))
            self.capacity[slots] = FIRST_BLOCK

    def make_room(self, slot: int, points: int) -> None:
        """Room for more points at the end, by a larger block. Whoever calls has dropped what may be dropped."""
        needed = int(self.length[slot]) + points
        size = max(FIRST_BLOCK, int(self.capacity[slot]))
        while size < needed:
            size *= 2
        if size == self.capacity[slot]:
            return
        begin = self._block(size)
        old, length = int(self.start[slot]), int(self.length[slot])
        for column in (self.at, self.rank, self.value, self.mark):
            column[begin : begin + length] = column[old : old + length]
        if self.capacity[slot]:
            self._free.setdefault(int(self.capacity[slot]), []).append(old)
        self.start[slot], self.capacity[slot] = begin, size

    def _block(self, size: int) -> int:
        free = self._free.get(size)
        if free:
            return free.pop()
        begin = self._used
        self._used += size
        if self._used > len(self.at):
            room = max(self._used, len(self.at) * 3 // 2)
            self.at, self.rank = _longer(self.at, room), _longer(self.rank, room)
            self.value, self.mark = _longer(self.value, room), _longer(self.mark, room)
        return begin

    def span(self, slot: int) -> slice:
        begin = int(self.start[slot])
        return slice(begin, begin + int(self.length[slot]))

    def expired(self, slot: int, times: int = 1) -> int:
        """How many points may be dropped: those beyond the horizon, and at most half of a block that is full."""
        length = int(self.length[slot])
        if not length:
            return 0
        ats = self.at[self.span(slot)]
        old = int(np.searchsorted(ats, ats[-1] - times * self.horizon))
        if length - old >= self.most:
            return max(old, length - self.most // 2)
        return old

    def drop(self, slot: int, points: int) -> None:
        span = self.span(slot)
        self.floor_at[slot] = self.at[span.start + points - 1]
        if self.aside is not None:
            gone = slice(span.start, span.start + points)
            self.aside.setdefault(slot, []).append(
                (self.at[gone].copy(), self.value[gone].copy(), self.mark[gone].copy())
            )
        for column in (self.at, self.rank, self.value, self.mark):
            column[span.start : span.stop - points] = column[span.start + points : span.stop].copy()
        self.length[slot] -= points

    def history(self, slot: int) -> tuple[Ints, Floats, Flags]:
        """Times, values and marks of its points in their order, with those that were put aside."""
        span = self.span(slot)
        parts = [] if self.aside is None else self.aside.get(slot, [])
        parts = [*parts, (self.at[span], self.value[span], self.mark[span])]
        ats, values, marks = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return ats, values, marks

    def place(self, slot: int, at: int) -> tuple[int, bool]:
        """Where a point of this time stands or would stand (in the columns), and whether there is one."""
        span = self.span(slot)
        place = span.start + int(np.searchsorted(self.at[span], at))
        return place, place < span.stop and int(self.at[place]) == at

    def insert(self, slot: int, place: int, at: int, value: float, rank: int) -> int:
        """Put a point in; the place that it has now. Its mark is set by who judges it."""
        within = place - int(self.start[slot])
        self.make_room(slot, 1)
        span = self.span(slot)
        place = span.start + within
        for column in (self.at, self.rank, self.value, self.mark):
            column[place + 1 : span.stop + 1] = column[place : span.stop].copy()
        self.at[place], self.value[place], self.rank[place], self.mark[place] = at, value, rank, 0
        self.length[slot] += 1
        return place

    def remove(self, slot: int, place: int) -> None:
        span = self.span(slot)
        for column in (self.at, self.rank, self.value, self.mark):
            column[place : span.stop - 1] = column[place + 1 : span.stop].copy()
        self.length[slot] -= 1


def _longer(column: npt.NDArray[_Kind], room: int) -> npt.NDArray[_Kind]:
    longer = np.zeros(room, column.dtype)
    longer[: len(column)] = column
    return longer
