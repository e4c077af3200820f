"""What do we know of a station, beside how dangerous it is? Not knowing never lowers a danger, and is told by itself.

The silence of one station is an alert of that station; of many behind one gateway or in one basin it is one alert of
the network. Judged in the time of the log; opened and closed by the sweep alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Final, Literal

import msgspec

from streams.alerts.episodes import Clearing, Finding, Subject
from streams.water.rules import ALWAYS, MINUTE, SECOND, SeriesRules, instant
from streams.water.sentences import COLOUR_EN, COLOUR_ZH, clock, measured, names

State = Literal["ok", "suspect", "stale", "offline", "never"]
OFFLINE: Final = "station_offline"
NETWORK: Final = "network_silent"
LEAST: Final = 3  # stations of a group that make its silence one of the network ..
SHARE: Final = 0.5  # .. when they are so many of it
DISTRICT_SHARE: Final = 0.8


class SilenceLimits(msgspec.Struct, frozen=True, kw_only=True):
    factor: float = 3.0  # of the station's own reporting step
    least_s: float = 600.0
    factor_in_rain: float = 2.0
    least_in_rain_s: float = 300.0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A station at the time of the sweep. Times in microseconds; ALWAYS: never."""

    rules: SeriesRules
    gateway: str | None = None
    basin_id: str | None = None
    heard_at: int = ALWAYS  # newest received_at
    good_at: int = ALWAYS  # newest good sample
    suspect_at: int = ALWAYS  # newest sample that was not good
    value: float | None = None
    level: int = 0  # the danger that stands
    raining: bool = False


class Judged(msgspec.Struct, frozen=True):
    known: Known
    state: State
    since: int  # of the last good sample, or of the last word
    is_held: bool = False  # silent, but we have not listened for so long: neither found nor cleared

    @property
    def station_id(self) -> str:
        return self.known.rules.station_id


def judge(known: Known, now: int, limits: SilenceLimits, watching: int = ALWAYS) -> Judged:
    """What is known of a station. `watching`: since when the log speaks without a hole; nobody heard those in one."""
    if known.heard_at == ALWAYS:
        return Judged(known, "never", now)
    factor, least_s = (
        (limits.factor_in_rain, limits.least_in_rain_s) if known.raining else (limits.factor, limits.least_s)
    )
    longest = max(factor * known.rules.cadence, least_s * SECOND)
    if now - max(known.heard_at, watching) > longest:
        return Judged(known, "offline", known.heard_at)
    is_held = now - known.heard_at > longest
    if now - known.good_at > known.rules.fresh_for:
        since = max(known.good_at, known.suspect_at) if known.good_at == ALWAYS else known.good_at
        return Judged(known, "stale", now if since == ALWAYS else since, is_held)
    if known.suspect_at > known.good_at:
        return Judged(known, "suspect", known.suspect_at, is_held)
    return Judged(known, "ok", known.good_at, is_held)


class Outage(msgspec.Struct, frozen=True):
    """Many that fell silent together. `group` is gateway/.., basin/.. or district."""

    group: str
    silent: tuple[Judged, ...]
    of: int

    @property
    def since(self) -> int:
        return min(each.since for each in self.silent)


def outages(judged: Iterable[Judged]) -> tuple[list[Outage], list[Judged]]:
    """Silence by the widest group that explains it, and the stations that are silent by themselves."""
    everyone = [each for each in judged if each.state != "never"]
    silent = {each.station_id: each for each in everyone if each.state == "offline"}
    if len(silent) >= max(LEAST, DISTRICT_SHARE * len(everyone)):
        return [Outage("district", tuple(silent.values()), len(everyone))], []
    found: list[Outage] = []
    for word, group_of in _GROUPS:
        members: dict[str, list[Judged]] = {}
        for each in everyone:
            name = group_of(each.known)
            if name is not None:
                members.setdefault(name, []).append(each)
        for name, own in sorted(members.items()):
            quiet = [each for each in own if each.station_id in silent]
            if len(quiet) >= max(LEAST, SHARE * len(own)):
                found.append(Outage(f"{word}/{name}", tuple(quiet), len(own)))
                for each in quiet:
                    del silent[each.station_id]
    return found, list(silent.values())


_GROUPS: Final[tuple[tuple[str, Callable[[Known], str | None]], ...]] = (
    ("gateway", lambda known: known.gateway),
    ("basin", lambda known: known.basin_id),
)


def findings(
    judged: Sequence[Judged], active: Iterable[Subject], now: int, zone: tzinfo
) -> tuple[list[Finding], list[Clearing]]:
    """What the sweep hands to the episodes. `judged`: every station there is; `active`: what stands of silence."""
    together, alone = outages(judged)
    found = [_network_finding(each, now, zone) for each in together]
    found += [_station_finding(each, now, zone) for each in alone]
    subjects = {each.subject for each in found}
    grouped = {each.station_id: outage for outage in together for each in outage.silent}
    by_id = {each.station_id: each for each in judged}
    is_any_held = any(each.is_held for each in judged)
    cleared = [
        _clearing(subject, by_id, grouped, now, zone)
        for subject in active
        if subject.kind in (OFFLINE, NETWORK)
        and subject not in subjects
        and not (subject.kind == NETWORK and is_any_held)
    ]
    return found, [each for each in cleared if each is not None]


