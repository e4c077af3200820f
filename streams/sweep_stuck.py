"""Which stations are stuck at a minute of the log? A part of the sweep over water, in its transaction.

What is remembered between minutes is in the rows of `water_hazard`, written in the same transaction: a sweep that
starts anew goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, tzinfo

import msgspec

from sql.connect import Connection
from streams.water import stuck_store
from streams.water.hazards import HazardRow, Key
from streams.water.rules import SeriesKey, SeriesRules, micros, period_at
from streams.water.stuck import Line, Word, can_stick, plain, reason, step, suspect_from
from streams.water.stuck_store import Said, Stuck
from streams.water.watched import Watched


def follow(
    connection: Connection,
    minute: datetime,
    watched: Mapping[str, Watched],
    near: Mapping[str, Collection[str]],
    raining: Mapping[tuple[str, bool], float],
    before: Mapping[Key, HazardRow],
    zone: tzinfo,
) -> dict[str, dict[str, object]]:
    """Of each station what its rows keep of this: `line`, and of a stuck one `stuck_zh` and `stuck_en`.

    near     the neighbours of each station
    raining  the rain of the last hour, by (station, False) or (basin, True)
    """
    followed = {name: each for name, each in watched.items() if can_stick(each.rules)}
    rules = {name: each.rules for name, each in followed.items()}
    keys = {name: _keys(each) for name, each in followed.items()}
    said = stuck_store.load_words(connection, {key for own in keys.values() for key, _ in own}, minute)
    newest = {name: found for name, own in keys.items() if (found := _newest(own, said)) is not None}
    words = {name: Word(each.at, judged) for name, (each, judged) in newest.items()}
    rain = {name: _rain(each, near.get(name, ()), raining) for name, each in followed.items()}
    lines = step(_remembered(before), words, rules, near, rain, micros(minute))

    kept: dict[str, dict[str, object]] = {}
    stuck = []
    for name, line in lines.items():
        kept[name] = {"line": plain(line)}
        since = suspect_from(line, rules[name])
        if since is None or line.evidence is None:
            continue
        zh, en = reason(line, line.evidence, rules, name, zone)
        kept[name] |= {"stuck_zh": zh, "stuck_en": en}
        if name in newest:
            each, _ = newest[name]
            stuck.append(Stuck(each.series_id, since, each.at, each.value))
    stuck_store.mark(connection, stuck, minute, zone)
    return kept


def _keys(watched: Watched) -> list[tuple[SeriesKey, SeriesRules]]:
    """The series that tell the element by which a station is judged."""
    return [(key, rules) for key, rules in watched.series if rules.element == watched.rules.element]


def _newest(keys: list[tuple[SeriesKey, SeriesRules]], said: Mapping[SeriesKey, Said]) -> tuple[Said, float] | None:
    """The newest word of a station, and its value as it is judged."""
    best: tuple[Said, float] | None = None
    for key, rules in keys:
        word = said.get(key)
        if word is not None and (best is None or word.at > best[0].at):
            period = period_at(rules, word.at)
            best = word, word.value * period.scale + period.offset
    return best


def _rain(watched: Watched, near: Collection[str], raining: Mapping[tuple[str, bool], float]) -> float:
    """The rain of the last hour over a station: the mean of its basin, or a gauge beside it."""
    basin = raining.get((watched.station.basin_id or "", True), 0.0)
    return max([basin, *(raining.get((name, False), 0.0) for name in near)])


def _remembered(before: Mapping[Key, HazardRow]) -> dict[str, Line]:
    found: dict[str, Line] = {}
    for (station_id, _), row in before.items():
        if station_id not in found and "line" in row.state:
            found[station_id] = msgspec.convert(row.state["line"], Line)
    return found
