"""What goes into a fold of water and what comes out of it: columns of readings, and what changed beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import compress, islice
from operator import ne
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.water import SourceQuality
from streams.alerts.episodes import Change
from streams.water.qartod import Bools, Flags, Floats, Ints
from streams.water.quality import DEVICE_WORDS, OF_SOURCE
from streams.water.revisions import AlertChange

COARSE: Final = "coarse"  # a word in the flags of a reading: the same instant at a lower resolution
COARSEST: Final = 0


class Columns(msgspec.Struct):
    """Readings of known series, in the order of the log."""

    slot: npt.NDArray[np.int64]
    at: Ints
    received: Ints
    value: Floats  # as the station said it; nan: it says that it has none
    stated: Flags  # what the source says of it, in QARTOD's numbers; unknown counts as good
    device: Bools  # the device doubts itself
    rank: Ints | None = None  # of two words about one time the higher counts (ranks); None: the one received later

    def __len__(self) -> int:
        return len(self.slot)


class Requalified(msgspec.Struct, frozen=True):
    """A stored reading has another flag now: the one after it has come, or one before it."""

    slot: int
    at: int
    flag: int
    tests: int


class Folded(msgspec.Struct):
    """What a take of readings gave: columns in the order of the take, and what changed beside them."""

    flag: Flags
    tests: npt.NDArray[np.uint8]
    judged: Floats  # the value as it is judged: a distance as a level
    late: Bools  # not newer than the newest of its series: it may be in the database already
    repeat: Bools  # says again what was said: changes nothing
    too_late: int = 0  # older than what may still change
    slow: int = 0
    requalified: list[Requalified] = msgspec.field(default_factory=list)
    changes: list[AlertChange] = msgspec.field(default_factory=list)
    outlooks: list[Change] = msgspec.field(default_factory=list)  # forecasts, as alerts of their own
    changed_slots: set[int] = msgspec.field(default_factory=set)  # their `kept` may be another


class Reading(msgspec.Struct, frozen=True):
    """One reading of a known series, for those who have them one by one."""

    slot: int
    at: int
    received: int
    value: float | None
    stated: int = 1
    device: bool = False
    is_coarse: bool = False


def columns_of(readings: Sequence[Reading]) -> Columns:
    return Columns(
        slot=np.array([each.slot for each in readings], np.int64),
        at=np.array([each.at for each in readings], np.int64),
        received=np.array([each.received for each in readings], np.int64),
        value=np.array([np.nan if each.value is None else each.value for each in readings], np.float64),
        stated=np.array([each.stated for each in readings], np.uint8),
        device=np.array([each.device for each in readings], np.bool_),
        rank=np.array([COARSEST if each.is_coarse else each.received for each in readings], np.int64),
    )


def micros_of(instants: Sequence[datetime]) -> Ints:
    """Instants as whole microseconds. Neighbours are often the same instant: it is read once."""
    count = len(instants)
    is_begin = [count > 0, *map(ne, instants, islice(instants, 1, None))][:count]
    begins = np.flatnonzero(is_begin)
    seconds = np.fromiter(map(datetime.timestamp, compress(instants, is_begin)), np.float64, len(begins))
    micros = np.rint(seconds * 1e6).astype(np.int64)
    return micros if len(begins) == count else np.repeat(micros, np.diff(begins, append=count))


def stated_of(qualities: Sequence[SourceQuality]) -> Flags:
    return np.fromiter(map(OF_SOURCE.__getitem__, qualities), np.uint8, len(qualities))


def ranks(received: Ints, flags: Sequence[str | None]) -> Ints:
    """Of two words about one time the one received later counts, but never a coarse one (SL 651: 34 beside 33)."""
    return np.where(_by_word(flags, is_coarse), COARSEST, received)


def is_coarse(flags: str | None) -> bool:
    """The same instant at a lower resolution: it contradicts nothing."""
    return flags is not None and COARSE in flags.split(",")


def doubted(flags: Sequence[str | None]) -> Bools:
    """Whether a reading's own flags say that the device doubts itself."""
    return _by_word(flags, lambda each: each is not None and not DEVICE_WORDS.isdisjoint(each.split(",")))


def _by_word(flags: Sequence[str | None], holds: Callable[[str | None], bool]) -> Bools:
    """Asked once of each of the few words that there are."""
    found = {each: holds(each) for each in set(flags)}
    if not any(found.values()):
        return np.zeros(len(flags), np.bool_)
    return np.fromiter(map(found.__getitem__, flags), np.bool_, len(flags))
