"""Which rises of level went out, and what became of each? The lines of a replay."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from streams.water.danger import Episode, Step
from streams.water.revisions import AlertChange, Told
from streams.water.rules import instant
from streams.water.sentences import COLOUR_EN
from streams.water.series import SeriesTable


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


def final_told(table: SeriesTable, changes: Sequence[AlertChange]) -> dict[uuid.UUID, Told]:
    """Each alert as it is known in the end: by the table, or by its last change where the table has let it go."""
    found = {each.alert.alert_id: Told(each.alert, each.episode, each.what == "withdrawn") for each in changes}
    found.update({told.alert.alert_id: told for of_series in table.told.values() for told in of_series})
    return found


def final_episodes(table: SeriesTable, changes: Sequence[AlertChange] = ()) -> list[tuple[str, Episode]]:
    """Station, hazard, levels, starts, ends and peak of all that was; the same however the readings came."""
    found = [
        (told.alert.subject.subject, told.episode)
        for told in final_told(table, changes).values()
        if not told.is_withdrawn
    ]
    return sorted(found, key=lambda item: (item[0], item[1].hazard, item[1].started_at))


def rises_of(changes: Sequence[AlertChange], final: Mapping[uuid.UUID, Told]) -> list[Rise]:
    """Every rise of level that went out, with what became of it (`final`)."""
    rises: list[Rise] = []
    level_told: dict[uuid.UUID, int] = {}
    highest_told: dict[uuid.UUID, int] = {}
    for change in changes:
        alert_id = change.alert.alert_id
        if change.what == "withdrawn":
            level_told[alert_id] = 0
            continue
        told = final[alert_id]
        is_over = change.episode.ended_at is not None
        level = (highest_told if is_over else level_told).get(alert_id, 0)
        steps = _rise_above(change.episode, level)
        rises += [_rise(change, step, told) for step in steps]
        level_told[alert_id] = change.episode.level
        highest_told[alert_id] = max([highest_told.get(alert_id, 0), *(step.level for step in steps)])
    return rises


def _rise(change: AlertChange, step: Step, told: Told) -> Rise:
    return Rise(
        alert_id=str(change.alert.alert_id),
        station=change.alert.subject.subject,
        hazard=change.alert.subject.kind,
        level=COLOUR_EN[step.level],
        certainty=change.alert.certainty,
        raised_at=instant(change.at),
        observed_at=instant(step.crossed_at),
        ended_at=told.alert.ended_at,
        revision=change.alert.revision,
        delayed=bool(change.alert.detail["delayed"]),
        retrospective=change.what == "retrospective",
        withdrawn=told.is_withdrawn or told.episode.highest < step.level,
        flapping=told.episode.flapping,
        peak=told.episode.peak,
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
