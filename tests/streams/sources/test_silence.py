"""A source is silent by its own cadence, in the time of the log, and never because the pipeline was blind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources.silence import (
    Report,
    SilenceLimits,
    State,
    findings,
    judge,
    retired,
    step_min,
    watching_since,
)

AT = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)  # 10:30 in Luohu
LIMITS = SilenceLimits(factor=5.0, least_s=180.0, grace_s=120.0, blind_s=60.0, cadence_s=60.0)
LUOHU = ZoneInfo("Asia/Shanghai")


def ago(seconds: float) -> datetime:
    return AT - timedelta(seconds=seconds)


def report(
    success: float | None = None, first: float = 86_400.0, cadence_s: float | None = 60.0, source: str = "op-jst"
) -> Report:
    """A source that reported 10 s ago; its times are seconds before AT."""
    return Report(
        source=source,
        received_at=ago(10),
        first_report_at=ago(first),
        last_success_at=None if success is None else ago(success),
        cadence_s=cadence_s,
    )


@pytest.mark.parametrize(
    ("given_report", "watching_s", "expected", "remark"),
    [
        (report(success=20), 86_400, "live", "one poll ago"),
        (report(success=150), 86_400, "live", "two cadences and 30 s: a lost poll is no lateness"),
        (report(success=151), 86_400, "late", "more than that"),
        (report(success=300), 86_400, "late", "exactly five cadences"),
        (report(success=301), 86_400, "silent", "beyond five cadences"),
        (report(success=179, cadence_s=5), 86_400, "late", "a fast source still has three minutes"),
        (report(success=181, cadence_s=5), 86_400, "silent", "and then no longer"),
        (report(success=3000, cadence_s=900), 86_400, "late", "a slow source is measured by its own cadence"),
        (report(success=301, cadence_s=None), 86_400, "silent", "a source that does not say has a minute"),
        (report(success=3600), 119, "starting", "the pipeline was blind until two minutes ago"),
        (report(success=3600), 120, "silent", "it has had its time to report"),
        (report(success=20), 5, "live", "a success is a success, however short we watch"),
        (report(success=3600), None, "unknown", "nobody reports: nothing can be judged"),
        (report(success=20), None, "unknown", "not even that it is live"),
        (report(first=100), 86_400, "starting", "new, no success yet"),
        (report(first=300), 86_400, "starting", "new, within its five cadences"),
        (report(first=301), 86_400, "silent", "it reports and never succeeds"),
        (report(first=100, cadence_s=1), 86_400, "starting", "the grace holds for fast sources too"),
        (report(success=0), 86_400, "live", "zero seconds ago is a success"),
    ],
)
def test_state_of_a_source(given_report: Report, watching_s: float | None, expected: State, remark: str) -> None:
    watching = None if watching_s is None else ago(watching_s)
    assert judge(given_report, AT, watching, LIMITS).state == expected, remark


@pytest.mark.parametrize(
    ("seconds_ago", "expected_s", "remark"),
    [
        ([], None, "no report at all"),
        ([61], None, "the last report is older than a route may be quiet"),
        ([60], 60, "just not"),
        ([170, 130, 90, 45, 5], 180, "no hole: since before the span"),
        ([170, 45, 30, 5], 45, "a hole of 125 s ended 45 s ago"),
        ([45, 30, 5], 45, "nothing before: it began 45 s ago"),
        ([119, 60, 1], 119, "the first report is later than a blind span can begin"),
    ],
)
def test_watching_since_the_last_hole(seconds_ago: list[float], expected_s: float | None, remark: str) -> None:
    since = watching_since([ago(s) for s in seconds_ago], AT, LIMITS)
    assert since == (None if expected_s is None else ago(expected_s)), remark


def test_an_hour_without_any_report_is_no_silence_of_a_source() -> None:
    """Every minute of an outage of all connectors, and the first minutes after it, raise nothing."""
    outage_start, outage_end = ago(3600), ago(0)
    reports = [outage_start - timedelta(seconds=15 * i) for i in range(20, -1, -1)]
    reports += [outage_end + timedelta(seconds=15 * i) for i in range(20)]
    successes = [time for time in reports if time <= outage_start or time >= outage_end + timedelta(seconds=60)]
    for minute in range(-2, 66):
        at = outage_start + timedelta(minutes=minute)
        assert _state_at(at, reports, successes) != "silent", f"minute {minute} of the outage"


def test_a_source_that_stays_away_after_an_outage_is_silent_then() -> None:
    outage_end = ago(0)
    reports = [outage_end + timedelta(seconds=15 * i) for i in range(40)]
    states = [_state_at(outage_end + timedelta(minutes=m), reports, [ago(3600)]) for m in range(5)]
    assert states == ["starting", "starting", "silent", "silent", "silent"]


def _state_at(at: datetime, reports: Sequence[datetime], successes: Sequence[datetime]) -> State:
    known = [time for time in reports if time <= at] or [ago(7200)]
    start = at - timedelta(seconds=LIMITS.grace_s + LIMITS.blind_s)
    watching = watching_since([time for time in known if time > start], at, LIMITS)
    success = max((time for time in successes if time <= at), default=None)
    one = Report(source="s", received_at=known[-1], first_report_at=ago(86_400), last_success_at=success)
    return judge(one, at, watching, LIMITS).state


def test_the_sentence_can_be_read_out() -> None:
    judged = judge(report(success=360), AT, ago(86_400), LIMITS)
    found, cleared = findings([judged], {"op-jst": 32}, AT, LUOHU)
    assert found[0].sentence_zh == "截至 10:30，数据源 op-jst 已静默 6 分钟，最后成功 10:24，影响 32 个停车场。"
    assert found[0].sentence_en == (
        "At 10:30 source op-jst has been silent for 6 min, last success 10:24; 32 car parks are affected."
    )
    assert not cleared


def test_a_success_of_another_day_has_its_date() -> None:
    judged = judge(report(success=12 * 3600), AT, ago(86_400), LIMITS)
    found, _ = findings([judged], {"op-jst": 1}, AT, LUOHU)
    assert "最后成功 11-23 22:30" in found[0].sentence_zh
    assert found[0].sentence_en.endswith("1 car park is affected.")


def test_a_source_that_never_succeeded_says_so() -> None:
    judged = judge(report(first=600), AT, ago(86_400), LIMITS)
    found, _ = findings([judged], {}, AT, LUOHU)
    assert "从未成功" in found[0].sentence_zh
    assert "no success since its first report at 10:20" in found[0].sentence_en
    assert found[0].detail["last_success_at"] is None


def test_unknown_and_starting_are_neither_found_nor_cleared() -> None:
    blind = judge(report(success=3600), AT, None, LIMITS)
    starting = judge(report(success=3600, source="other"), AT, ago(60), LIMITS)
    assert findings([blind, starting], {}, AT, LUOHU) == ([], [])


def test_a_live_source_is_cleared_and_a_retired_one_too() -> None:
    live = judge(report(success=20), AT, ago(86_400), LIMITS)
    _, cleared = findings([live], {}, AT, LUOHU)
    assert [clearing.subject.subject for clearing in cleared] == ["op-jst"]
    assert retired("op-jst").subject == cleared[0].subject


def test_an_hour_of_silence_is_orange() -> None:
    levels = [
        findings([judge(report(success=s), AT, ago(86_400), LIMITS)], {}, AT, LUOHU)[0][0].level for s in (3599, 3600)
    ]
    assert levels == [2, 3]


@given(st.integers(min_value=0, max_value=100_000))
def test_steps_never_go_back_and_never_lead(minutes: int) -> None:
    assert step_min(minutes) <= minutes
    assert step_min(minutes) <= step_min(minutes + 1)
