"""How many cars stand in a lot at a minute? A function of the lot and the time alone, so a restart changes nothing.

Owners' cars follow the day of their kind (commuters, shoppers, patients, the nights of estates, weekends), shifted and
scaled lot by lot; in a share window the public's cars come on top, and some leave late. Local time is UTC+8 all year.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec

from demo.district import Lot, Use
from demo.draws import between, wander

_ZONE = timedelta(hours=8)
_DAY = 24 * 60
Curve = tuple[tuple[float, float], ...]  # (hour, share of the spaces that is taken), from 0 to 24

_WEEKDAY: dict[Use, Curve] = {
    "estate": (
        (0, 0.93), (6, 0.93), (7.5, 0.80), (9, 0.55), (12, 0.50), (17, 0.55), (18.5, 0.72), (20, 0.86), (22, 0.92),
        (24, 0.93),
    ),
    "office": (
        (0, 0.12), (7, 0.14), (8.5, 0.55), (10, 0.92), (12, 0.86), (14, 0.95), (17.5, 0.85), (19, 0.45), (21, 0.22),
        (24, 0.12),
    ),
    "mall": (
        (0, 0.15), (8, 0.15), (11, 0.45), (13, 0.72), (15, 0.60), (18, 0.78), (20, 0.90), (22, 0.45), (24, 0.15),
    ),
    "hotel": ((0, 0.75), (8, 0.70), (11, 0.45), (15, 0.50), (19, 0.70), (22, 0.78), (24, 0.75)),
    "hospital": (
        (0, 0.22), (7, 0.35), (9, 0.98), (11, 1.04), (13, 0.85), (15, 0.97), (17, 0.60), (20, 0.35), (24, 0.22),
    ),
    "school": ((0, 0.05), (7, 0.30), (8.5, 0.75), (16, 0.72), (18, 0.20), (21, 0.06), (24, 0.05)),
    "market": ((0, 0.20), (4, 0.40), (8, 0.88), (12, 0.62), (17, 0.75), (20, 0.40), (24, 0.20)),
    "park": ((0, 0.10), (6.5, 0.40), (9, 0.32), (16, 0.40), (20, 0.60), (22, 0.20), (24, 0.10)),
}  # fmt: skip
_WEEKEND: dict[Use, Curve] = {
    "estate": ((0, 0.93), (8, 0.90), (11, 0.76), (15, 0.68), (18, 0.78), (21, 0.90), (24, 0.93)),
    "office": ((0, 0.08), (9, 0.12), (14, 0.25), (18, 0.15), (24, 0.08)),
    "mall": ((0, 0.20), (9, 0.25), (12, 0.78), (15, 1.00), (17, 1.06), (20, 0.96), (22, 0.60), (24, 0.20)),
    "hotel": ((0, 0.82), (9, 0.78), (12, 0.50), (16, 0.60), (20, 0.80), (24, 0.82)),
    "hospital": ((0, 0.20), (8, 0.40), (10, 0.72), (15, 0.60), (18, 0.35), (24, 0.20)),
    "school": ((0, 0.04), (9, 0.12), (15, 0.15), (19, 0.06), (24, 0.04)),
    "market": ((0, 0.20), (5, 0.45), (9, 0.80), (14, 0.60), (18, 0.40), (24, 0.20)),
    "park": ((0, 0.10), (8, 0.50), (10, 0.86), (15, 1.02), (18, 0.75), (21, 0.35), (24, 0.10)),
}  # fmt: skip


class Occupied(msgspec.Struct, frozen=True, kw_only=True):
    """Cars inside: of the owners, of the public in the share window, and in each other pool."""

    own: int
    shared: int
    pools: dict[str, int]

    @property
    def public(self) -> int:
        return self.own + self.shared


def minute_of(at: datetime) -> int:
    """Minutes since 1970."""
    return int(at.timestamp()) // 60


def time_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def occupancy(lot: Lot, minute: int) -> Occupied:
    shift = round(between(-40, 40, "shift", lot.number))
    share = _curve(lot.use, minute - shift) * between(0.86, 1.1, "level", lot.number)
    share += 0.10 * wander(minute, 45, "slow", lot.number) + 0.03 * wander(minute, 4, "fast", lot.number)
    own = min(max(round(lot.capacity * share), 0), lot.capacity)
    shared = min(_shared(lot, minute), lot.capacity - own)
    pools = {
        pool: min(max(round(capacity * (0.75 * share + 0.4 * wander(minute, 30, pool, lot.number))), 0), capacity)
        for pool, capacity in lot.pools.items()
    }
    return Occupied(own=own, shared=shared, pools=pools)


def since_open(lot: Lot, minute: int) -> int | None:
    """Minutes since the lot's share window opened; None while it is closed."""
    start, end = _clock(lot.window.start), _clock(lot.window.end)
    length = end - start if end > start else end - start + _DAY
    local = minute + int(_ZONE.total_seconds()) // 60
    for day in (local // _DAY, local // _DAY - 1):
        into = local - day * _DAY - start
        if 0 <= into < length and (not lot.window.weekdays or _weekday(day) in lot.window.weekdays):
            return into
    return None


def _shared(lot: Lot, minute: int) -> int:
    """Cars of the public: they come within an hour and a half, and one in twelve overstays some minutes."""
    wanted = between(0.45, 0.95, "wanted", lot.number) + 0.3 * wander(minute, 60, "shared", lot.number)
    level = min(max(wanted, 0.0), 1.0) * lot.shared
    into = since_open(lot, minute)
    if into is not None:
        return round(level * min(1.0, (into + 1) / 90))
    for late in range(1, 21):
        if since_open(lot, minute - late) is not None:
            return round(level / 12 * (1 - late / 21))
    return 0


def _curve(use: Use, minute: int) -> float:
    local = minute + int(_ZONE.total_seconds()) // 60
    day, into = divmod(local, _DAY)
    curve = (_WEEKEND if _weekday(day) >= 6 else _WEEKDAY)[use]
    hour = into / 60
    for (left, low), (right, high) in pairwise(curve):
        if left <= hour <= right:
            return low + (high - low) * (hour - left) / (right - left)
    raise AssertionError(hour)


def _weekday(day: int) -> int:
    """1 is Monday; day 0 was Thursday, 1 January 1970."""
    return (day + 3) % 7 + 1


def _clock(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)
