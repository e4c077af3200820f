"""Which stations are asked for their value now? Those whose next sample decides: a level crossed, or a jump held.

A question is about one sample, and is asked once. It is asked only while the sample is news by the log's clock: data
that come late and logs that are caught up ask nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from streams.alerts.episodes import NAMESPACE
from streams.water.rules import MINUTE, instant, period_at
from streams.water.series import SeriesTable

Doubt = Literal["crossing", "jump", "device"]  # device: it doubts itself (suspects.py)
NEWS_FOR: Final = 5 * MINUTE  # after it was measured
ANSWERED_WITHIN: Final = 1 * MINUTE  # a question that comes up when the sample is overdue already
WAITS_AT_MOST: Final = 10 * MINUTE  # where a threshold says no end


class Question(NamedTuple):
    station_id: str
    element: str  # that is judged
    hazard: str
    since: int  # the sample that is to be confirmed
    doubt: Doubt
    level: int  # that would be raised
    value: float
    overdue_at: int  # from then on it has waited longer than its threshold allows

    @property
    def id(self) -> uuid.UUID:
        """The same sample in the same doubt, the same question."""
        about = (self.station_id, self.element, instant(self.since).isoformat(), self.doubt)
        return uuid.uuid5(NAMESPACE, "\x1f".join(("question", *about)))

    def expires_at(self, clock: int) -> int | None:
        """Until when its answer is of use, by the log's clock now; None: it need not be asked any more."""
        if clock - self.since > NEWS_FOR:
            return None
        return max(min(self.overdue_at, clock + WAITS_AT_MOST), clock + ANSWERED_WITHIN)


def questions(table: SeriesTable, slots: Iterable[int]) -> list[Question]:
    """For the series of a take that changed (`Folded.changed_slots`), or for all tracks in a sweep."""
    found: list[Question] = []
    for slot in sorted(slots):
        track, rules = table.tracks.get(slot), table.rules[slot]
        if track is None:
            continue
        station, element = rules.station_id, rules.element
        line = track.line
        if line.held_at is not None:
            hazards = period_at(rules, line.held_at).hazards
            over = [(rule, each.hazard) for each in hazards for rule in each.levels if line.held_value >= rule.on]
            if over:
                since, wait = line.held_at, min(rule.confirm_max for rule, _ in over)
                top, name = max(over, key=lambda each: each[0].level)
                found.append(Question(station, element, name, since, "jump", top.level, line.held_value, since + wait))
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
                since, overdue_at = comparator.first, comparator.first + rule.confirm_max
                found.append(
                    Question(station, element, hazard.hazard, since, "crossing", rule.level, danger.peak, overdue_at)
                )
    return found
