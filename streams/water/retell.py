"""What does a late sample change? It is put where it belongs, and its series is told again from the rest before it.

Only the difference to what was told before comes out: readings that have another flag now, and revisions of alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from streams.water.columns import Folded, Requalified
from streams.water.danger import Episode, Step
from streams.water.qartod import GOOD, MISSING
from streams.water.quality import RATE_OF_CHANGE, SPIKE
from streams.water.rain import LONGEST, Reason, reason
from streams.water.revisions import Evidence, Told, revise
from streams.water.rules import ALWAYS, NEVER, period_at
from streams.water.series import SeriesTable
from streams.water.track import FLAG_MASK, NOTHING, RESTING, WAS_SPIKE, Track, resting_at, run
from streams.water.track import Told as Run

EVIDENCE: Final = 6  # samples that a transition keeps


def insert(
    table: SeriesTable, folded: Folded, place: int, slot: int, at: int, value: float, received: int, rank: int
) -> None:
    """A late sample, or another word about a time: of two the one of higher rank counts, of equals the higher value."""
    ring = table.ring
    where, is_there = ring.place(slot, at)
    if is_there:
        old = (int(ring.rank[where]), float(ring.value[where]))
        if value == old[1]:
            ring.rank[where] = max(rank, old[0])
            folded.repeat[place] = True
            folded.flag[place], folded.tests[place] = verdict_of(int(ring.mark[where]))
            return
        if (rank, value) < old:
            return
        ring.value[where], ring.rank[where] = value, rank
    else:
        where = ring.insert(slot, where, at, value, rank)
    table.good_at[slot] = max(int(table.good_at[slot]), at)
    within = where - int(ring.start[slot])
    _tell_again(table, folded, slot, within, received)
    where = int(ring.start[slot]) + within
    folded.flag[place], tests = verdict_of(int(ring.mark[where]))
    folded.tests[place] |= tests


def retract(table: SeriesTable, folded: Folded, slot: int, at: int, received: int, rank: int, flag: int) -> None:
    """The source says later that a value was none: it no longer counts.

    It is remembered, for the value that was received before it may come after it.
    """
    if flag == MISSING:
        return
    voids = table.voids.setdefault(slot, {})
    voids[at] = max(rank, voids.get(at, ALWAYS))
    if len(voids) > table.ring.most:
        table.voids[slot] = {each: voids[each] for each in sorted(voids)[len(voids) // 2 :]}
    ring = table.ring
    where, is_there = ring.place(slot, at)
    if not is_there or rank <= int(ring.rank[where]):
        return
    within = where - int(ring.start[slot])
    ring.remove(slot, where)
    _tell_again(table, folded, slot, within, received)


def is_void(table: SeriesTable, slot: int, at: int, rank: int) -> bool:
    """A word of higher rank said already that there is no value."""
    voids = table.voids.get(slot)
    return voids is not None and rank < voids.get(at, ALWAYS)


def _tell_again(table: SeriesTable, folded: Folded, slot: int, within: int, received: int) -> None:
    """Tell the samples of a series again from the last rest before the place, and compare."""
    ring = table.ring
    span = ring.span(slot)
    rest = _last_rest(table, slot, span.start + within)
    if rest is not None:
        first = rest + 1
        cut = int(ring.at[first - 1])
        track: Track = resting_at(cut, float(ring.value[first - 1]))
    else:
        first, cut, track = span.start, ALWAYS, table.bases.get(slot, NOTHING)
    changed = _changed_until(table, slot, span.start + within) - first
    told, old, ats = _run(table, slot, track, first, changed)
    for at, before, after in zip(ats, old, told.marks, strict=False):
        if before and (before ^ after) & (FLAG_MASK | WAS_SPIKE):
            folded.requalified.append(requalified(slot, at, after))
    stop = first + len(told.marks)
    ring.mark[first:stop] = told.marks
    until = NEVER
    if told.stopped:
        until = int(ring.at[stop - 1])
        track = NOTHING  # behind it nothing differs: what is open there is told already
    else:
        track = told.track
        table.remember(slot, track)
        empty = span.stop == span.start
        table.last_at[slot] = ring.floor_at[slot] if empty else ring.at[span.stop - 1]
        table.last_value[slot] = np.nan if empty else ring.value[span.stop - 1]
    touched = [
        each
        for each in table.told.get(slot, ())
        if (each.episode.ended_at or NEVER) > cut and each.episode.started_at <= until
    ]
    tell(table, folded, slot, track, told.ended, received, stop - 1, touched)


def _changed_until(table: SeriesTable, slot: int, place: int) -> int:
    """The place of the last point that a change at this one may concern: the sums of a gauge look back for a day."""
    if not table.is_counter[slot]:
        return place
    span = table.ring.span(slot)
    if place + 1 >= span.stop:
        return place
    until = table.ring.at[place + 1] + LONGEST
    last = int(np.searchsorted(table.ring.at[span], until, side="right")) - 1
    return int(span.start) + last


def _last_rest(table: SeriesTable, slot: int, place: int) -> int | None:
    """The place of the last point before it where the series was at rest."""
    begin = int(table.ring.start[slot])
    low = place
    while low > begin:
        high, low = low, max(begin, low - 64)
        rests = np.flatnonzero(table.ring.mark[low:high] & RESTING)
        if len(rests):
            return low + int(rests[-1])
    return None


def _run(table: SeriesTable, slot: int, track: Track, first: int, changed: int) -> tuple[Run, list[int], list[int]]:
    """Samples from `first` on, as few as tell the difference; with their old marks and their times."""
    ring = table.ring
    end = ring.span(slot).stop
    size = max(changed + 16, 64)
    while True:
        rows = slice(first, min(first + size, end))
        ats, old = ring.at[rows].tolist(), ring.mark[rows].tolist()
        told = run(track, table.rules[slot], ats, table.judged(slot, rows), old, changed)
        if told.stopped or rows.stop == end:
            return told, old, ats
        size *= 8


def tell(
    table: SeriesTable,
    folded: Folded,
    slot: int,
    track: Track,
    ended: Sequence[Episode],
    received: int,
    newest: int,
    touched: Sequence[Told],
) -> None:
    """Compare the episodes that a run of samples gave with what was told of them."""
    open_now = [danger.episode for danger in track.dangers.values() if danger.episode is not None]
    episodes = sorted([*ended, *open_now], key=lambda episode: (episode.started_at, episode.hazard))
    folded.changed_slots.add(slot)
    if not touched and not episodes:
        return
    evidence = _evidence(table, slot, newest)
    kept = [each for each in table.told.get(slot, ()) if each not in touched]
    now, changes = revise(
        table.rules[slot], touched, episodes, received, int(table.good_at[slot]), evidence, table.zone,
        lambda step: rain_reason(table, slot, step), {each.alert.alert_id for each in kept},
    )  # fmt: skip
    table.told[slot] = [*kept, *now]
    folded.changes.extend(changes)


def rain_reason(table: SeriesTable, slot: int, step: Step) -> Reason | None:
    """Which sum put a gauge at its level; None for what is no gauge."""
    rules = period_at(table.rules[slot], step.at).rain
    if not rules:
        return None
    place, is_there = table.ring.place(slot, step.at)
    if not is_there:
        return None
    return reason(table.rain(slot, slice(place, place + 1)), step.at, rules, step.level)


def _evidence(table: SeriesTable, slot: int, newest: int) -> Evidence:
    begin = max(int(table.ring.start[slot]), newest + 1 - EVIDENCE)
    rows = slice(begin, newest + 1)
    flags = (table.ring.mark[rows] & FLAG_MASK).tolist()
    return list(zip(table.ring.at[rows].tolist(), table.ring.value[rows].tolist(), flags, strict=True))


def requalified(slot: int, at: int, mark: int) -> Requalified:
    return Requalified(slot, at, *verdict_of(mark))


def verdict_of(mark: int) -> tuple[int, int]:
    flag = mark & FLAG_MASK
    tests = 0 if flag == GOOD else RATE_OF_CHANGE | (SPIKE if mark & WAS_SPIKE else 0)
    return flag, tests
