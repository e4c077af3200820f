"""An alert begins once, is told again when what matters changed, and ends only when it is known to be over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from streams.alerts.episodes import Alert, Clearing, Finding, Subject, alert_id, step

T0 = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
SILENT = Subject("platform", "source_silent", "op-jst")


def finding(level: int = 2, subject: Subject = SILENT, **detail: int) -> Finding:
    return Finding(
        subject=subject,
        founded_at=T0 - timedelta(minutes=6),
        level=level,
        sentence_zh="静默",
        sentence_en="silent",
        detail=detail,
    )


def clearing(subject: Subject = SILENT) -> Clearing:
    return Clearing(subject=subject, sentence_zh="恢复", sentence_en="reports again", detail={"rows": 3})


def raised(level: int = 2, **detail: int) -> Alert:
    (change,) = step([], [finding(level, SILENT, **detail)], [], T0)
    return change.alert


def test_what_is_found_first_is_raised() -> None:
    (change,) = step([], [finding(lots=32)], [], T0)
    assert (change.change, change.alert.revision, change.alert.raised_at) == ("raised", 1, T0)


def test_the_same_finding_again_changes_nothing() -> None:
    assert step([raised(lots=32)], [finding(lots=32)], [], T0 + timedelta(minutes=1)) == []


def test_another_level_or_detail_is_a_revision() -> None:
    (change,) = step([raised(lots=32)], [finding(3, lots=32)], [], T0 + timedelta(hours=1))
    assert (change.change, change.alert.revision, change.alert.level) == ("updated", 2, 3)
    assert change.alert.alert_id == raised().alert_id
    assert change.alert.raised_at == T0


def test_what_is_cleared_ends_with_its_sentence() -> None:
    at = T0 + timedelta(minutes=9)
    (change,) = step([raised(lots=32)], [], [clearing()], at)
    assert (change.change, change.alert.ended_at, change.alert.sentence_en) == ("ended", at, "reports again")
    assert change.alert.detail == {"lots": 32, "rows": 3}


def test_what_is_neither_found_nor_cleared_is_held() -> None:
    assert step([raised()], [], [], T0 + timedelta(days=1)) == []


def test_a_clearing_of_nothing_is_nothing() -> None:
    assert step([], [], [clearing()], T0) == []


def test_found_and_cleared_at_once_is_found() -> None:
    changes = step([], [finding()], [clearing()], T0)
    assert [change.change for change in changes] == ["raised"]


def test_ids_are_of_the_founding_instant_in_any_zone() -> None:
    shanghai = T0.astimezone(timezone(timedelta(hours=8)))
    assert alert_id(SILENT, T0) == alert_id(SILENT, shanghai)
    assert alert_id(SILENT, T0) != alert_id(SILENT, T0 + timedelta(seconds=1))
    assert alert_id(SILENT, T0) != alert_id(Subject("platform", "source_silent", "op-jsu"), T0)


def test_changes_come_in_the_order_of_locks() -> None:
    subjects = [Subject("platform", "source_silent", name) for name in "zyxwvu"]
    ids = [change.alert.alert_id.bytes for change in step([], [finding(subject=s) for s in subjects], [], T0)]
    assert ids == sorted(ids)
