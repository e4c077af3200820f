"""How dangerous is it, given one more good sample? The state of one (series, hazard), in event time alone.

    normal -> pending -> active -> clearing -> normal

Each level is a comparator of its own: on after its confirming samples (a rise skips levels at once), off after its
hold below the off-level. The highest that is on is the danger. Nothing here knows a clock: silence changes nothing.
More than three turns in an hour freeze the danger at the highest of that hour and mark it `flapping`.

A state is a value made of the samples in the order of their own times, so it does not matter in which order they came.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.water.rules import HOUR, HazardRules, LevelRule

RULE: Final = "danger/1"  # the version that every transition names
TURNS: Final = 3  # more changes of direction in an hour are flapping
NOT: Final = -(1 << 62)


class Comparator(msgspec.Struct, frozen=True):
    """One level: since when samples are at or over `on` without a break; while it is on, since when below `off`."""

    first: int = NOT
    count: int = 0
    is_on: bool = False
    under: int = NOT


class Step(msgspec.Struct, frozen=True):
    """The danger changed at `at` to `level`; the water crossed that level at `crossed_at`."""

    at: int
    level: int
    crossed_at: int
    value: float
    rule: LevelRule | None = None


class Episode(msgspec.Struct, frozen=True):
    """From the founding crossing to the end of the hold."""

    hazard: str
    started_at: int
    steps: tuple[Step, ...]
    level: int
    highest: int
    peak: float
    peak_at: int
    ended_at: int | None = None
    end_value: float | None = None
    flapping: bool = False


_OFF: Final = Comparator()


class Danger(msgspec.Struct, frozen=True):
    comparators: tuple[Comparator, ...] = (_OFF,) * 4  # blue .. red
    raw: int = 0  # the highest level that is on
    level: int = 0  # what is said: raw, or frozen while flapping
    rising: bool = False  # the last turn was upward
    turns: tuple[int, ...] = ()  # of the last hour
    tops: tuple[tuple[int, int], ...] = ()  # (at, level) of the last hour's changes
    frozen: int = 0
    peak: float = float("-inf")
    peak_at: int = 0
    episode: Episode | None = None

    @property
    def is_resting(self) -> bool:
        """Nothing is remembered: the next quiet sample need not be looked at."""
        return self.peak_at == 0 and not self.turns and self.episode is None


REST: Final = Danger()


def step(danger: Danger, rules: HazardRules, at: int, value: float, is_falling: bool) -> tuple[Danger, Episode | None]:
    """The danger after a good sample, and the episode that it ended. `is_falling`: not risen beyond the noise."""
    if value < rules.lowest_on and danger.is_resting:
        return danger, None
    compared = [_OFF] * 4  # a level that has no rule any more is off
    raw, running = 0, False
    for rule in rules.levels:
        comparator = _compare(danger.comparators[rule.level - 1], rule, at, value, is_falling)
        compared[rule.level - 1] = comparator
        if comparator.is_on:
            raw = rule.level
        running = running or comparator.count > 0
    comparators = tuple(compared)
    peak, peak_at = danger.peak, danger.peak_at
    if running or danger.episode is not None:
        if peak_at == 0 or value > peak:
            peak, peak_at = value, at
    else:
        peak, peak_at = float("-inf"), 0
    turns, tops, rising = danger.turns, danger.tops, danger.rising
    frozen = danger.frozen
    if turns or tops:
        turns = tuple(turn for turn in turns if at - turn <= HOUR)
        tops = tuple(top for top in tops if at - top[0] <= HOUR)
    if raw != danger.raw:
        if (raw > danger.raw) != rising or not turns:
            turns = (*turns, at)
        rising = raw > danger.raw
        tops = (*tops, (at, max(raw, danger.raw)))
        if len(turns) > TURNS:
            frozen = max(frozen, *(top[1] for top in tops))
    elif frozen and not turns:
        frozen = 0
    level = max(raw, frozen)
    episode, ended = _episode(danger, rules, comparators, at, value, level, peak, peak_at, frozen > 0)
    if ended is not None and not running:
        peak, peak_at = float("-inf"), 0
    after = Danger(comparators, raw, level, rising, turns, tops, frozen, peak, peak_at, episode)
    if episode is None and not running and not turns:
        return REST, ended
    return after, ended


def _compare(comparator: Comparator, rule: LevelRule, at: int, value: float, is_falling: bool) -> Comparator:
    if value >= rule.on:
        if comparator.is_on:
            return comparator if comparator.under == NOT else Comparator(comparator.first, comparator.count, True)
        first = at if comparator.count == 0 else comparator.first
        count = comparator.count + 1
        is_on = count > rule.confirm or (count > 1 and at - first >= rule.confirm_max)
        return Comparator(first, count, is_on)
    if not comparator.is_on:
        return comparator if comparator.count == 0 else _OFF
    if value >= rule.off:
        return comparator if comparator.under == NOT else Comparator(comparator.first, comparator.count, True)
    under = at if comparator.under == NOT else comparator.under
    if at - under >= rule.hold and is_falling:
        return _OFF
    return Comparator(comparator.first, comparator.count, True, under)


def _episode(
    danger: Danger,
    rules: HazardRules,
    comparators: tuple[Comparator, ...],
    at: int,
    value: float,
    level: int,
    peak: float,
    peak_at: int,
    flapping: bool,
) -> tuple[Episode | None, Episode | None]:
    episode = danger.episode
    if level == danger.level:
        if episode is not None and (peak_at != episode.peak_at or (flapping and not episode.flapping)):
            episode = msgspec.structs.replace(
                episode, peak=peak, peak_at=peak_at, flapping=episode.flapping or flapping
            )
        return episode, None
    rule = next((each for each in rules.levels if each.level == level), None)
    reached = comparators[level - 1] if level else _OFF
    crossed_at = reached.first if reached.is_on and level > danger.level else at
    change = Step(at, level, crossed_at, value, rule)
    if episode is None:
        started_at = min(comparator.first for comparator in comparators if comparator.count)
        return Episode(rules.hazard, started_at, (change,), level, level, peak, peak_at, None, None, flapping), None
    changed = msgspec.structs.replace(
        episode,
        steps=(*episode.steps, change),
        level=level,
        highest=max(episode.highest, level),
        peak=peak,
        peak_at=peak_at,
        flapping=episode.flapping or flapping,
    )
    if level == 0:
        return None, msgspec.structs.replace(changed, ended_at=at, end_value=value)
    return changed, None


def withdraw(danger: Danger, at: int) -> Episode | None:
    """The thresholds of a hazard are no longer in force: what they raised ends with them."""
    episode = danger.episode
    if episode is None:
        return None
    return msgspec.structs.replace(episode, level=0, steps=(*episode.steps, Step(at, 0, at, episode.peak)), ended_at=at)
