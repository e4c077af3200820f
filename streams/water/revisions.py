"""Which alerts go out when what is known of a series changes? Only the difference to what went out before.

The episodes of a series are a value of its samples; what was told of them is a history. The first founding that was
told names the alert: later data may move its beginning, the alert stays the same. A crossing that was over before we
heard of it becomes a record (`retrospective`), an alert that late data refute is `withdrawn`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import tzinfo
from typing import Any, Literal

import msgspec

from streams.alerts.episodes import Alert, Change, Subject, alert_id
from streams.water import sentences
from streams.water.danger import RULE, Episode, Step
from streams.water.rain import Reason
from streams.water.rules import MINUTE, SeriesRules, instant

What = Literal["raised", "updated", "ended", "retrospective", "withdrawn"]
Why = Callable[[Step], Reason | None]  # of a gauge: the sum that put it at the step's level
Evidence = Sequence[tuple[int, float, int]]  # (at, value, flag) of the samples before and at the transition


class Told(msgspec.Struct, frozen=True):
    """An alert as it last went out, and the episode as it is known now."""

    alert: Alert
    episode: Episode
    is_withdrawn: bool = False  # kept, so that what founds it again is its next revision


class AlertChange(msgspec.Struct, frozen=True, kw_only=True):
    """One revision. `at` is the log's clock; `episode` what is known."""

    what: What
    at: int
    alert: Alert
    episode: Episode


def as_change(change: AlertChange) -> Change:
    """As the alerts of all domains are written. A record and a withdrawal are ends: nobody is alarmed by them."""
    word: Literal["raised", "updated", "ended"] = "ended"
    if change.what in ("raised", "updated") and change.alert.ended_at is None:
        word = "raised" if change.what == "raised" else "updated"
    return Change(change=word, at=instant(change.at), alert=change.alert)


def subject_of(rules: SeriesRules, hazard: str) -> Subject:
    return Subject("water", hazard, rules.station_id)


def revise(
    rules: SeriesRules,
    before: Sequence[Told],
    episodes: Sequence[Episode],
    clock: int,
    newest_at: int,
    evidence: Evidence,
    zone: tzinfo,
    why: Why = lambda step: None,
    others: Collection[uuid.UUID] = (),
) -> tuple[list[Told], list[AlertChange]]:
    """What is told now, and the revisions that tell it. `others`: alerts of this series that nothing changes."""
    told: list[Told] = []
    changes: list[AlertChange] = []
    delayed = clock - newest_at > rules.fresh_for
    waiting = sorted(before, key=lambda each: (each.is_withdrawn, each.episode.started_at))
    ids = {*others, *(each.alert.alert_id for each in before)}
    for episode in episodes:
        known = next((each for each in waiting if _is_same(each.episode, episode)), None)
        change: AlertChange | None
        if known is None:
            change = _first(rules, episode, clock, delayed, evidence, zone, why, ids)
        else:
            waiting.remove(known)
            change = _next(rules, known, episode, clock, delayed, evidence, zone, why)
        if change is not None:
            told.append(Told(change.alert, episode))
            changes.append(change)
        elif known is not None:
            told.append(Told(known.alert, episode))
    for known in waiting:
        if not known.is_withdrawn:
            changes.append(_withdrawn(rules, known, clock, zone))
            over_at = max(known.episode.started_at, known.episode.steps[-1].at)
            was = msgspec.structs.replace(known.episode, ended_at=known.episode.ended_at or over_at)
            told.append(Told(changes[-1].alert, was, True))
        else:
            told.append(known)
    changes.sort(key=lambda change: change.alert.ended_at is None)  # ends first: never two alerts of one danger
    return told, changes


def _is_same(told: Episode, now: Episode) -> bool:
    if told.hazard != now.hazard:
        return False
    return (now.ended_at is None or told.started_at <= now.ended_at) and (
        told.ended_at is None or now.started_at <= told.ended_at
    )


def _first(
    rules: SeriesRules,
    episode: Episode,
    clock: int,
    delayed: bool,
    evidence: Evidence,
    zone: tzinfo,
    why: Why,
    taken: set[uuid.UUID],
) -> AlertChange:
    is_over = episode.ended_at is not None
    step = _step_of(episode)
    zh, en = (
        sentences.retrospective(rules, episode, clock, zone)
        if is_over
        else sentences.raised(rules, episode, step, clock, delayed, zone, why(step))
    )
    subject = subject_of(rules, episode.hazard)
    founded_at = episode.started_at
    while (found := alert_id(subject, instant(founded_at))) in taken:  # late data split the alert of this founding
        founded_at += 1
    taken.add(found)
    alert = Alert(
        alert_id=found,
        subject=subject,
        level=episode.highest if is_over else episode.level,
        certainty="observed",
        raised_at=instant(clock),
        ended_at=None if episode.ended_at is None else instant(episode.ended_at),
        sentence_zh=zh,
        sentence_en=en,
        detail=detail(
            rules, episode, step, 0, evidence, why(step), delayed=delayed and not is_over, retrospective=is_over
        ),
    )
    return AlertChange(what="retrospective" if is_over else "raised", at=clock, alert=alert, episode=episode)


