"""What is told of a crossing that no further sample has confirmed, or of a doubtful sample? It is likely, or possible.

A crossing that waits longer than its threshold allows is likely: one good sample says so. A jump is possible: it may
be a fault of the sensor. So is what the device itself doubts, at once: no other sample need come. What a neighbour
bears out (it is in danger, or in doubt within a quarter of an hour) is likely at once. Told apart from the alerts of
what is observed, and over when the next good sample has decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final, get_args

import msgspec

from schemas.water_registers import Hazard, WaterRegister
from streams.alerts.episodes import Alert, Clearing, Finding, Subject
from streams.water.questions import Doubt
from streams.water.rules import SeriesRules, micros
from streams.water.sentences import COLOUR_EN, COLOUR_ZH, clock, doubt_of_device, measured, names
from streams.water.standing import UNCONFIRMED

KINDS: Final = tuple(f"{hazard}{UNCONFIRMED}" for hazard in get_args(Hazard))
TOGETHER: Final = timedelta(minutes=15)
OF_SAMPLE: Final = ("observed_at", "value")  # of an alert's detail


class Doubted(msgspec.Struct, frozen=True, kw_only=True):
    """A sample that would raise an alert if it were confirmed."""

    hazard: str
    station_id: str
    element: str
    doubt: Doubt
    level: int
    value: float
    since: datetime
    overdue_at: datetime | None
    words: tuple[str, ...] = ()  # of the reading's flags, where the device doubts itself

    @property
    def subject(self) -> Subject:
        return is_of(self.station_id, self.hazard)


def is_of(station_id: str, hazard: str) -> Subject:
    return Subject("water", f"{hazard}{UNCONFIRMED}", station_id)


def neighbours_of(register: WaterRegister) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in register.neighbours:
        found.setdefault(each.station_id, set()).add(each.neighbour_id)
        found.setdefault(each.neighbour_id, set()).add(each.station_id)
    return found


def findings(
    doubted: Sequence[Doubted],
    active: Mapping[Subject, Alert],
    in_danger: Mapping[tuple[str, str], int],
    near: Mapping[str, set[str]],
    rules: Mapping[str, SeriesRules],
    minute: datetime,
    zone: tzinfo,
) -> tuple[list[Finding], list[Clearing]]:
    """What the sweep of a minute hands to the episodes.

    `active`: what is told as not confirmed; `in_danger`: the levels of what is observed, by station and hazard.
    """
    stations_in_danger = {station_id for station_id, _ in in_danger}
    times: dict[str, list[datetime]] = {}
    for each in doubted:
        times.setdefault(each.station_id, []).append(each.since)
    found: dict[Subject, Finding] = {}
    for each in sorted(doubted, key=lambda one: (one.level, one.doubt == "crossing", one.since)):
        if each.station_id not in rules or in_danger.get((each.station_id, each.hazard), 0) >= each.level:
            continue
        others = near.get(each.station_id, set())
        agreeing = others & stations_in_danger
        agreeing |= {
            other for other in others if any(abs(since - each.since) <= TOGETHER for since in times.get(other, ()))
        }
        is_overdue = each.overdue_at is not None and each.overdue_at <= minute
        if agreeing or is_overdue or each.doubt == "device" or each.subject in active:
            finding = _finding(each, sorted(agreeing), rules[each.station_id], minute, zone)
            found[each.subject] = _as_told(finding, active.get(each.subject))
    over = [
        _clearing(
            subject, in_danger.get((subject.subject, _hazard(subject)), 0) >= told.level, rules.get(subject.subject)
        )
        for subject, told in sorted(active.items())
        if subject not in found
    ]
    return list(found.values()), over


def _as_told(finding: Finding, told: Alert | None) -> Finding:
    """A device that goes on to doubt itself is no news with each sample: another level or word is."""
    if told is None or told.level != finding.level or finding.detail["doubt"] != "device":
        return finding
    same = {name: value for name, value in told.detail.items() if name not in OF_SAMPLE}
    if same != {name: value for name, value in finding.detail.items() if name not in OF_SAMPLE}:
        return finding
    return msgspec.structs.replace(finding, detail=told.detail)


def _finding(each: Doubted, agreeing: list[str], rules: SeriesRules, minute: datetime, zone: tzinfo) -> Finding:
    station_zh, station_en = names(rules)
    value_zh, value_en = measured(each.element, each.value)
    at = clock(micros(each.since), minute, zone)
    zh = f"待核实（{COLOUR_ZH[each.level]}）：{station_zh} {at} {value_zh}"
    en = f"Not confirmed ({COLOUR_EN[each.level]}): {station_en} at {at}, {value_en}"
    if each.doubt == "jump":
        zh, en = f"{zh}，突变，可能是传感器故障", f"{en}, a jump that may be a fault of the sensor"
    elif each.doubt == "device":
        why_zh, why_en = doubt_of_device(each.words)
        zh, en = f"{zh}，达到阈值，但{why_zh}", f"{en}, at or over its line, but {why_en}"
    else:
        zh, en = f"{zh}，仅此一次达到阈值", f"{en}, at or over its line by this sample alone"
    if agreeing:
        zh, en = f"{zh}；邻站 {'、'.join(agreeing)} 可以印证", f"{en}; borne out by {', '.join(agreeing)}"
    elif each.doubt == "device":
        zh, en = f"{zh}，尚无可信数据", f"{en}; nothing that can be trusted has come since"
    else:
        zh, en = f"{zh}，尚无后续数据", f"{en}; nothing has come since"
    detail: dict[str, Any] = {
        "doubt": each.doubt,
        "observed_at": each.since.isoformat(),
        "value": each.value,
        "agreeing": agreeing,
    }
    if each.words:
        detail["flags"] = list(each.words)
    return Finding(
        subject=each.subject,
        founded_at=each.since,
        level=each.level,
        certainty="likely" if agreeing or each.doubt == "crossing" else "possible",
        sentence_zh=f"{zh}。",
        sentence_en=f"{en}.",
        detail=detail,
    )


def _clearing(subject: Subject, is_confirmed: bool, rules: SeriesRules | None) -> Clearing:
    zh, en = (subject.subject, subject.subject) if rules is None else names(rules)
    if is_confirmed:
        zh, en = f"{zh}：已证实，见其预警。", f"{en}: confirmed, see its alert."
    else:
        zh, en = f"{zh}：后续数据未予证实，不再待核实。", f"{en}: what came since does not bear it out."
    return Clearing(subject=subject, sentence_zh=zh, sentence_en=en, detail={"is_confirmed": is_confirmed})


def _hazard(subject: Subject) -> str:
    return subject.kind.removesuffix(UNCONFIRMED)
