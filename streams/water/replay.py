"""What would have been alerted, and how good was it? Readings in the order in which they came, through the folds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

import msgspec
import numpy as np

from schemas.water import StationReading
from schemas.water_registers import WaterRegister
from streams.alerts.episodes import Change
from streams.water.columns import Columns, doubted, micros_of, stated_of
from streams.water.crossings import Crossing, crossings_of
from streams.water.danger import Episode, Step
from streams.water.fold import fold
from streams.water.forecast import Outlook
from streams.water.links import evidence_links
from streams.water.qartod import GOOD
from streams.water.quality import tests_text
from streams.water.revisions import AlertChange, Told
from streams.water.ring import Ring
from streams.water.rules import SeriesKey, SeriesRules, instant, rules_of
from streams.water.sentences import COLOUR_EN
from streams.water.series import SeriesTable

TAKE: Final = 1000  # readings folded at once; the answer does not depend on it


class Rise(msgspec.Struct, frozen=True, kw_only=True):
    """One rise of an alert to a level: a line of the replay."""

    alert_id: str
    station: str
    hazard: str
    level: str
    certainty: str
    raised_at: datetime  # when it went out
    observed_at: datetime  # when the water crossed the level
    ended_at: datetime | None
    revision: int
    delayed: bool = False
    retrospective: bool = False
    withdrawn: bool = False
    flapping: bool = False
    peak: float
    sentence_zh: str
    sentence_en: str


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
    ats: list[int]
    values: list[float]
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
    table.neighbours = evidence_links(register, table.slots, table.rules)
    return table


def replay(readings: Sequence[StationReading], register: WaterRegister, zone: tzinfo, take: int = TAKE) -> Replayed:
    """The alerts of these readings. Nothing is too late for a replay: its ring holds all."""
    table = table_of(register, zone, Ring(hours=1e6, most=1 << 40))
    changes: list[AlertChange] = []
    forecasts: list[Change] = []
    failed: dict[int, dict[int, Mark]] = {}
    judged = [row for row in readings if (row.source, row.station, row.element) in table.slots]
    for begin in range(0, len(judged), take):
        rows = judged[begin : begin + take]
        columns = columns_of_rows(table, rows)
        folded = fold(table, columns)
        changes.extend(folded.changes)
        forecasts.extend(folded.outlooks)
        for place in np.flatnonzero(folded.flag != GOOD).tolist():
            at, value = int(columns.at[place]), float(folded.judged[place])
            mark = Mark(at, value, int(folded.flag[place]), tests_text(int(folded.tests[place])))
            failed.setdefault(int(columns.slot[place]), {})[at] = mark
        for each in folded.requalified:
            marks = failed.setdefault(each.slot, {})
            where, _ = table.ring.place(each.slot, each.at)
            if each.flag == GOOD:
                marks.pop(each.at, None)
            else:
                value = float(table.ring.value[where])
                marks[each.at] = Mark(each.at, value, each.flag, tests_text(each.tests))
    episodes = final_episodes(table)
    rises = rises_of(changes, table)
    return Replayed(
        rises=rises,
        episodes=episodes,
        changes=changes,
        crossings=crossings_of(table, changes),
        shown=[_shown(table, key, slot, failed.get(slot, {})) for key, slot in table.slots.items()],
        forecasts=forecasts,
        outlooks={
            f"{table.rules[slot].station_id} {hazard}": outlook
            for slot, by_hazard in table.outlooks.items()
            for hazard, outlook in by_hazard.items()
        },
        readings=len(readings),
        unjudged=len(readings) - len(judged),
        flapped=sum(episode.flapping for _, episode in episodes),
    )


def columns_of_rows(table: SeriesTable, rows: Sequence[StationReading]) -> Columns:
    return Columns(
        slot=np.array([table.slots[row.source, row.station, row.element] for row in rows], np.int64),
        at=micros_of([row.observed_at for row in rows]),
        received=micros_of([row.received_at for row in rows]),
        value=np.array([np.nan if row.value is None else row.value for row in rows], np.float64),
        stated=stated_of([row.quality for row in rows]),
        device=doubted([",".join(row.flags) for row in rows]),
    )


def final_episodes(table: SeriesTable) -> list[tuple[str, Episode]]:
    """Station, hazard, levels, starts, ends and peak of all that was; the same however the readings came."""
    found = [
        (table.rules[slot].station_id, each.episode)
        for slot, told in table.told.items()
        for each in told
        if not each.is_withdrawn
    ]
    return sorted(found, key=lambda item: (item[0], item[1].hazard, item[1].started_at))


def rises_of(changes: Sequence[AlertChange], table: SeriesTable) -> list[Rise]:
    """Every rise of level that went out, with what became of it."""
    last: dict[str, AlertChange] = {str(change.alert.alert_id): change for change in changes}
    final = {str(told.alert.alert_id): told for all_told in table.told.values() for told in all_told}
    rises: list[Rise] = []
    level_told: dict[str, int] = {}
    highest_told: dict[str, int] = {}
    for change in changes:
        alert_id = str(change.alert.alert_id)
        if change.what == "withdrawn":
            level_told[alert_id] = 0
            continue
        told = final.get(alert_id)
        is_over = change.episode.ended_at is not None
        level = (highest_told if is_over else level_told).get(alert_id, 0)
        steps = _rise_above(change.episode, level)
        rises += [_rise(change, step, told, last[alert_id].alert.ended_at) for step in steps]
        level_told[alert_id] = change.episode.level
        highest_told[alert_id] = max([highest_told.get(alert_id, 0), *(step.level for step in steps)])
    return rises


def _rise(change: AlertChange, step: Step, told: Told | None, ended_at: datetime | None) -> Rise:
    return Rise(
        alert_id=str(change.alert.alert_id),
        station=change.alert.subject.subject,
        hazard=change.alert.subject.kind,
        level=COLOUR_EN[step.level],
        certainty=change.alert.certainty,
        raised_at=instant(change.at),
        observed_at=instant(step.crossed_at),
        ended_at=ended_at,
        revision=change.alert.revision,
        delayed=bool(change.alert.detail["delayed"]),
        retrospective=change.what == "retrospective",
        withdrawn=told is None or told.is_withdrawn or told.episode.highest < step.level,
        flapping=change.episode.flapping,
        peak=change.episode.peak if told is None else told.episode.peak,
        sentence_zh=change.alert.sentence_zh,
        sentence_en=change.alert.sentence_en,
    )


def _rise_above(episode: Episode, level: int) -> list[Step]:
    """The steps of the last rise that go over the level that was told; of an episode that is over, its new heights."""
    rising: list[Step] = []
    if episode.ended_at is not None:
        for step in episode.steps:
            if step.level > max(level, rising[-1].level if rising else 0):
                rising.append(step)
        return rising
    for step in reversed(episode.steps):
        if rising and step.level >= rising[-1].level:
            break
        rising.append(step)
    return [step for step in reversed(rising) if step.level > level]


def _shown(table: SeriesTable, key: SeriesKey, slot: int, marks: dict[int, Mark]) -> Shown:
    span = table.ring.span(slot)
    return Shown(
        key,
        table.rules[slot],
        table.ring.at[span].tolist(),
        table.ring.value[span].tolist(),
        [marks[at] for at in sorted(marks)],
    )