def _station_finding(one: Judged, now: int, zone: tzinfo) -> Finding:
    rules, known = one.known.rules, one.known
    station_zh, station_en = names(rules)
    since = clock(one.since, instant(now), zone)
    zh, en = f"{station_zh}自 {since} 起离线", f"{station_en} has been offline since {since}"
    if known.value is not None and known.good_at != ALWAYS:
        value_zh, value_en = measured(rules.element, known.value)
        at = clock(known.good_at, instant(now), zone)
        zh, en = f"{zh}，最后{value_zh}（{at}）", f"{en}; its last {value_en} was at {at}"
    if known.level:
        zh = f"{zh}，{COLOUR_ZH[known.level]}预警保持，现状未知"
        en = f"{en}; the {COLOUR_EN[known.level]} alert stands, how it is now is unknown"
    return Finding(
        subject=Subject("water", OFFLINE, rules.station_id),
        founded_at=instant(one.since),
        level=max(2, min(known.level + 1, 4)) if known.level else 2,
        sentence_zh=f"{zh}。",
        sentence_en=f"{en}.",
        detail={"danger": known.level, "last_value": known.value},
    )


def _network_finding(outage: Outage, now: int, zone: tzinfo) -> Finding:
    since = clock(outage.since, instant(now), zone)
    count = len(outage.silent)
    in_danger = sorted(each.station_id for each in outage.silent if each.known.level)
    zh = f"{_group_zh(outage.group)}自 {since} 起 {outage.of} 个测站中有 {count} 个无数据"
    en = f"{outage.group}: {count} of {outage.of} stations have sent nothing since {since}"
    if in_danger:
        zh = f"{zh}，其中 {len(in_danger)} 个处于预警状态"
        en = f"{en}; {len(in_danger)} of them are in danger"
    return Finding(
        subject=Subject("water", NETWORK, outage.group),
        founded_at=instant(outage.since),
        level=4 if in_danger else 3,
        sentence_zh=f"{zh}。",
        sentence_en=f"{en}.",
        detail={
            "stations": sorted(each.station_id for each in outage.silent),
            "of": outage.of,
            "in_danger": in_danger,
        },
    )


def _clearing(
    subject: Subject, by_id: Mapping[str, Judged], grouped: Mapping[str, Outage], now: int, zone: tzinfo
) -> Clearing | None:
    """None: nothing is known that would end it."""
    if subject.kind == NETWORK:
        return Clearing(
            subject=subject,
            sentence_zh=f"{_group_zh(subject.subject)}的测站已恢复，或改为逐站告警。",
            sentence_en=f"{subject.subject}: stations report again, or are told one by one.",
        )
    if subject.subject in grouped:
        group = grouped[subject.subject].group
        return Clearing(
            subject=subject,
            sentence_zh=f"测站 {subject.subject} 的离线并入{_group_zh(group)}的网络告警。",
            sentence_en=f"The silence of {subject.subject} is part of that of {group} now.",
            detail={"part_of": group},
        )
    judged = by_id.get(subject.subject)
    if judged is None:
        return _retired(subject)
    if judged.is_held or judged.state in ("offline", "never"):
        return None
    station_zh, station_en = names(judged.known.rules)
    at = clock(judged.known.heard_at, instant(now), zone)
    return Clearing(
        subject=subject,
        sentence_zh=f"{station_zh}已恢复，{at} 收到数据。",
        sentence_en=f"{station_en} reports again, data received at {at}.",
    )


def _retired(subject: Subject) -> Clearing:
    return Clearing(
        subject=subject,
        sentence_zh=f"测站 {subject.subject} 已撤除，离线告警解除。",
        sentence_en=f"Station {subject.subject} is no longer in the register; its silence is no alert any more.",
        detail={"ended_by": "retired"},
    )


def _group_zh(group: str) -> str:
    word, _, name = group.partition("/")
    return {"gateway": "网关 ", "basin": "流域 "}.get(word, "全区") + name


# An alert that nobody acknowledged is told again after so long; one that is acknowledged each hour.
REMIND: Final = {4: 2 * MINUTE, 3: 5 * MINUTE}
REMIND_ACKNOWLEDGED: Final = 60 * MINUTE


def is_reminder_due(level: int, acknowledged: bool, told_at: int, now: int) -> bool:
    """Whether an active alert is told once more. Blue and yellow are not."""
    every = REMIND.get(level)
    return every is not None and now - told_at >= (REMIND_ACKNOWLEDGED if acknowledged else every)
