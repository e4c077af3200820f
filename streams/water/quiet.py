"""What becomes of readings of which nothing is to be said but that they came? And which lines stand still?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.water.columns import Columns, Folded
from streams.water.qartod import GOOD, SUSPECT, Bools, Floats, Ints
from streams.water.quality import FLAT_LINE, NOISES
from streams.water.rain import HEAVY_MM, sums
from streams.water.ring import FIRST_BLOCK
from streams.water.series import SeriesTable
from streams.water.track import RESTING

Places = npt.NDArray[np.int64]


def append_quiet(
    table: SeriesTable,
    columns: Columns,
    folded: Folded,
    order: Places,
    slot: Places,
    at: Ints,
    value: Floats,
    before_value: Floats,
    begins: Places,
    counts: Places,
    is_quiet: Bools,
) -> None:
    """The fast road: every reading of these series is quiet."""
    begins, counts = begins[is_quiet], counts[is_quiet]
    group = slot[begins]
    ring = table.ring
    full = ring.length[group] + counts > ring.capacity[group]
    if full.any():
        is_first = full & (ring.capacity[group] == 0) & (counts <= FIRST_BLOCK)
        ring.begin_blocks(group[is_first])
        more = full & ~is_first
        for each, points in zip(group[more].tolist(), counts[more].tolist(), strict=True):
            table.room(each, points)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.repeat(begins, counts) + within
    target = np.repeat(ring.start[group] + ring.length[group], counts) + within
    ats, values = at[rows], value[rows]
    ring.at[target], ring.value[target] = ats, values
    ring.rank[target] = (columns.received if columns.rank is None else columns.rank)[order[rows]]
    ring.mark[target] = GOOD | RESTING
    ring.length[group] += counts
    last = begins + counts - 1
    table.last_at[group] = table.good_at[group] = at[last]
    table.newest_at[group] = np.maximum(table.newest_at[group], at[last])
    table.last_value[group] = value[last]
    lowest = np.minimum.reduceat(values, np.cumsum(counts) - counts)
    deeper = ~(lowest >= table.base_low[group]) & ~table.is_counter[group]
    if deeper.any():
        table.base_low[group[deeper]] = lowest[deeper]
        table.set_floor(group[deeper])
    flat(table, folded, order[rows], slot[rows], ats, values, before_value[rows], begins, counts, group)


def flat(
    table: SeriesTable,
    folded: Folded,
    places: Places,
    slot: Places,
    at: Ints,
    value: Floats,
    before: Floats,
    begins: Places,
    counts: Places,
    group: Places,
) -> None:
    """Since when does each line stand still, which of them should not, and whose movement speaks for its neighbours?"""
    moved = value != before
    since = table.flat_since[slot]
    if moved.any():
        firsts = np.repeat(np.cumsum(counts) - counts, counts)
        newest = np.maximum.accumulate(np.where(moved, np.arange(len(moved)), -1))
        has_moved = newest >= firsts
        since = np.where(has_moved, at[np.maximum(newest, 0)], since)
        if table.neighbours:
            noise = table.noise[slot]
            rows = moved & (noise > 0) & (np.abs(value - table.anchor[slot]) > NOISES * noise)
            rows |= moved & np.isnan(table.anchor[slot])
            table.anchor[slot[rows]] = value[rows]
            for place in np.flatnonzero(rows).tolist():
                near = table.neighbours.get(int(slot[place]))
                if near is not None:
                    table.moved_at[near] = np.maximum(table.moved_at[near], at[place])
        last = np.cumsum(counts) - 1
        changed = has_moved[last]
        table.flat_since[group[changed]] = since[last[changed]]
    stuck = (at - since >= table.flat_line[slot]) & (table.moved_at[slot] > since) & ~table.is_counter[slot]
    if stuck.any():
        folded.flag[places[stuck]] = SUSPECT
        folded.tests[places[stuck]] |= FLAT_LINE
        np.maximum.at(table.suspect_at, slot[stuck], at[stuck])


def flat_one(table: SeriesTable, folded: Folded, place: int, slot: int, at: int, value: float, before: float) -> None:
    """As `flat`, of one sample."""
    since = int(table.flat_since[slot])
    if value != before:
        table.flat_since[slot] = since = at
        near = table.neighbours.get(slot)
        anchor, noise = float(table.anchor[slot]), float(table.noise[slot])
        if table.neighbours and (anchor != anchor or 0 < NOISES * noise < abs(value - anchor)):
            table.anchor[slot] = value
            if near is not None:
                table.moved_at[near] = np.maximum(table.moved_at[near], at)
    if at - since >= table.flat_line[slot] and table.moved_at[slot] > since and not table.is_counter[slot]:
        folded.flag[place] = SUSPECT
        folded.tests[place] |= FLAT_LINE
        table.suspect_at[slot] = max(int(table.suspect_at[slot]), at)


def heavy_rain(table: SeriesTable, slot: int, place: int, at: int) -> None:
    """Where it rains heavily the water moves: evidence against lines that stand still."""
    near = table.neighbours.get(slot)
    if near is not None:
        fell, _ = sums(table.rain(slot, slice(place, place + 1)), np.array([at], np.int64), 1)
        if fell[0] >= HEAVY_MM:
            table.moved_at[near] = np.maximum(table.moved_at[near], at)
