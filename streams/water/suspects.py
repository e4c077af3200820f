"""Which samples would raise an alert if their own device, or their source, did not call them doubtful?

A storm takes the mains, the battery runs low, and all that a station says is suspect: no threshold sees it. So the
newest word of a station is held against its lines once more, as a doubt. A sample that is good by itself decides; what
failed or is missing decides nothing, nor does silence. A gauge is judged by sums, and a doubtful count is no sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from streams.alerts.episodes import Alert, Subject
from streams.water.doubts import Doubted, is_of
from streams.water.qartod import GOOD
from streams.water.questions import Question
from streams.water.rules import NEVER, SeriesKey, SeriesRules, instant, is_gauge, micros, period_at
from streams.water.watched import Newest, Watched


class Sample(NamedTuple):
    """The newest of a series that is good by itself, or that is doubted. Its value as it was said."""

    at: int
    value: float
    is_doubted: bool
    words: tuple[str, ...] = ()  # of the reading's flags


def undecided(
    watched: Mapping[str, Watched], newest: Mapping[SeriesKey, Newest], told: Mapping[Subject, Alert], minute: datetime
) -> dict[SeriesKey, int]:
    """The series whose newest word is not good, each with the time from which on its samples matter.

    told  what is told as not confirmed: the sample that it speaks of matters for as long as it stands
    """
    found: dict[SeriesKey, int] = {}
    now = micros(minute)
    standing: dict[str, int] = {}
    for subject, alert in told.items():
        standing[subject.subject] = min(_since(alert), standing.get(subject.subject, NEVER))
    for station_id, each in watched.items():
        for key, rules in _held_against_lines(each):
            last = newest.get(key)
            if last is None or last.flag == GOOD:
                continue
            fresh = now - rules.fresh_for
            if station_id in standing or last.at > fresh:
                found[key] = min(fresh, standing.get(station_id, NEVER))
    return found


def doubted(
    watched: Mapping[str, Watched],
    samples: Mapping[SeriesKey, Sample],
    told: Mapping[Subject, Alert],
    in_danger: Mapping[tuple[str, str], int],
    minute: datetime,
) -> list[Doubted]:
    """What the newest samples would raise above the danger that stands. What is not fresh raises nothing new."""
    found = []
    for station_id, each in watched.items():
        for key, rules in _held_against_lines(each):
            sample = samples.get(key)
            if sample is None or not sample.is_doubted:
                continue
            period = period_at(rules, sample.at)
            value = sample.value * period.scale + period.offset
            is_fresh = sample.at > micros(minute) - rules.fresh_for
            for hazard in period.hazards:
                standing = told.get(is_of(station_id, hazard.hazard))
                held = 0 if standing is None else standing.level
                over = [rule.level for rule in hazard.levels if value >= (rule.on if rule.level > held else rule.off)]
                level = max(over, default=0)
                if level > in_danger.get((station_id, hazard.hazard), 0) and (is_fresh or standing is not None):
                    found.append(
                        Doubted(
                            hazard=hazard.hazard,
                            station_id=station_id,
                            element=rules.element,
                            doubt="device",
                            level=level,
                            value=value,
                            since=instant(sample.at),
                            overdue_at=None,
                            words=sample.words,
                        )
                    )
    return found


def to_ask(found: Iterable[Doubted], told: Mapping[Subject, Alert]) -> list[Question]:
    """A station is asked when its doubt begins, and not for each sample of it: its battery may be low."""
    return [
        Question(
            each.station_id, each.element, each.hazard, micros(each.since), each.doubt, each.level, each.value, NEVER
        )
        for each in found
        if each.subject not in told
    ]


def _held_against_lines(watched: Watched) -> list[tuple[SeriesKey, SeriesRules]]:
    if is_gauge(watched.rules):
        return []
    return [(key, rules) for key, rules in watched.series if any(period.hazards for period in rules.periods)]


def _since(alert: Alert) -> int:
    return micros(datetime.fromisoformat(alert.detail["observed_at"]))
