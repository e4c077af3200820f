"""Does the clock of the log stand still against the wall? Then what is published no longer follows the city."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from streams.alerts.episodes import Clearing, Finding, Subject
from streams.sources.silence import clock_text, step_min

KIND = "pipeline_late"
LEVEL = 3


def findings(
    clocks: Mapping[str, datetime | None], wall: datetime, late_s: float, zone: tzinfo
) -> tuple[list[Finding], list[Clearing]]:
    """Late beyond `late_s`, well again below half of it. A topic without a clock has never run: nothing is said."""
    found: list[Finding] = []
    cleared: list[Clearing] = []
    for topic, clock in clocks.items():
        if clock is None:
            continue
        behind_s = (wall - clock).total_seconds()
        if behind_s > late_s:
            found.append(_finding(topic, clock, wall, zone))
        elif behind_s < late_s / 2:
            cleared.append(_clearing(topic, wall, zone))
    return found, cleared


def _finding(topic: str, clock: datetime, wall: datetime, zone: tzinfo) -> Finding:
    minutes = int((wall - clock).total_seconds() // 60)
    at_text, clock_at = clock_text(wall, wall, zone), clock_text(clock, wall, zone)
    return Finding(
        subject=Subject("platform", KIND, topic),
        founded_at=clock,
        level=LEVEL,
        sentence_zh=f"截至 {at_text}，数据管道 {topic} 只处理到 {clock_at}，落后 {minutes} 分钟。",
        sentence_en=f"At {at_text} the pipeline {topic} has been applied up to {clock_at} only, {minutes} min behind.",
        detail={"behind_min": step_min(minutes)},
    )


def _clearing(topic: str, wall: datetime, zone: tzinfo) -> Clearing:
    text = clock_text(wall, wall, zone)
    return Clearing(
        subject=Subject("platform", KIND, topic),
        sentence_zh=f"数据管道 {topic} 于 {text} 恢复正常。",
        sentence_en=f"The pipeline {topic} is up to date again at {text}.",
    )
