"""Which number has a series in the database, which slot in the folds, and is a reading newer than all of it before?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress, pairwise, repeat
from operator import ne
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.water import WaterReadings
from streams.water.qartod import Bools, Ints
from streams.water.rules import ALWAYS

Key = tuple[str, str, str, str]  # source, station, element, code ('' where there is none)
Places = npt.NDArray[np.int64]
UNKNOWN: Final = -1  # the place of a series without a number, the slot of one that no rule is about


class Roster:
    """Known series, each at a place of the columns."""

    __slots__ = ("newest_at", "number", "place", "place_of_plain", "slot")

    def __init__(self) -> None:
        self.place: dict[Key, int] = {}
        self.place_of_plain: dict[tuple[str, str], dict[str, int]] = {}  # without a code: source, element; then station
        self.number: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.slot: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.newest_at: Ints = np.zeros(0, np.int64)

    def put(self, numbers: Mapping[Key, int], slots: Mapping[int, int], newest: Mapping[int, int]) -> None:
        """Series as the database has them; slots and newest times by their numbers."""
        for key in numbers:
            place = self.place.setdefault(key, len(self.place))
            if not key[3]:
                self.place_of_plain.setdefault((key[0], key[2]), {})[key[1]] = place
        more = len(self.place) - len(self.number)
        self.number = np.concatenate([self.number, np.zeros(more, np.int64)])
        self.slot = np.concatenate([self.slot, np.zeros(more, np.int64)])
        self.newest_at = np.concatenate([self.newest_at, np.zeros(more, np.int64)])
        places = [self.place[key] for key in numbers]
        self.number[places] = list(numbers.values())
        self.slot[places] = [slots.get(number, UNKNOWN) for number in numbers.values()]
        self.newest_at[places] = [newest.get(number, ALWAYS) for number in numbers.values()]

    def unjudged(self) -> dict[Key, int]:
        """The numbers of the series that no rule is about."""
        return {key: int(self.number[place]) for key, place in self.place.items() if self.slot[place] == UNKNOWN}

    def places_of(self, rows: WaterReadings) -> Places:
        """The place of the series of each reading. Neighbours mostly have one source and one element."""
        sources, elements, count = rows.source, rows.element, len(rows)
        cuts = {0, count}.union(
            compress(range(1, count), map(ne, sources, sources[1:])),
            compress(range(1, count), map(ne, elements, elements[1:])),
        )
        of_rows: list[int] = []
        for begin, end in pairwise(sorted(cuts)):
            places = self.place_of_plain.get((sources[begin], elements[begin]), {})
            of_rows += map(places.get, rows.station[begin:end], repeat(UNKNOWN))
        found = np.array(of_rows, np.int64)
        if "other" in rows.element:
            others = [place for place, element in enumerate(rows.element) if element == "other"]
            found[others] = [self.place.get(key, UNKNOWN) for key in keys_of(rows.at_places(others))]
        return found

    def are_late(self, places: Places, at: Ints) -> Bools:
        """Whether a reading is not newer than all of its series before it; from now on these are before."""
        order = np.argsort(places, kind="stable")
        series = places[order]
        begins = np.flatnonzero(np.diff(series, prepend=-2))
        _, rank = np.unique(at[order], return_inverse=True)  # small numbers in the order of the times
        group = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(series)))
        highest = np.maximum.accumulate(rank + group * len(rank))  # a group's own lie above all groups before it
        late = np.zeros(len(places), np.bool_)
        late[order[1:]] = (highest[1:] == highest[:-1]) & (group[1:] == group[:-1])
        late |= at <= self.newest_at[places]
        np.maximum.at(self.newest_at, places, at)
        return late


def keys_of(rows: WaterReadings) -> list[Key]:
    """`other` is told apart by the source's own word for it."""
    return [
        (source, station, element, code or "" if element == "other" else "")
        for source, station, element, code in zip(rows.source, rows.station, rows.element, rows.code, strict=True)
    ]
