"""What is remembered of every series between takes? Columns for all of them, tracks for those that are not at rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from math import isnan, nextafter
from typing import Final, NamedTuple

import msgspec
import numpy as np

from streams.water.columns import COARSEST
from streams.water.forecast import FLOOR, Outlook
from streams.water.qartod import Bools, Floats, Ints
from streams.water.rain import AMOUNTS, COUNTS, LONGEST, Record, record_of, severity
from streams.water.revisions import Told
from streams.water.ring import Ring, Slots
from streams.water.rules import ALWAYS, NEVER, Period, SeriesKey, SeriesRules, period_at
from streams.water.track import FLAG_MASK, NOTHING, RESTING, Track, resting_at, run

GAUGE_RING: Final = 2  # a gauge's day of late counts needs the day before it for its sums
INF: Final = float("inf")


class Kept(msgspec.Struct, frozen=True):
    """What must survive a restart of a series that is not at rest or was not within its ring. The rest are readings."""

    floor_at: int
    base: Track
    told: tuple[Told, ...] = ()
    outlooks: dict[str, Outlook] = {}  # by hazard


def pack(kept: Kept) -> bytes:
    """As it is stored: MessagePack, for its numbers may be infinite, which JSON cannot say."""
    return msgspec.msgpack.encode(kept)


def unpack(packed: bytes) -> Kept:
    return msgspec.msgpack.decode(packed, type=Kept)


class Point(NamedTuple):
    """A stored reading that is good by itself, as the database gives it back."""

    at: int
    value: float
    received: int
    flag: int
    is_coarse: bool = False

    @property
    def rank(self) -> int:
        """As columns.ranks."""
        return COARSEST if self.is_coarse else self.received


class SeriesTable:
    """State of the folds. Not shared between threads; thrown away when a transaction fails."""

    __slots__ = (
        "base_low", "bases", "begins", "ends", "good_at", "heard_at", "high",
        "is_counter", "last_at", "last_value", "low", "lowest_on", "newest_at", "noise",
        "offset", "outlooks", "quiet_high", "quiet_low", "rate", "resting", "ring", "rules", "scale", "slots",
        "suspect_at", "told", "tracks", "voids", "zone",
    )  # fmt: skip

    def __init__(self, zone: tzinfo, ring: Ring | None = None) -> None:
        self.zone = zone
        self.ring = Ring() if ring is None else ring
        self.slots: dict[SeriesKey, int] = {}
        self.rules: list[SeriesRules] = []
        self.tracks: dict[int, Track] = {}  # of series that are not at rest
        self.bases: dict[int, Track] = {}  # before the ring's first point, where that was not at rest
        self.told: dict[int, list[Told]] = {}  # alerts that touch the ring
        self.outlooks: dict[int, dict[str, Outlook]] = {}
        self.voids: dict[int, dict[int, int]] = {}  # of times that have no value: when that was received
        whole, real, truth = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)
        self.last_at: Ints = whole  # of the newest point, and its value
        self.last_value: Floats = real
        self.newest_at: Ints = whole  # of any reading, good or not
        self.good_at: Ints = whole  # newest time that was good; newest that was suspect, failed or missing
        self.suspect_at: Ints = whole
        self.heard_at: Ints = whole  # newest received_at
        self.resting: Bools = truth
        self.is_counter: Bools = truth
        self.begins: Ints = whole  # of the period that the columns below are of
        self.ends: Ints = whole
        self.scale: Floats = real
        self.offset: Floats = real
        self.low: Floats = real
        self.high: Floats = real
        self.rate: Floats = real
        self.noise: Floats = real
        self.base_low: Floats = real  # lowest good value within the ring
        self.lowest_on: Floats = real
        self.quiet_low: Floats = real
        self.quiet_high: Floats = real

    def __len__(self) -> int:
        return len(self.rules)

    def add(self, series: Mapping[SeriesKey, SeriesRules] | Iterable[tuple[SeriesKey, SeriesRules]]) -> None:
        """Make known series that are not yet; those that are get their new rules (a register changed)."""
        items = list(series.items() if isinstance(series, Mapping) else series)
        fresh = [(key, rules) for key, rules in items if key not in self.slots]
        for key, rules in fresh:
            self.slots[key] = len(self.rules)
            self.rules.append(rules)
        self._grow(len(self.rules))
        for key, rules in items:
            slot = self.slots[key]
            self.rules[slot] = rules
            self.is_counter[slot] = key[2] in COUNTS or key[2] in AMOUNTS
            last_at = int(self.last_at[slot])
            self.use_period(slot, rules.periods[-1] if last_at == ALWAYS else period_at(rules, last_at))

    def _grow(self, size: int) -> None:
        more = size - len(self.last_at)
        if more <= 0:
            return
        self.ring.add_series(size)
        empty: dict[str, float | int | bool] = {
            "last_at": ALWAYS, "last_value": np.nan, "newest_at": ALWAYS, "good_at": ALWAYS, "suspect_at": ALWAYS,
            "heard_at": ALWAYS, "resting": True, "is_counter": False, "begins": NEVER, "ends": ALWAYS, "scale": 1.0,
            "offset": 0.0, "low": -INF, "high": INF, "rate": INF, "noise": 0.0, "base_low": np.nan, "lowest_on": INF,
            "quiet_low": INF, "quiet_high": -INF,
        }  # fmt: skip
        for name, value in empty.items():
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.full(more, value, column.dtype)]))

    def use_period(self, slot: int, period: Period) -> None:
        self.begins[slot], self.ends[slot] = period.begins, period.ends
        self.scale[slot], self.offset[slot] = period.scale, period.offset
        self.low[slot], self.high[slot] = period.low, period.high
        self.rate[slot], self.noise[slot] = period.rate, period.noise
        self.lowest_on[slot] = min((hazard.lowest_on for hazard in period.hazards), default=INF)
        self.set_quiet(slot, period)

    def set_quiet(self, slot: int, period: Period) -> None:
        """Between which values a sample of this series need not be looked at one by one, while it is at rest."""
        if self.is_counter[slot]:
            dry = self.last_value[slot] if self.rules[slot].element in COUNTS else 0.0
            self.quiet_low[slot] = self.quiet_high[slot] = dry
            return
        if any(each.forecast is not None for each in self.outlooks.get(slot, {}).values()):
            self.quiet_low[slot], self.quiet_high[slot] = INF, -INF  # until the forecast comes true or expires
            return
        self.quiet_low[slot] = period.low
        self.quiet_high[slot] = min(self.floor_of(slot), period.high)

    def floor_of(self, slot: int) -> float:
        """Up to where a level is quiet: below its lowest threshold, and below where a forecast may begin."""
        on, base = float(self.lowest_on[slot]), float(self.base_low[slot])
        below = nextafter(on, -INF)
        return below if isnan(base) else min(base + FLOOR * (on - base), below)

    def floors(self, slots: Slots, base: Floats) -> Floats:
        """The same for many, above these lowest values."""
        on = self.lowest_on[slots]
        with np.errstate(invalid="ignore"):
            return np.fmin(base + FLOOR * (on - base), np.nextafter(on, -INF))

    def set_floor(self, slots: Slots) -> None:
        self.quiet_high[slots] = np.fmin(self.floors(slots, self.base_low[slots]), self.high[slots])

    def track_before_next(self, slot: int) -> Track:
        """The track after the newest point."""
        track = self.tracks.get(slot)
        if track is not None:
            return track
        if self.ring.length[slot]:
            return resting_at(int(self.last_at[slot]), float(self.last_value[slot]))
        return self.bases.get(slot, NOTHING)

    def remember(self, slot: int, track: Track) -> None:
        self.resting[slot] = track.is_resting
        if track.is_resting:
            self.tracks.pop(slot, None)
        else:
            self.tracks[slot] = track

    def judged(self, slot: int, rows: slice) -> list[float]:
        """What the danger sees of these points: their values, or of a gauge the severity of its sums."""
        rules = self.rules[slot]
        if not any(period.rain for period in rules.periods):
            values: list[float] = self.ring.value[rows].tolist()
            return values
        judged: list[float] = severities(rules, self.rain(slot, rows), self.ring.at[rows]).tolist()
        return judged

    def rain(self, slot: int, rows: slice) -> Record:
        """The rain of a gauge, as far back as the sums of these points look."""
        begin, first = int(self.ring.start[slot]), rows.start
        if rows.start < rows.stop:
            since = self.ring.at[rows.start] - LONGEST
            first = max(begin + int(np.searchsorted(self.ring.at[begin : rows.stop], since)) - 1, begin)
        known = slice(first, rows.stop)
        return record_of(self.rules[slot].element, self.ring.at[known], self.ring.value[known])

    def expire(self, slot: int) -> None:
        """Drop the points that late data may no longer change. The track before the first that stays is kept."""
        points = self.ring.expired(slot, GAUGE_RING if self.is_counter[slot] else 1)
        if not points:
            return
        span = self.ring.span(slot)
        dropped = slice(span.start, span.start + points)
        marks = self.ring.mark[dropped]
        if marks[-1] & RESTING:
            base = resting_at(int(self.ring.at[dropped.stop - 1]), float(self.ring.value[dropped.stop - 1]))
        else:
            ats = self.ring.at[dropped].tolist()
            base = run(self.bases.get(slot, NOTHING), self.rules[slot], ats, self.judged(slot, dropped)).track
        self.bases[slot] = base
        self.ring.drop(slot, points)
        floor_at = int(self.ring.floor_at[slot])
        told = [each for each in self.told.get(slot, ()) if (each.episode.ended_at or NEVER) > floor_at]
        if told:
            self.told[slot] = told
        else:
            self.told.pop(slot, None)
        if slot in self.voids:
            self.voids[slot] = {at: received for at, received in self.voids[slot].items() if at > floor_at}
        if self.ring.length[slot]:
            self.base_low[slot] = float(np.min(self.ring.value[self.ring.span(slot)]))

    def room(self, slot: int, points: int) -> None:
        if self.ring.length[slot] + points > self.ring.capacity[slot]:
            self.expire(slot)
            spare = int(self.ring.capacity[slot]) // 8  # so that not every point makes room for the next
            self.ring.make_room(slot, points + spare)

    def kept(self, slot: int) -> Kept | None:
        """What a restart needs beside the readings; None: nothing."""
        told = self.told.get(slot)
        base = self.bases.get(slot, NOTHING)
        outlooks = self.outlooks.get(slot, {})
        if not told and not outlooks and self.resting[slot] and base.is_resting:
            return None
        return Kept(int(self.ring.floor_at[slot]), base, tuple(told or ()), outlooks)

    def restore(
        self, slot: int, points: Sequence[Point], kept: Kept | None, voids: Mapping[int, int] | None = None
    ) -> None:
        """A series as it was: its points newer than the floor (of one at rest: as many as are at hand), in order."""
        self.voids.pop(slot, None)
        if voids:
            self.voids[slot] = dict(voids)
            self.suspect_at[slot] = max(int(self.suspect_at[slot]), *voids)
        self.tracks.pop(slot, None)
        self.bases.pop(slot, None)
        self.told.pop(slot, None)
        self.outlooks.pop(slot, None)
        self.ring.length[slot] = 0
        floor_at = ALWAYS if kept is None else kept.floor_at
        points = [point for point in points if point.at > floor_at]
        self.ring.floor_at[slot] = floor_at if kept is not None or not points else points[0].at - 1
        if kept is not None:
            self.bases[slot] = kept.base
            if kept.told:
                self.told[slot] = list(kept.told)
            if kept.outlooks:
                self.outlooks[slot] = dict(kept.outlooks)
        if not points:
            self.remember(slot, NOTHING if kept is None else kept.base)
            return
        self.ring.make_room(slot, len(points))
        self.ring.length[slot] = len(points)
        span = self.ring.span(slot)
        self.ring.at[span] = [point.at for point in points]
        self.ring.value[span] = [point.value for point in points]
        self.ring.rank[span] = [point.rank for point in points]
        if kept is None:
            self.ring.mark[span] = [p.flag & FLAG_MASK | (RESTING if p.flag == 1 else 0) for p in points]
            held = points[-1].flag == 2
            last = slice(span.stop - 1, span.stop)
            track = run(self._before_held(slot), self.rules[slot], [points[-1].at], self.judged(slot, last)).track
            self.remember(slot, track if held else resting_at(points[-1].at, points[-1].value))
        else:
            told = run(kept.base, self.rules[slot], [p.at for p in points], self.judged(slot, span))
            self.ring.mark[span] = told.marks
            self.remember(slot, told.track)
        self._columns_of_last(slot, points)

    def _before_held(self, slot: int) -> Track:
        span = self.ring.span(slot)
        good = np.flatnonzero(self.ring.mark[span] & RESTING)
        if not len(good):
            return NOTHING
        place = span.start + int(good[-1])
        return resting_at(int(self.ring.at[place]), float(self.ring.value[place]))

    def _columns_of_last(self, slot: int, points: Sequence[Point]) -> None:
        last = points[-1]
        self.last_at[slot], self.last_value[slot] = last.at, last.value
        self.newest_at[slot] = max(int(self.newest_at[slot]), last.at)
        self.good_at[slot], self.heard_at[slot] = last.at, max(point.received for point in points)
        self.base_low[slot] = min(point.value for point in points)
        self.use_period(slot, period_at(self.rules[slot], last.at))


def severities(rules: SeriesRules, record: Record, ats: Ints) -> Floats:
    """Of a gauge, by the sums that its rules of each time are about."""
    found = np.zeros(len(ats))
    for period in rules.periods:
        within = (ats >= period.begins) & (ats < period.ends)
        if period.rain and within.any():
            found[within] = severity(record, ats[within], period.rain)
    return found
