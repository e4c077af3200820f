"""What do the samples of one series, in the order of their own times, say? Quality and danger of each, from any start.

A track is all that is remembered between samples. It is at rest when only the last sample is remembered: there a fold
can begin anew, so a late sample repeats the samples from the last rest before it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from streams.water.danger import REST, Danger, Episode, step, withdraw
from streams.water.qartod import FAIL, GOOD, UNKNOWN
from streams.water.quality import SPIKE, Accepted, Line, settle
from streams.water.rules import SeriesRules, period_at

# A point's mark: its flag (1, 2 held, 4), with these bits.
RESTING: Final = 8
WAS_SPIKE: Final = 16
FLAG_MASK: Final = 7


class Track(msgspec.Struct, frozen=True):
    line: Line = Line()
    dangers: dict[str, Danger] = {}  # by hazard; one at rest is left out

    @property
    def is_resting(self) -> bool:
        return not self.dangers and self.line.held_at is None


class Told(msgspec.Struct):
    """What a run of samples said: the track after it, each sample's mark, and the episodes that it ended."""

    track: Track
    marks: list[int] = msgspec.field(default_factory=list)
    ended: list[Episode] = msgspec.field(default_factory=list)
    held: int | None = None  # what became of the sample that was held when the run began
    stopped: bool = False  # the samples after the last mark are as they were


NOTHING: Final = Track()


def resting_at(at: int, value: float) -> Track:
    return Track(Line(at, value))


def run(
    track: Track,
    rules: SeriesRules,
    ats: Sequence[int],
    values: Sequence[float],
    old_marks: Sequence[int] = (),
    changed: int = 0,
) -> Told:
    """Tell the samples, which are good by themselves and in order, one after the other.

    With the marks that they had, and up to which of them something changed: behind that it stops where both ways are at
    rest, for from there on nothing differs.
    """
    told = Told(track)
    line, dangers = track.line, track.dangers
    for at, value in zip(ats, values, strict=True):
        was_held = line.held_at is not None
        settled = settle(line, period_at(rules, at), at, value)
        line = settled.line
        if was_held and settled.held is not None:
            mark = settled.held.flag | (WAS_SPIKE if settled.held.tests & SPIKE else 0)
            if told.marks:
                told.marks[-1] = mark
            else:
                told.held = mark
        for sample in settled.accepted:
            dangers = judge(dangers, rules, sample, told.ended)
        is_resting = line.held_at is None and not dangers
        told.marks.append(settled.verdict.flag | (RESTING if is_resting else 0))
        place = len(told.marks) - 1
        if is_resting and place < len(old_marks) and place > changed and old_marks[place] & RESTING:
            told.stopped = True
            break
    told.track = Track(line, dangers)
    return told


def judge(dangers: dict[str, Danger], rules: SeriesRules, sample: Accepted, ended: list[Episode]) -> dict[str, Danger]:
    """The dangers of a series after a good sample; they are never changed in place."""
    hazards = period_at(rules, sample.at).hazards
    after: dict[str, Danger] | None = None
    for hazard in hazards:
        before = dangers.get(hazard.hazard, REST)
        danger, closed = step(before, hazard, sample.at, sample.value, sample.is_falling)
        if closed is not None:
            ended.append(closed)
        if danger is not before:
            after = dict(dangers) if after is None else after
            if danger is REST:
                after.pop(hazard.hazard, None)
            else:
                after[hazard.hazard] = danger
    if len(dangers) > len(hazards) or (dangers and not all(any(h.hazard == name for h in hazards) for name in dangers)):
        after = dict(dangers) if after is None else after
        for name in [name for name in after if not any(h.hazard == name for h in hazards)]:
            closed = withdraw(after.pop(name), sample.at)
            if closed is not None:
                ended.append(closed)
    return dangers if after is None else after


assert (GOOD, UNKNOWN, FAIL) == (1, 2, 4)  # noqa: S101 - a mark's low bits are the flag