def _next(
    rules: SeriesRules,
    known: Told,
    episode: Episode,
    clock: int,
    delayed: bool,
    evidence: Evidence,
    zone: tzinfo,
    why: Why,
) -> AlertChange | None:
    old = known.episode
    if _outline(old) == _outline(episode) and not known.is_withdrawn:
        return None
    step = _step_of(episode)
    what: What = "updated"
    if known.is_withdrawn:
        what = "raised" if episode.ended_at is None else "retrospective"
    if episode.ended_at is not None and old.ended_at is None and not known.is_withdrawn:
        what, (zh, en) = "ended", sentences.ended(rules, episode, clock, zone)
    elif episode.ended_at is None and (episode.level > old.level or old.ended_at is not None or episode.flapping):
        zh, en = sentences.raised(rules, episode, step, clock, delayed, zone, why(step))
    elif episode.ended_at is None and episode.level < old.level:
        zh, en = sentences.lowered(rules, step, old.level, clock, zone)
    else:
        zh, en = sentences.corrected(rules, episode, clock, zone)
    was_retrospective = bool(known.alert.detail.get("retrospective"))
    alert = msgspec.structs.replace(
        known.alert,
        revision=known.alert.revision + 1,
        level=episode.level or episode.highest,
        ended_at=None if episode.ended_at is None else instant(episode.ended_at),
        sentence_zh=zh,
        sentence_en=en,
        detail=detail(
            rules,
            episode,
            step,
            old.level,
            evidence,
            why(step),
            delayed=delayed and episode.ended_at is None,
            retrospective=was_retrospective and episode.ended_at is not None,
        ),
    )
    return AlertChange(what=what, at=clock, alert=alert, episode=episode)


def _withdrawn(rules: SeriesRules, known: Told, clock: int, zone: tzinfo) -> AlertChange:
    zh, en = sentences.withdrawn(rules, known.episode, clock, zone)
    alert = msgspec.structs.replace(
        known.alert,
        revision=known.alert.revision + 1,
        ended_at=known.alert.ended_at or instant(clock),
        sentence_zh=zh,
        sentence_en=en,
        detail={**known.alert.detail, "withdrawn": True},
    )
    return AlertChange(what="withdrawn", at=clock, alert=alert, episode=known.episode)


def _outline(episode: Episode) -> tuple[object, ...]:
    """What an authority must be told of again when it differs; a new peak alone is told with the next revision."""
    return (episode.started_at, episode.level, episode.highest, episode.ended_at, episode.flapping, len(episode.steps))


def _step_of(episode: Episode) -> Step:
    """The transition that is told: the newest of those that are not the end."""
    return next((step for step in reversed(episode.steps) if step.level), episode.steps[-1])


def detail(
    rules: SeriesRules,
    episode: Episode,
    step: Step,
    previous_level: int,
    evidence: Evidence,
    why: Reason | None,
    *,
    delayed: bool,
    retrospective: bool,
) -> dict[str, Any]:
    """What explains the transition: rule and version, the threshold and its source, the samples and their flags."""
    rule = step.rule if why is None else why.rule
    summed = None if why is None else {"hours": why.sum.hours, "mm": why.sum.mm, "missing_share": why.sum.missing_share}
    return {
        "rule": RULE,
        "element": rules.element,
        "previous_level": previous_level,
        "highest": episode.highest,
        "started_at": _text(episode.started_at),
        "observed_at": _text(step.crossed_at),
        "confirmed_at": _text(step.at),
        "peak": episode.peak,
        "peak_at": _text(episode.peak_at),
        "threshold": None
        if rule is None
        else {
            "level": rule.level,
            "on": rule.on,
            "off": rule.off,
            "confirm": rule.confirm,
            "hold_min": rule.hold / MINUTE,
            "source": rule.source,
            "version": rule.version,
        },
        "rain": summed,
        "readings": [{"observed_at": _text(at), "value": value, "flag": flag} for at, value, flag in evidence],
        "steps": [{"at": _text(each.at), "level": each.level, "value": each.value} for each in episode.steps],
        "flapping": episode.flapping,
        "delayed": delayed,
        "retrospective": retrospective,
    }


def _text(at: int) -> str:
    return instant(at).isoformat()
