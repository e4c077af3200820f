"""Does the account balance? What was confirmed is stored, with its value, once; each offset was applied once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec

Key = TypeVar("Key", bound=Hashable)
Move = tuple[str, int, int, int]  # topic, partition, fence before, fence after
SAME = 1e-6  # two values that differ by less are one


class Account(msgspec.Struct, frozen=True, kw_only=True):
    offered: int
    confirmed: int
    stored: int
    lost: int  # confirmed, and not in the database
    doubled: int  # in the database more than once, or offsets applied more than once
    altered: int  # stored with another value than was offered
    invented: int  # stored, and never offered
    unapplied: int  # records in Kafka behind which the fences stay
    holes: int  # offsets that no transaction applied

    @property
    def balances(self) -> bool:
        return not (self.lost or self.doubled or self.altered or self.invented or self.unapplied or self.holes)


def settle(
    offered: Mapping[Key, float],
    confirmed: AbstractSet[Key],
    stored: Iterable[tuple[Key, float | None]],
    moves: Iterable[Move],
    ends: Mapping[tuple[str, int], int],
) -> Account:
    """The account of a run. `moves` is every move of a fence that was committed, in any order; `ends` is Kafka's."""
    found: dict[Key, float | None] = {}
    rows = doubled = altered = invented = 0
    for key, value in stored:
        rows += 1
        if key in found:
            doubled += 1
        elif key not in offered:
            invented += 1
        elif value is None or abs(value - offered[key]) > SAME:
            altered += 1
        found[key] = value
    reached = dict.fromkeys(ends, 0)
    holes = 0
    for topic, partition, before, after in sorted(moves):
        at = reached.get((topic, partition), 0)
        doubled += max(0, min(at, after) - before)
        holes += max(0, before - at)
        reached[topic, partition] = max(at, after)
    return Account(
        offered=len(offered),
        confirmed=len(confirmed),
        stored=rows,
        lost=sum(key not in found for key in confirmed),
        doubled=doubled,
        altered=altered,
        invented=invented,
        unapplied=sum(max(0, end - reached[place]) for place, end in ends.items()),
        holes=holes,
    )
