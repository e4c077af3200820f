"""What do these readings change? Quality of each, and the revisions of alerts, for columns of many series at once.

The fast road takes whole columns: readings that are good, newer than their series, in range, without a jump and far
from every threshold, of series that are at rest. The slow road takes the others one by one, in the order in which they
came. What is late is told again (retell.py).
"""

from __future__ import annotations

import numpy as np

from streams.water.columns import Columns, Folded
from streams.water.danger import REST
from streams.water.forecast import WINDOW, Outlook, Situation, look
from streams.water.qartod import GOOD, Bools
from streams.water.quality import NOISES, RATE_OF_CHANGE, intrinsic
from streams.water.quiet import append_quiet
from streams.water.retell import insert, is_void, requalified, retract, tell
from streams.water.rules import period_at
from streams.water.series import SeriesTable
from streams.water.track import FLAG_MASK, Track, run


def fold(table: SeriesTable, columns: Columns) -> Folded:
    """Apply readings to the table, in place, and say what they changed."""
    slot, at = columns.slot, columns.at
    judged = columns.value * table.scale[slot] + table.offset[slot]
    known_period = (at >= table.begins[slot]) & (at < table.ends[slot])
    low, high = table.low[slot], table.high[slot]
    if not known_period.all():
        for place in np.flatnonzero(~known_period).tolist():
            period = period_at(table.rules[slot[place]], int(at[place]))
            judged[place] = columns.value[place] * period.scale + period.offset
            low[place], high[place] = period.low, period.high
    flag, tests = intrinsic(judged, columns.stated, columns.device, at, columns.received, low, high)
    folded = Folded(flag, tests, judged, at <= table.newest_at[slot], np.zeros(len(slot), np.bool_))
    np.maximum.at(table.heard_at, slot, columns.received)
    good = flag == GOOD
    if not good.all():
        bad = ~good
        np.maximum.at(table.suspect_at, slot[bad], at[bad])
    _fold_good(table, columns, folded, good & known_period, good)
    return folded


def _fold_good(table: SeriesTable, columns: Columns, folded: Folded, quiet: Bools, good: Bools) -> None:
    order = np.argsort(columns.slot, kind="stable")
    slot, at, value = columns.slot[order], columns.at[order], folded.judged[order]
    is_first = np.empty(len(slot), np.bool_)
    if not len(slot):
        return
    is_first[0] = True
    np.not_equal(slot[1:], slot[:-1], out=is_first[1:])
    before_at, before_value = np.empty_like(at), np.empty_like(value)
    before_at[1:], before_value[1:] = at[:-1], value[:-1]
    begins = np.flatnonzero(is_first)
    group = slot[begins]
    before_at[begins], before_value[begins] = table.last_at[group], table.last_value[group]
    span = at - before_at
    with np.errstate(invalid="ignore"):
        reach = np.maximum(table.rate[slot] * span, NOISES * table.noise[slot])
        is_quiet = (
            quiet[order]
            & table.resting[slot]
            & (span > 0)
            & (value >= table.quiet_low[slot])
            & (value <= table.quiet_high[slot])
            & ((np.abs(value - before_value) <= reach) | np.isnan(before_value))
        )
    if table.voids:
        is_quiet &= at > table.suspect_at[slot]  # before that a value may be void
    loud = np.logical_or.reduceat(~is_quiet, begins)
    lowest = np.fmin(np.minimum.reduceat(value, begins), table.base_low[group])  # of a take: it may fall, then rise
    loud |= (np.maximum.reduceat(value, begins) > table.floors(group, lowest)) & ~table.is_counter[group]
    counts = np.diff(begins, append=len(slot))
    taken = np.repeat(~loud, counts)
    if loud.all():
        taken = np.zeros(len(slot), np.bool_)
    else:
        append_quiet(table, columns, order, slot, at, value, begins, counts, ~loud)
    if loud.any():
        places = np.sort(order[~taken])
        folded.slow = len(places)
        for place in places.tolist():
            _slow(table, columns, folded, place, bool(good[place]))


