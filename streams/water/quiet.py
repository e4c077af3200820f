"""What becomes of readings of which nothing is to be said but that they came?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.water.columns import Columns
from streams.water.qartod import GOOD, Bools, Floats, Ints
from streams.water.ring import FIRST_BLOCK
from streams.water.series import SeriesTable
from streams.water.track import RESTING

Places = npt.NDArray[np.int64]


def append_quiet(
    table: SeriesTable,
    columns: Columns,
    order: Places,
    slot: Places,
    at: Ints,
    value: Floats,
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
