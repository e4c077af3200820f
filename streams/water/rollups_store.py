"""Which sums must be computed again, because a take wrote or judged readings of buckets that are closed? SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg

from streams.water.columns import Requalified
from streams.water.qartod import Ints
from streams.water.rollups import closed_of
from streams.water.rules import MINUTE, instant, micros

FINEST: Final = 5 * MINUTE

_UNTIL = "select at from sweep_progress where sweep = 'rollups'"
_MARK = """
insert into water_rollup_due (step_min, bucket, first_series, last_series)
select m.step_min, m.bucket, m.series_id, m.series_id
from unnest(%s::int2[], %s::timestamptz[], %s::int[]) as m (step_min, bucket, series_id)
on conflict (step_min, bucket, first_series, last_series) do update set bucket = excluded.bucket
"""  # the update locks a mark: who takes it waits for this transaction, and sees its readings


def mark_due(
    cursor: psycopg.Cursor[Any],
    touched: Sequence[tuple[npt.NDArray[np.int64], Ints]],
    requalified: Sequence[tuple[int, Requalified]],
    zone: tzinfo,
) -> None:
    """`touched`: series numbers and times of what was said. The fences are locked, so no bucket closes meanwhile."""
    if not touched and not requalified:
        return
    progress = cursor.execute(_UNTIL).fetchone()
    if progress is None:
        return
    until = micros(progress[0])
    found = {(number, each.at // FINEST) for number, each in requalified if each.at < until}
    for numbers, ats in touched:
        closed = ats < until
        if closed.any():
            found.update(zip(numbers[closed].tolist(), (ats[closed] // FINEST).tolist(), strict=True))
    marks = sorted(
        {
            (step_min, bucket, number)
            for number, place in found
            for step_min, bucket in closed_of(instant(place * FINEST), progress[0], zone)
        }
    )
    if marks:  # in the order of their key, as they are taken
        cursor.execute(_MARK, tuple([mark[i] for mark in marks] for i in range(3)))
