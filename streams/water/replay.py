"""What would have been alerted, and how good was it? Readings in the order in which they came, through the folds.

The quality marks are those of the folds. Stuck sensors are found by the sweep, from many stations at once and the rain
of their basins: they change no alert, and are not marked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Final

import msgspec
import numpy as np

from schemas.water import StationReading
from schemas.water_registers import WaterRegister
from streams.alerts.episodes import Change
from streams.water.columns import Columns, Folded, doubted, micros_of, ranks, stated_of
from streams.water.crossings import Crossing, crossings_of
from streams.water.danger import Episode
from streams.water.fold import fold
from streams.water.forecast import Outlook
from streams.water.qartod import GOOD, Floats, Ints
from streams.water.quality import tests_text
from streams.water.revisions import AlertChange
from streams.water.ring import Ring
from streams.water.rises import Rise, final_episodes, final_told, rises_of
from streams.water.rules import ALWAYS, NEVER, SeriesKey, SeriesRules, micros, rules_of
from streams.water.series import SeriesTable

TAKE: Final = 1000  # readings folded at once; the answer does not depend on it


class Mark(msgspec.Struct, frozen=True):
    """A sample that is not good."""

    at: int
    value: float
    flag: int
    tests: str


class Shown(msgspec.Struct, frozen=True):
    """What a picture of a series needs."""

    key: SeriesKey
    rules: SeriesRules
    ats: Ints
    values: Floats
    marks: list[Mark]


class Replayed(msgspec.Struct, frozen=True):
    rises: list[Rise]
    episodes: list[tuple[str, Episode]]  # by station, in the order of their beginning: the final history
    changes: list[AlertChange]
    crossings: list[Crossing]
    shown: list[Shown]
    forecasts: list[Change]  # told beside the alerts, always apart from them
    outlooks: dict[str, Outlook]  # by station and hazard: how often forecasts came true
    readings: int
    unjudged: int
    flapped: int


def table_of(register: WaterRegister, zone: tzinfo, ring: Ring | None = None) -> SeriesTable:
    table = SeriesTable(zone, ring)
    table.add(rules_of(register))
    return table


def replay(readings: Sequence[StationReading], register: WaterRegister, zone: tzinfo, take: int = TAKE) -> Replayed:
    """The alerts of these readings. Nothing is too late for a replay of files: its ring holds all."""
    table = table_of(register, zone, Ring(hours=1e6, most=1 << 40))
    judged = [row for row in readings if (row.source, row.station, row.element) in table.slots]
    takes = (columns_of_rows(table, judged[begin : begin + take]) for begin in range(0, len(judged), take))
    played = play(table, takes)
    unjudged = len(readings) - len(judged)
    return msgspec.structs.replace(played, readings=len(readings), unjudged=unjudged)


def play(table: SeriesTable, takes: Iterable[Columns], since: int = ALWAYS) -> Replayed:
    """What these takes say, in the order in which they were received; what was before `since` only prepares."""
    changes: list[AlertChange] = []
    forecasts: list[Change] = []
    failed: dict[int, dict[int, Mark]] = {}
    readings = 0
    for columns in takes:
        folded = fold(table, columns)
        changes.extend(folded.changes)
        forecasts.extend(each for each in folded.outlooks if micros(each.at) >= since)
        readings += int(np.count_nonzero(columns.received >= since))
        _mark(table, columns, folded, failed)
    final = final_told(table, changes)
    episodes = [(name, each) for name, each in final_episodes(table, changes) if (each.ended_at or NEVER) > since]
    return Replayed(
        rises=[rise for rise in rises_of(changes, final) if micros(rise.raised_at) >= since],
        episodes=episodes,
        changes=[change for change in changes if change.at >= since],
        crossings=[each for each in crossings_of(table, changes) if micros(each.at) >= since],
        shown=[_shown(table, key, slot, failed.get(slot, {}), since) for key, slot in table.slots.items()],
        forecasts=forecasts,
        outlooks={
            f"{table.rules[slot].station_id} {hazard}": outlook
            for slot, by_hazard in table.outlooks.items()
            for hazard, outlook in by_hazard.items()
        },
        readings=readings,
        unjudged=0,
        flapped=sum(episode.flapping for _, episode in episodes),
    )


def _mark(table: SeriesTable, columns: Columns, folded: Folded, failed: dict[int, dict[int, Mark]]) -> None:
    """Which samples are not good, now that these have come."""
    for place in np.flatnonzero(folded.flag != GOOD).tolist():
        at, value = int(columns.at[place]), float(folded.judged[place])
        mark = Mark(at, value, int(folded.flag[place]), tests_text(int(folded.tests[place])))
        failed.setdefault(int(columns.slot[place]), {})[at] = mark
    for each in folded.requalified:
        marks = failed.setdefault(each.slot, {})
        if each.flag == GOOD:
            marks.pop(each.at, None)
        else:
            where, _ = table.ring.place(each.slot, each.at)
            value = float(table.ring.value[where])
            marks[each.at] = Mark(each.at, value, each.flag, tests_text(each.tests))


def columns_of_rows(table: SeriesTable, rows: Sequence[StationReading]) -> Columns:
    flags, received = [",".join(row.flags) for row in rows], micros_of([row.received_at for row in rows])
    return Columns(
        slot=np.array([table.slots[row.source, row.station, row.element] for row in rows], np.int64),
        at=micros_of([row.observed_at for row in rows]),
        received=received,
        value=np.array([np.nan if row.value is None else row.value for row in rows], np.float64),
        stated=stated_of([row.quality for row in rows]),
        device=doubted(flags),
        rank=ranks(received, flags),
    )


def _shown(table: SeriesTable, key: SeriesKey, slot: int, marks: dict[int, Mark], since: int) -> Shown:
    ats, values, _ = table.ring.history(slot)
    first = int(np.searchsorted(ats, since))
    own = [marks[at] for at in sorted(marks) if at >= since]
    return Shown(key, table.rules[slot], ats[first:], values[first:], own)
