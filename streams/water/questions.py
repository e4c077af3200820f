"""Which stations are asked for their value now? Those whose next sample decides: a level crossed, or a jump held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from streams.water.rules import period_at
from streams.water.series import SeriesTable

Doubt = Literal["crossing", "jump"]


class Question(NamedTuple):
    station_id: str
    since: int  # the sample that is to be confirmed
    doubt: Doubt
    level: int  # that would be raised
    overdue_at: int  # from then on it has waited longer than its threshold allows


def questions(table: SeriesTable, slots: Iterable[int]) -> list[Question]:
    """For the series of a take that changed (`Folded.changed_slots`), or for all tracks in a sweep."""
    found: list[Question] = []
    for slot in sorted(slots):
        track, rules = table.tracks.get(slot), table.rules[slot]
        if track is None:
            continue
        line = track.line
        if line.held_at is not None:
            hazards = period_at(rules, line.held_at).hazards
            over = [rule for hazard in hazards for rule in hazard.levels if line.held_value >= rule.on]
            if over:
                wait = min(rule.confirm_max for rule in over)
                top = max(rule.level for rule in over)
                found.append(Question(rules.station_id, line.held_at, "jump", top, line.held_at + wait))
        for hazard in period_at(rules, int(table.last_at[slot])).hazards:
            danger = track.dangers.get(hazard.hazard)
            if danger is None:
                continue
            waiting = [
                (rule, comparator)
                for rule in hazard.levels
                if (comparator := danger.comparators[rule.level - 1]).count and not comparator.is_on
            ]
            if waiting:
                rule, comparator = waiting[-1]
                overdue_at = comparator.first + rule.confirm_max
                found.append(Question(rules.station_id, comparator.first, "crossing", rule.level, overdue_at))
    return found
