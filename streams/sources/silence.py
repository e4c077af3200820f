"""Is a source silent at this minute of the log? One judgement for a feed, never one for each of its lots.

Everything is judged in the time of the log. While no source at all reports, the pipeline is blind, not the sources
silent; and for a while after it sees again each source gets the time to report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Literal

import msgspec

from streams.alerts.episodes import Clearing, Finding, Subject

State = Literal["live", "late", "silent", "starting", "unknown"]
KIND = "source_silent"
STEPS_MIN = (3, 5, 10, 15, 30, 60, 120, 240, 480, 720)  # an active alert is told again when it has lasted so long ..
DAY_MIN = 1440  # .. and then once a day
ORANGE_MIN = 60  # from here on it is level 3


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was known of a source after its newest report up to the minute: a row of source_report."""

    source: str
    received_at: datetime
    first_report_at: datetime
    last_success_at: datetime | None = None
    newest_observed_at: datetime | None = None
    cadence_s: float | None = None


class SilenceLimits(msgspec.Struct, frozen=True, kw_only=True):
    factor: float = 5.0  # of the source's own cadence
    least_s: float = 180.0
    grace_s: float = 120.0  # after a source's first report, and after the pipeline sees again
    blind_s: float = 60.0  # no report of any source for so long; each route reports every 15 s
    cadence_s: float = 60.0  # of a source that does not say


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    report: Report
    state: State
    since: datetime  # the last success, or the first report while there was none


def watching_since(report_times: Sequence[datetime], at: datetime, limits: SilenceLimits) -> datetime | None:
    """Since when reports come without a hole. None: no source reports at `at`, nothing can be judged.

    `report_times` are those of all sources within the last grace + blind seconds before `at`, in order. When the hole
    lies further back the answer is the start of that span: long enough ago for every purpose.
    """
    blind = timedelta(seconds=limits.blind_s)
    if not report_times or at - report_times[-1] > blind:
        return None
    since = report_times[-1]
    for earlier in reversed(report_times[:-1]):
        if since - earlier > blind:
            return since
        since = earlier
    start = at - timedelta(seconds=limits.grace_s) - blind
    return start if since - start <= blind else since


def judge(report: Report, at: datetime, watching: datetime | None, limits: SilenceLimits) -> Judged:
    """The state of one source at a minute."""
    cadence_s = limits.cadence_s if report.cadence_s is None else report.cadence_s
    since = report.first_report_at if report.last_success_at is None else report.last_success_at
    quiet_s = (at - since).total_seconds()
    return Judged(report=report, state=_state(report, quiet_s, cadence_s, at, watching, limits), since=since)


def _state(
    report: Report,
    quiet_s: float,
    cadence_s: float,
    at: datetime,
    watching: datetime | None,
    limits: SilenceLimits,
) -> State:
    if watching is None:
        return "unknown"
    is_quiet = quiet_s > max(limits.factor * cadence_s, limits.least_s)
    if report.last_success_at is None:
        return "silent" if is_quiet and quiet_s > limits.grace_s else "starting"
    if is_quiet:
        return "silent" if (at - watching).total_seconds() >= limits.grace_s else "starting"
    return "live" if quiet_s <= 2 * cadence_s + 30 else "late"


def findings(
    judged: Iterable[Judged], lots: Mapping[str, int], at: datetime, zone: tzinfo
) -> tuple[list[Finding], list[Clearing]]:
    """What the silence sweep hands to the episodes. `starting` and `unknown` are neither found nor cleared."""
    found: list[Finding] = []
    cleared: list[Clearing] = []
    for one in judged:
        if one.state == "silent":
            found.append(_finding(one, lots.get(one.report.source, 0), at, zone))
        elif one.state in ("live", "late"):
            cleared.append(_clearing(one.report, at, zone))
    return found, cleared


def retired(source: str) -> Clearing:
    """A source that is switched off in the settings owes us nothing."""
    return Clearing(
        subject=subject(source),
        sentence_zh=f"数据源 {source} 已停用，静默告警解除。",
        sentence_en=f"Source {source} is switched off; its silence is no longer an alert.",
        detail={"ended_by": "retired"},
    )


def subject(source: str) -> Subject:
    return Subject("platform", KIND, source)


def _finding(one: Judged, lots: int, at: datetime, zone: tzinfo) -> Finding:
    source = one.report.source
    minutes = int((at - one.since).total_seconds() // 60)
    at_text, since_text = clock_text(at, at, zone), clock_text(one.since, at, zone)
    if one.report.last_success_at is None:
        zh, en = f"自 {since_text} 首次报告以来从未成功", f"no success since its first report at {since_text}"
    else:
        zh, en = f"最后成功 {since_text}", f"last success {since_text}"
    car_parks = "1 car park is" if lots == 1 else f"{lots} car parks are"
    return Finding(
        subject=subject(source),
        founded_at=one.since,
        level=3 if minutes >= ORANGE_MIN else 2,
        sentence_zh=f"截至 {at_text}，数据源 {source} 已静默 {minutes} 分钟，{zh}，影响 {lots} 个停车场。",
        sentence_en=f"At {at_text} source {source} has been silent for {minutes} min, {en}; {car_parks} affected.",
        detail={
            "last_success_at": None if one.report.last_success_at is None else one.since.isoformat(),
            "lots": lots,
            "lasted_min": step_min(minutes),
        },
    )


def _clearing(report: Report, at: datetime, zone: tzinfo) -> Clearing:
    success = at if report.last_success_at is None else report.last_success_at
    text = clock_text(success, at, zone)
    return Clearing(
        subject=subject(report.source),
        sentence_zh=f"数据源 {report.source} 已恢复，{text} 收到数据。",
        sentence_en=f"Source {report.source} reports again, data received at {text}.",
        detail={"success_at": success.isoformat()},
    )


def step_min(minutes: int) -> int:
    """The newest step that a duration has reached: an alert is told again at 5, 10, 15 .. and not each minute."""
    if minutes >= DAY_MIN:
        return minutes // DAY_MIN * DAY_MIN
    return max((step for step in STEPS_MIN if step <= minutes), default=0)


def clock_text(instant: datetime, at: datetime, zone: tzinfo) -> str:
    """An instant as an officer reads it out: the time of day, with the date when it is another day."""
    local = instant.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == at.astimezone(zone).date() else f"{local:%m-%d %H:%M}"
