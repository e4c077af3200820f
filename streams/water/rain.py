"""How much rain fell in the last 1, 3, 6, 12, 24 hours, at a gauge and over a basin, and how much of it is not known?

Amounts are differences of a count. A count that resets starts again at zero, so what fell between its last reading and
the reset is not known: that span is missing, it is no zero; and no intensity is ever made of such a count. One that
falls, but not to a new beginning, was corrected, and one that leaps was set: what fell meanwhile is not known either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from schemas.water_registers import RainWeight
from streams.water.qartod import Floats, Ints
from streams.water.rules import HALF, HOUR, MINUTE, LevelRule, RainRule

WINDOWS: Final = (1, 3, 6, 12, 24)  # hours
LONGEST: Final = 24 * HOUR
COUNTS: Final = ("rain_total_mm", "rain_day_mm")
AMOUNTS: Final = {
    "rain_1min_mm": 1, "rain_5min_mm": 5, "rain_10min_mm": 10, "rain_15min_mm": 15, "rain_30min_mm": 30,
    "rain_1h_mm": 60,
}  # fmt: skip
BEGINNING: Final = 0.5  # of the count before; one that fell to less began again at zero
MOST_MM_PER_MIN: Final = 100.0  # nowhere was half of it ever measured: more is no rain
HEAVY_MM: Final = 5.0  # in an hour: water must move now, a level that does not is stuck


class Record(NamedTuple):
    """Rain as two sums over time that only grow: of what fell, and of the time of which that is known."""

    edges: Ints
    fallen: Floats
    known: Floats


class Sum(NamedTuple):
    hours: int
    mm: float
    missing_share: float  # of the window; where it is 1 nothing is known, and mm says nothing


class Reason(NamedTuple):
    """Which sum put the rain at its level."""

    sum: Sum
    rule: LevelRule


class Areal(msgspec.Struct, frozen=True):
    """The mean over a basin of the gauges that are known; missing_share is the weight of what is not."""

    mm: float | None
    missing_share: float
    missing: tuple[str, ...]


def record_of(element: str, ats: Ints, values: Floats) -> Record:
    """Of good samples, in order. Raises KeyError for an element that is no rain."""
    if element in COUNTS:
        steps = np.diff(values)
        spans = np.diff(ats).astype(np.float64)
        fell = np.where(steps < 0, np.where(values[1:] < BEGINNING * values[:-1], values[1:], 0.0), steps)
        is_rain = fell <= MOST_MM_PER_MIN * spans / MINUTE
        fell, spans = np.where(is_rain, fell, 0.0), np.where(is_rain & (steps >= 0), spans, 0.0)
        zero = np.zeros(min(len(ats), 1))
        return Record(ats, np.concatenate([zero, np.cumsum(fell)]), np.concatenate([zero, np.cumsum(spans)]))
    length = AMOUNTS[element] * MINUTE
    begins = ats - length
    if len(ats) > 1:
        begins[1:] = np.maximum(begins[1:], ats[:-1])  # two that overlap tell the shared minutes once
    edges = np.stack([begins, ats], axis=1).ravel()
    fallen, spans = np.zeros(len(edges)), np.zeros(len(edges))
    fallen[1::2], spans[1::2] = values, (ats - begins).astype(np.float64)
    return Record(edges, np.cumsum(fallen), np.cumsum(spans))


def sums(record: Record, at: Ints, hours: int | Ints) -> tuple[Floats, Floats]:
    """The rain of the hours that end at each time, and the share of them that is missing."""
    if not len(record.edges):
        return np.zeros(at.shape), np.ones(at.shape)
    window = hours * HOUR
    fell = _between(record.edges, record.fallen, at - window, at)
    known = _between(record.edges, record.known, at - window, at)
    return fell, np.clip(1.0 - known / window, 0.0, 1.0)


def _between(edges: Ints, growing: Floats, since: Ints, until: Ints) -> Floats:
    result: Floats = np.interp(until, edges, growing) - np.interp(since, edges, growing)
    return result


def sums_at(element: str, ats: Ints, values: Floats, at: int, windows: Sequence[int] = WINDOWS) -> tuple[Sum, ...]:
    """All sums of a gauge at a time. What came after `at` does not count; after the last sample nothing is known."""
    upto = int(np.searchsorted(ats, at, side="right"))
    record = record_of(element, ats[:upto], values[:upto])
    mm, missing = sums(record, np.full(len(windows), at, np.int64), np.array(windows, np.int64))
    found = zip(windows, mm.tolist(), missing.tolist(), strict=True)
    return tuple(Sum(hours, round(fell, 3), round(share, 4)) for hours, fell, share in found)


def severity(record: Record, at: Ints, rules: Sequence[RainRule]) -> Floats:
    """The colour of the rain as a number that can cross lines: 3 orange; 2.5 not yet below the off-line of orange.

    What only holds a level raises no other: it lies below the line of the next level that is not on.
    """
    found = np.zeros(len(at))
    least = min((min(each.rule.on, each.rule.off) for each in rules), default=np.inf)
    if not len(record.edges) or record.fallen[-1] - record.fallen[0] < least - 1e-3:
        return found  # all that fell is less than any line
    by_hours: dict[int, Floats] = {}
    held = np.zeros(len(at))
    for each in rules:
        if each.hours not in by_hours:
            by_hours[each.hours] = sums(record, at, each.hours)[0]
        mm = np.round(by_hours[each.hours], 6)
        level = float(each.rule.level)
        found = np.maximum(found, np.where(mm >= each.rule.on, level, 0.0))
        held = np.maximum(held, np.where(mm >= each.rule.off, level - HALF, 0.0))
    levels = np.unique([float(each.rule.level) for each in rules])
    following = np.append(levels, np.inf)[np.searchsorted(levels, found, side="right")]
    return np.maximum(found, np.minimum(held, following - HALF))


def reason(record: Record, at: int, rules: Sequence[RainRule], level: int) -> Reason | None:
    """The sum that is furthest over its line, of those of this level."""
    here = np.array([at], np.int64)
    best: Reason | None = None
    for each in rules:
        if each.rule.level == level:
            mm, missing = sums(record, here, each.hours)
            found = Reason(Sum(each.hours, round(float(mm[0]), 2), round(float(missing[0]), 4)), each.rule)
            if best is None or found.sum.mm / max(found.rule.on, 1e-9) > best.sum.mm / max(best.rule.on, 1e-9):
                best = found
    return best


def areal(of_gauges: Mapping[str, Sum], weights: Sequence[RainWeight], at_most_missing: float = 0.5) -> Areal:
    """The weighted mean. A gauge of which more than that share is missing is missing; it is never a zero."""
    total = sum(each.weight for each in weights)
    known = {
        each.station_id: each.weight
        for each in weights
        if each.station_id in of_gauges and of_gauges[each.station_id].missing_share <= at_most_missing
    }
    weight = sum(known.values())
    missing = tuple(sorted(each.station_id for each in weights if each.station_id not in known))
    if total <= 0 or weight <= 0:
        return Areal(None, 1.0, missing)
    mm = sum(of_gauges[station].mm * share for station, share in known.items()) / weight
    return Areal(round(mm, 3), round(1 - weight / total, 4), missing)
