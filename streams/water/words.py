"""Which word about a time counts, of those that are stored? For a worker that starts: as if it had heard them all.

The first word stands among the readings, what was said again among the revisions. Of two values the one received later
counts, of equals the higher; a value that was taken back since counts no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streams.water.rules import ALWAYS
from streams.water.series import Point


class Word(NamedTuple):
    """What was said again, or a first word that is no value: it voids what was received before it."""

    at: int
    value: float
    received: int
    flag: int
    is_value: bool


def last_words(points: Iterable[Point], words: Iterable[Word]) -> tuple[list[Point], dict[int, int]]:
    """The points that count, oldest first, and which times are void since when."""
    known = {point.at: point for point in points}
    voids: dict[int, int] = {}
    for word in words:
        if not word.is_value:
            voids[word.at] = max(word.received, voids.get(word.at, ALWAYS))
            continue
        point = known.get(word.at)
        if point is None:
            known[word.at] = Point(word.at, word.value, word.received, word.flag)
        elif (word.received, word.value) > (point.rank, point.value):
            known[word.at] = Point(word.at, word.value, word.received, point.flag)
    counting = [known[at] for at in sorted(known) if known[at].rank >= voids.get(at, ALWAYS)]
    return counting, voids
