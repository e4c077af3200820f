"""What would an officer say of a threshold after a rehearsal? "Last June: 7 alerts, 2 flapped", one line for each."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from streams.water.crossings import Crossing
from streams.water.replay import Replayed, Shown
from streams.water.rises import Rise
from streams.water.rules import LevelRule, period_at
from streams.water.sentences import COLOUR_EN


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Of one threshold: alerts that reached its level, and how good that was."""

    station: str
    hazard: str
    rule: LevelRule
    samples: int  # good by themselves; 0: nothing is known, so no alert means nothing
    alerts: int
    flapped: int
    withdrawn: int  # told, and refuted by later data
    retrospective: int  # told when it was over
    crossings: int  # of the good samples
    missed: int
    unconfirmed: int
    delay_min: float | None = None  # median, from crossing to alert

    @property
    def has_news(self) -> bool:
        return bool(self.alerts or self.withdrawn or self.crossings)

    def text(self) -> str:
        line = f"{self.station} {self.hazard} {COLOUR_EN[self.rule.level]} (on {self.rule.on:g}, {self.rule.source}): "
        if not self.samples:
            return f"{line}unknown, no good sample in this time"
        line += f"{_count(self.alerts, 'alert')}, {self.flapped} flapped"
        told = [(self.withdrawn, "withdrawn"), (self.retrospective, "only for the record")]
        told += [(self.missed, "missed"), (self.unconfirmed, "not confirmed by a second sample")]
        line += "".join(f", {count} {word}" for count, word in told if count)
        return line if self.delay_min is None else f"{line}; told {self.delay_min:.1f} min after the crossing (median)"


def summaries(played: Replayed) -> list[Summary]:
    """One for each threshold in force at the end, by station, hazard and level."""
    shown: dict[tuple[str, str], list[Shown]] = {}
    for each in played.shown:
        for name in {hazard.hazard for period in each.rules.periods for hazard in period.hazards}:
            shown.setdefault((each.rules.station_id, name), []).append(each)
    found = []
    for (station, name), series in sorted(shown.items()):
        samples = sum(len(each.ats) for each in series)
        heard = max(series, key=lambda each: len(each.ats))
        at = int(heard.ats[-1]) if len(heard.ats) else max(period.begins for period in heard.rules.periods)
        rises = [each for each in played.rises if (each.station, each.hazard) == (station, name)]
        crossings = [each for each in played.crossings if (each.station, each.hazard) == (station, name)]
        for hazard in period_at(heard.rules, at).hazards:
            if hazard.hazard == name:
                found += [_summary(station, name, rule, samples, rises, crossings) for rule in hazard.levels]
    return found


def _summary(
    station: str, hazard: str, rule: LevelRule, samples: int, rises: Sequence[Rise], crossings: Sequence[Crossing]
) -> Summary:
    reached = [each for each in rises if COLOUR_EN.index(each.level) >= rule.level]
    standing = {each.alert_id: each for each in reached if not each.withdrawn}
    own = [each for each in crossings if each.level == rule.level]
    delays = [each.delay_min for each in own if each.delay_min is not None]
    return Summary(
        station=station,
        hazard=hazard,
        rule=rule,
        samples=samples,
        alerts=len(standing),
        flapped=sum(each.flapping for each in standing.values()),
        withdrawn=len({each.alert_id for each in reached} - set(standing)),
        retrospective=sum(each.retrospective for each in standing.values()),
        crossings=len(own),
        missed=sum(each.found == "missed" for each in own),
        unconfirmed=sum(each.found == "unconfirmed" for each in own),
        delay_min=median(delays) if delays else None,
    )


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
