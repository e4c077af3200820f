"""Which series count the rain of a gauge, and what do their samples sum up to?

A gauge whose logger was exchanged has several: each speaks for its own time, and the step from one count to the other
is no rain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from schemas.water_registers import RainWeight, Station, WaterRegister
from streams.water.qartod import Floats, Ints
from streams.water.rain import AMOUNTS, COUNTS, LONGEST, WINDOWS, Areal, Sum, areal, sums_at
from streams.water.rules import ALWAYS, HOUR, MINUTE, NEVER, SeriesKey, micros

LOOK_BACK: Final = LONGEST + HOUR  # a sample before the hours tells how the count stood when they began
MARK_EVERY: Final = 5 * MINUTE  # sums are kept at these times
Sums = Mapping[int, Sum]  # by hours


class Piece(NamedTuple):
    """A series speaks for a gauge in [begins, ends)."""

    key: SeriesKey
    begins: int
    ends: int


class Samples(NamedTuple):
    """The good samples of a series, in order."""

    ats: Ints
    values: Floats


NONE: Final = Samples(np.zeros(0, np.int64), np.zeros(0))


def gauges_of(register: WaterRegister) -> dict[str, tuple[Piece, ...]]:
    """The gauges and the series that count their rain, in the order of time."""
    versions: dict[str, list[Station]] = {}
    for station in sorted(register.stations, key=lambda each: (each.valid_from, each.version)):
        versions.setdefault(station.station_id, []).append(station)
    return {station_id: _pieces(dated) for station_id, dated in versions.items() if dated[-1].kind == "rain"}


def _pieces(dated: Sequence[Station]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for place, row in enumerate(dated):
        begins = ALWAYS if place == 0 else micros(row.valid_from)
        after = dated[place + 1].valid_from if place + 1 < len(dated) else None
        ends = min(_or_never(after), _or_never(row.valid_to), _or_never(row.withdrawn_at))
        if begins >= ends or (row.element not in COUNTS and row.element not in AMOUNTS):
            continue
        key = (row.source, row.station, row.element)
        if found and found[-1].key == key and found[-1].ends == begins:
            found[-1] = found[-1]._replace(ends=ends)
        else:
            found.append(Piece(key, begins, ends))
    return tuple(found)


def _or_never(at: datetime | None) -> int:
    return NEVER if at is None else micros(at)


def is_watched(pieces: Sequence[Piece], at: int) -> bool:
    """Whether somebody counts the rain of this gauge now."""
    return any(piece.begins <= at < piece.ends for piece in pieces)


def gauge_sums(pieces: Sequence[Piece], samples: Mapping[SeriesKey, Samples], at: int) -> tuple[Sum, ...]:
    """All sums of a gauge at a time: the same whatever is at hand beside its look back."""
    since = at - LOOK_BACK
    found = []
    for piece in pieces:
        if piece.ends <= since or piece.begins > at:
            continue
        ats, values = samples.get(piece.key, NONE)
        first = int(np.searchsorted(ats, max(since, piece.begins)))
        last = int(np.searchsorted(ats, min(at, piece.ends - 1), side="right"))
        found.append(sums_at(piece.key[2], ats[first:last], values[first:last], at))
    return found[0] if len(found) == 1 else _together(found)


def _together(of_series: Sequence[Sequence[Sum]]) -> tuple[Sum, ...]:
    """What is known by one of them is known, and each minute is known by one at most."""
    found = []
    for place, hours in enumerate(WINDOWS):
        mm = sum(each[place].mm for each in of_series)
        known = sum(1 - each[place].missing_share for each in of_series)
        found.append(Sum(hours, round(mm, 3), round(min(max(1 - known, 0.0), 1.0), 4)))
    return tuple(found)


def areal_sums(
    of_gauges: Mapping[str, Sequence[Sum]], weights: Mapping[str, Sequence[RainWeight]]
) -> dict[str, dict[int, Areal]]:
    """By basin and hours, from the sums of the gauges at one time."""
    by_hours = [
        {station_id: sums[place] for station_id, sums in of_gauges.items() if sums} for place in range(len(WINDOWS))
    ]
    return {
        basin: {hours: areal(by_hours[place], own) for place, hours in enumerate(WINDOWS)}
        for basin, own in sorted(weights.items())
    }


def weights_of(register: WaterRegister) -> dict[str, list[RainWeight]]:
    by_basin: dict[str, list[RainWeight]] = {}
    for each in register.rain_weights:
        by_basin.setdefault(each.basin_id, []).append(each)
    return by_basin


def mark_from(at: int) -> int:
    """The first mark at or after a time."""
    return -(-at // MARK_EVERY) * MARK_EVERY
