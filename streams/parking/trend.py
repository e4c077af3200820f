"""Which way is a car park going, how fast, and when will it be full? (reference parking 5.8)

The rate is the Theil-Sen slope of `occupied` over the last quarter of an hour: the median of the slopes of all pairs,
which a few wrong counts cannot move. Its interval is Sen's (from Kendall's variance), 90 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil, sqrt

import msgspec

from schemas.minute import Trend
from schemas.settings import Parking

Z_90 = 1.645
FEWEST_POINTS = 5
SHORTEST_SPAN_SHARE = 0.5  # of the window that the points must cover
NOISE_SPACES = 1.0  # a lot that moved by less than this in the whole window is stable
QUICK_SHARE, QUICK_SPACES = 0.10, 3.0  # of the capacity, and at least so many spaces, in one window

Point = tuple[datetime, int]  # observed_at, occupied


class Rate(msgspec.Struct, frozen=True):
    """Cars more (or fewer) a minute, with its 90 % interval."""

    per_min: float
    low: float
    high: float


class TimeToFull(msgspec.Struct, frozen=True):
    minutes: int
    low: int
    high: int


def points_in(recent: Iterable[Point], newest: Point | None, window_s: float) -> list[Point]:
    """The points of the window that ends with the newest, each time once, oldest first."""
    if newest is None:
        return []
    by_time = {at: occupied for at, occupied in recent if 0 <= (newest[0] - at).total_seconds() <= window_s}
    by_time[newest[0]] = newest[1]
    return sorted(by_time.items())


def rate(points: Sequence[Point], window_s: float) -> Rate | None:
    """None when there are too few points, or they cover too little of the window."""
    n = len(points)
    if n < FEWEST_POINTS:
        return None
    start = points[0][0]
    minutes = [(at - start).total_seconds() / 60 for at, _ in points]
    if minutes[-1] * 60 < window_s * SHORTEST_SPAN_SHARE:
        return None
    occupied = [count for _, count in points]
    slopes = sorted((occupied[j] - occupied[i]) / (minutes[j] - minutes[i]) for i in range(n) for j in range(i + 1, n))
    pairs = len(slopes)
    middle = (slopes[(pairs - 1) // 2] + slopes[pairs // 2]) / 2
    reach = Z_90 * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = slopes[max(0, int((pairs - reach) / 2))]
    high = slopes[min(pairs - 1, ceil((pairs + reach) / 2))]
    return Rate(middle, low, high)


def trend(found: Rate | None, capacity: int | None, noise_per_min: float, window_s: float) -> Trend | None:
    """The DATEX word for the rate of occupancy; a rate within the lot's noise is stable."""
    if found is None:
        return None
    window_min = window_s / 60
    if abs(found.per_min) < max(noise_per_min, NOISE_SPACES / window_min) or found.low <= 0 <= found.high:
        return "stable"
    quick = max(QUICK_SPACES, QUICK_SHARE * (capacity or 0)) / window_min
    if found.per_min > 0:
        return "increasingQuickly" if found.per_min >= quick else "increasing"
    return "decreasingQuickly" if -found.per_min >= quick else "decreasing"


def noise(before: float | None, points: Sequence[Point], found: Rate | None, window_s: float) -> float | None:
    """The lot's noise as a rate: what its counts scatter about their line, learned slowly over the windows."""
    if found is None:
        return before
    start = points[0][0]
    lines = sorted(count - found.per_min * (at - start).total_seconds() / 60 for at, count in points)
    middle = lines[len(lines) // 2]
    scatter = sorted(abs(value - middle) for value in lines)[len(lines) // 2]
    now = scatter / (window_s / 60)
    return round(now if before is None else before + (now - before) / 20, 4)


def time_to_full(available: int | None, found: Rate | None, limits: Parking, fills: bool) -> TimeToFull | None:
    """When the last space goes at this rate; only where the lot fills without doubt, and within the cap."""
    if found is None or available is None or not fills or found.low <= 0:
        return None
    cap = limits.ttf_cap_min
    minutes = ceil(available / found.per_min)
    if minutes > cap:
        return None
    return TimeToFull(minutes, min(minutes, int(available / found.high)), min(cap, ceil(available / found.low)))


def fills(word: Trend | None) -> bool:
    return word in ("increasing", "increasingQuickly")