def _slow(table: SeriesTable, columns: Columns, folded: Folded, place: int, is_good: bool) -> None:
    slot, at = int(columns.slot[place]), int(columns.at[place])
    received, value = int(columns.received[place]), float(folded.judged[place])
    rank = received if columns.rank is None else int(columns.rank[place])
    last_at = int(table.last_at[slot])
    folded.late[place] = at <= table.newest_at[slot]
    table.newest_at[slot] = max(int(table.newest_at[slot]), at)
    if not is_good:
        if at > table.ring.floor_at[slot]:
            retract(table, folded, slot, at, received, rank, int(folded.flag[place]))
        return
    if is_void(table, slot, at, rank):
        return
    if at > last_at:
        _append(table, folded, place, slot, at, value, received, rank)
    elif at <= table.ring.floor_at[slot]:
        folded.too_late += 1
    else:
        insert(table, folded, place, slot, at, value, received, rank)
    table.set_quiet(slot, period_at(table.rules[slot], int(table.last_at[slot])))


def _append(
    table: SeriesTable, folded: Folded, place: int, slot: int, at: int, value: float, received: int, rank: int
) -> None:
    """The next sample of a series that is not quiet."""
    ring, rules = table.ring, table.rules[slot]
    track = table.track_before_next(slot)
    table.room(slot, 1)
    end = int(ring.start[slot] + ring.length[slot])
    ring.at[end], ring.value[end], ring.rank[end] = at, value, rank
    ring.length[slot] += 1
    told = run(track, rules, (at,), table.judged(slot, slice(end, end + 1)))
    ring.mark[end] = told.marks[0]
    if told.held is not None and ring.length[slot] > 1:
        ring.mark[end - 1] = told.held
        folded.requalified.append(requalified(slot, int(ring.at[end - 1]), told.held))
    flag = told.marks[0] & FLAG_MASK
    folded.flag[place] = flag
    if flag != GOOD:
        folded.tests[place] |= RATE_OF_CHANGE
    if at >= table.ends[slot] or at < table.begins[slot]:
        table.use_period(slot, period_at(rules, at))
    table.last_at[slot], table.last_value[slot] = at, value
    table.base_low[slot] = np.fmin(table.base_low[slot], value)
    if flag == GOOD:
        table.good_at[slot] = at
    table.remember(slot, told.track)
    if told.ended or _has_news(track, told.track):
        open_before = [each for each in table.told.get(slot, ()) if each.episode.ended_at is None or each.is_withdrawn]
        tell(table, folded, slot, told.track, told.ended, received, end, open_before)
    elif not told.track.is_resting or not track.is_resting:
        folded.changed_slots.add(slot)
    if flag == GOOD and not table.is_counter[slot]:
        _look_ahead(table, folded, slot, end, received)


def _has_news(before: Track, after: Track) -> bool:
    """An episode began or is another."""
    return after.dangers is not before.dangers and any(
        danger.episode is not before.dangers.get(hazard, REST).episode for hazard, danger in after.dangers.items()
    )


def _look_ahead(table: SeriesTable, folded: Folded, slot: int, newest: int, received: int) -> None:
    """The outlook after the newest sample, for each hazard."""
    rules, ring = table.rules[slot], table.ring
    at = int(ring.at[newest])
    outlooks = table.outlooks.get(slot, {})
    if at < received - rules.fresh_for and not outlooks:
        return
    standing = any(each.forecast is not None for each in outlooks.values())
    if not standing and float(ring.value[newest]) < table.floor_of(slot):
        return
    begin = int(ring.start[slot])
    first = begin + int(np.searchsorted(ring.at[begin : newest + 1], at - WINDOW))
    good = (ring.mark[first : newest + 1] & FLAG_MASK) == GOOD
    ats, values = ring.at[first : newest + 1][good].tolist(), ring.value[first : newest + 1][good].tolist()
    track = table.tracks.get(slot)
    for hazard in period_at(rules, at).hazards:
        before = outlooks.get(hazard.hazard, Outlook())
        danger = REST if track is None else track.dangers.get(hazard.hazard, REST)
        situation = Situation(ats, values, float(table.base_low[slot]), danger.level, received)
        after, changes = look(before, rules, hazard, situation, table.zone)
        if after is not before:
            outlooks = {**outlooks, hazard.hazard: after}
            table.outlooks[slot] = outlooks
            folded.outlooks.extend(changes)
            folded.changed_slots.add(slot)
