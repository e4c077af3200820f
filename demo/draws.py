"""What is drawn for this and that? Numbers that look random and are the same in every process, version and year."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import cos, pi
from typing import TypeVar

T = TypeVar("T")


def draw(*key: object) -> float:
    """A number in [0, 1) that belongs to the key."""
    digest = blake2b(repr(key).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def between(low: float, high: float, *key: object) -> float:
    return low + (high - low) * draw(*key)


def pick(of: Sequence[T], *key: object) -> T:
    return of[int(draw(*key) * len(of))]


def wander(minute: int, step_min: int, *key: object) -> float:
    """A smooth curve in [-0.5, 0.5) through a drawn point every step_min minutes."""
    knot, part = divmod(minute, step_min)
    weight = (1 - cos(pi * part / step_min)) / 2
    return draw(*key, knot) * (1 - weight) + draw(*key, knot + 1) * weight - 0.5
