"""Which crossings were there, by the record alone, and which of them were told and when?"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from streams.water.danger import Episode
from streams.water.qartod import GOOD
from streams.water.rain import record_of
from streams.water.revisions import AlertChange
from streams.water.rules import MINUTE, NEVER, HazardRules, instant, period_at
from streams.water.series import SeriesTable, severities
from streams.water.track import FLAG_MASK


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """The good samples crossed a level, without regard to confirmation."""

    station: str
    hazard: str
    level: int
    at: datetime
    found: Literal["hit", "missed", "unconfirmed"]  # unconfirmed: too few samples in a row for the rule
    delay_min: float | None = None


def crossings_of(table: SeriesTable, changes: Sequence[AlertChange]) -> list[Crossing]:
    """Each time the good samples went over `on` after `off`, of each level by itself; and when that was told first."""
    found: list[Crossing] = []
    last = {change.alert.alert_id: change.what for change in changes}
    withdrawn = {alert_id for alert_id, what in last.items() if what == "withdrawn"}
    by_subject: dict[tuple[str, str], list[AlertChange]] = {}
    for change in changes:
        if change.alert.alert_id not in withdrawn:
            by_subject.setdefault((change.alert.subject.subject, change.alert.subject.kind), []).append(change)
    for slot, rules in enumerate(table.rules):
        at, value, mark = table.ring.history(slot)
        if any(period.rain for period in rules.periods):
            value = severities(rules, record_of(rules.element, at, value), at)
        good = (mark & FLAG_MASK) == GOOD
        ats, values = at[good].tolist(), value[good].tolist()
        if not ats:
            continue
        for hazard in period_at(rules, ats[-1]).hazards:
            subject = (rules.station_id, hazard.hazard)
            own = by_subject.get(subject, [])
            found += [_crossing(subject, stay, own) for stay in _stays(hazard, ats, values)]
    return sorted(found, key=lambda each: (each.station, each.at, each.level))


class _Stay(NamedTuple):
    level: int
    begin: int  # first sample at or over `on`
    end: int  # the hold below `off` is over
    is_confirmed: bool


def _stays(hazard: HazardRules, ats: list[int], values: list[float]) -> list[_Stay]:
    stays = []
    for rule in hazard.levels:
        begin: int | None = None
        under: int | None = None
        in_a_row, since, is_confirmed = 0, 0, False
        for at, value in zip(ats, values, strict=True):
            in_a_row = in_a_row + 1 if value >= rule.on else 0
            if begin is None and in_a_row:
                begin, is_confirmed = at, False
            if in_a_row == 1:
                since = at
            if in_a_row > rule.confirm or (in_a_row > 1 and at - since >= rule.confirm_max):
                is_confirmed = True
            if begin is None:
                continue
            if value >= rule.off:
                under = None
            else:
                under = at if under is None else under
                if at - under >= rule.hold:
                    stays.append(_Stay(rule.level, begin, at, is_confirmed))
                    begin = under = None
        if begin is not None:
            stays.append(_Stay(rule.level, begin, ats[-1], is_confirmed))
    return stays


def _crossing(subject: tuple[str, str], stay: _Stay, changes: Sequence[AlertChange]) -> Crossing:
    """Told by the first revision that had an alert of this level or more standing within the stay."""
    told = []
    replaced_at: dict[uuid.UUID, int] = {}  # a revision stands until the next of its alert
    for change in reversed(changes):
        until = replaced_at.get(change.alert.alert_id, NEVER)
        replaced_at[change.alert.alert_id] = change.at
        if _stands(change.episode, stay, until):
            told.append(change.at)
    station, hazard = subject
    return Crossing(
        station=station,
        hazard=hazard,
        level=stay.level,
        at=instant(stay.begin),
        found="hit" if told else "missed" if stay.is_confirmed else "unconfirmed",
        delay_min=max(min(told) - stay.begin, 0) / MINUTE if told else None,
    )


def _stands(episode: Episode, stay: _Stay, replaced_at: int) -> bool:
    last = replaced_at if episode.ended_at is None else episode.ended_at
    ends = [step.at for step in episode.steps[1:]] + [last]
    return any(
        step.level >= stay.level and step.crossed_at <= stay.end and until > stay.begin
        for step, until in zip(episode.steps, ends, strict=True)
    )
