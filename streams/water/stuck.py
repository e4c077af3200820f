"""Which sensors say the same although the water moved? By the newest word of each station at each minute of the log.

A line may be flat for half a day in dry weather, so standing still alone says nothing. It is stuck when it is flat for
long enough (`flat_line_min` of its station) and, since it is flat, it rained heavily over it for an hour or a neighbour
moved beyond its noise. Nothing but the words of a minute and what was known a minute ago is asked, so a log has one
answer however it is cut into takes, whoever folds it, and whenever the minute is judged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import tzinfo
from typing import Any, Final, NamedTuple

import msgspec

from streams.water.gauges import MARK_EVERY
from streams.water.quality import NOISES
from streams.water.rain import HEAVY_MM
from streams.water.rules import HOUR, SeriesRules, instant, period_at
from streams.water.sentences import Sentences, clock, measured, names

# What moves when water does; a gate may stand, and a pump run, for weeks.
MOVING: Final = frozenset({
    "level_m", "level_relative_m", "level_above_gate_m", "level_below_gate_m", "depth_m", "flow_m3s", "velocity_ms",
})  # fmt: skip
DRY_KINDS: Final = ("street", "underpass")


class Word(NamedTuple):
    """The newest that a station said of itself, as it is judged: nothing that it says by itself speaks against it."""

    at: int
    value: float


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why this line should have moved."""

    at: int
    amount: float  # mm in an hour, or how far the neighbour moved
    neighbour: str | None = None  # None: rain


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a station between minutes."""

    element: str
    value: float
    since: int  # when it said this value first
    at: int  # .. and last
    before: float  # the value of the word before the last one
    near: dict[str, list[float]] = {}  # least and greatest of the last two words of each neighbour when the line began
    evidence: Evidence | None = None


def can_stick(rules: SeriesRules) -> bool:
    return rules.element in MOVING


def step(
    before: Mapping[str, Line],
    words: Mapping[str, Word],
    rules: Mapping[str, SeriesRules],
    near: Mapping[str, Collection[str]],
    rain_1h_mm: Mapping[str, float],
    now: int,
) -> dict[str, Line]:
    """The lines after a minute, by station. Who says nothing new stays as it was: silence is not flat.

    near        the neighbours of each station
    rain_1h_mm  over each station up to the newest mark, as far as it is known
    """
    lines = {}
    for name, own in rules.items():
        line = _next(before.get(name), words.get(name), own)
        if line is not None:
            lines[name] = line
    return {
        name: _judged(name, line, before.get(name), lines, rules, near.get(name, ()), rain_1h_mm.get(name, 0.0), now)
        for name, line in lines.items()
    }


def suspect_from(line: Line, rules: SeriesRules) -> int | None:
    """From when on its samples are suspect: flat for long enough, and after the evidence. None: it is not stuck."""
    if line.evidence is None:
        return None
    begins = max(line.evidence.at, line.since + rules.flat_line)
    return begins if line.at >= begins else None


def reason(
    line: Line, evidence: Evidence, rules: Mapping[str, SeriesRules], station_id: str, zone: tzinfo
) -> Sentences:
    """Why a line is stuck, in words."""
    own = rules[station_id]
    zh, en = measured(own.element, line.value)
    now = instant(line.at)
    since, at = clock(line.since, now, zone), clock(evidence.at, now, zone)
    if evidence.neighbour is None:
        return (
            f"{zh}，自 {since} 起未变，而至 {at} 的一小时内降雨 {evidence.amount:.1f} 毫米：传感器疑似卡住。",
            f"{en} has not changed since {since}, though {evidence.amount:.1f} mm of rain fell in the hour up to {at}:"
            " the sensor may be stuck.",
        )
    other = rules.get(evidence.neighbour)
    other_zh, other_en = (evidence.neighbour, evidence.neighbour) if other is None else names(other)
    return (
        f"{zh}，自 {since} 起未变，而相邻的{other_zh}至 {at} 已变化 {evidence.amount:+.2f}：传感器疑似卡住。",
        f"{en} has not changed since {since}, though {other_en} beside it moved by {evidence.amount:+.2f} up to {at}:"
        " the sensor may be stuck.",
    )


def plain(line: Line) -> dict[str, Any]:
    """As it is kept, in JSON."""
    kept: dict[str, Any] = msgspec.to_builtins(line)
    return kept


def _next(line: Line | None, word: Word | None, rules: SeriesRules) -> Line | None:
    if line is not None and line.element != rules.element:
        line = None
    if word is None or (line is not None and word.at < line.at):
        return line
    if line is None:
        return Line(rules.element, word.value, word.at, word.at, word.value)
    before = line.value if word.at > line.at else line.before
    if word.value != line.value or word.at - line.at > rules.flat_line:  # nobody knows what was in such a gap
        return Line(rules.element, word.value, word.at, word.at, before)
    return line if word.at == line.at else msgspec.structs.replace(line, at=word.at, before=before)


def _judged(
    name: str,
    line: Line,
    before: Line | None,
    lines: Mapping[str, Line],
    rules: Mapping[str, SeriesRules],
    near: Collection[str],
    rain_mm: float,
    now: int,
) -> Line:
    """With what its neighbours said when it began, and later with the first evidence against it."""
    if before is None or (line.since, line.value, line.element) != (before.since, before.value, before.element):
        return msgspec.structs.replace(
            line, near={other: _span(lines[other]) for other in sorted(near) if other in lines}
        )
    if line.evidence is not None or _is_dry(line, rules[name]):
        return line
    evidence = _evidence(line, lines, rules, rain_mm, now)
    return line if evidence is None else msgspec.structs.replace(line, evidence=evidence)


def _span(line: Line) -> list[float]:
    return [min(line.value, line.before), max(line.value, line.before)]


def _evidence(
    line: Line, lines: Mapping[str, Line], rules: Mapping[str, SeriesRules], rain_mm: float, now: int
) -> Evidence | None:
    summed_at = now // MARK_EVERY * MARK_EVERY
    if rain_mm >= HEAVY_MM and summed_at - HOUR >= line.since:
        return Evidence(summed_at, round(rain_mm, 3))
    for name, (low, high) in line.near.items():
        other = lines.get(name)
        if other is None:
            continue
        reach = NOISES * period_at(rules[name], other.at).noise
        least, greatest = _span(other)  # two words in a row: one alone may be a spike
        if reach > 0 and least > high + reach:
            return Evidence(other.at, round(least - high, 6), name)
        if reach > 0 and greatest < low - reach:
            return Evidence(other.at, round(greatest - low, 6), name)
    return None


def _is_dry(line: Line, rules: SeriesRules) -> bool:
    """A dry street says zero in any rain."""
    is_above_ground = rules.element == "depth_m" or rules.kind in DRY_KINDS
    return is_above_ground and line.value <= period_at(rules, line.at).noise
