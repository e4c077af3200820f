"""What is known of stations: silence lowers no danger, and the silence of many is one alert."""

from __future__ import annotations

import pytest

from streams.alerts.episodes import Subject, step
from streams.water.knowledge import (
    Judged,
    Known,
    SilenceLimits,
    State,
    findings,
    is_reminder_due,
    judge,
    outages,
)  # fmt: skip
from streams.water.questions import Question, questions
from streams.water.rules import ALWAYS, MINUTE, SECOND, SeriesRules, instant
from tests.streams.water.river import ZONE, feed, minute, register, station, table, thresholds

NOW = minute(600)


def known(
    name: str = "dm", silent_min: float = 1, level: int = 0, gateway: str | None = None, raining: bool = False
) -> Known:
    heard = NOW - round(silent_min * MINUTE)
    rules = SeriesRules(name, "level_m", name_zh=f"{name}站", name_en=name, cadence=300 * SECOND)
    return Known(
        rules=rules, gateway=gateway, basin_id="buji", heard_at=heard, good_at=heard, value=1.32, level=level,
        raining=raining,
    )  # fmt: skip


def judged(*stations: Known) -> list[Judged]:
    return [judge(each, NOW, SilenceLimits()) for each in stations]


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (known(silent_min=14), "ok"),
        (known(silent_min=16), "offline"),  # three times its five minutes
        (known(silent_min=11, raining=True), "offline"),  # sooner in rain
        (Known(rules=SeriesRules("x", "level_m")), "never"),
        (Known(rules=SeriesRules("x", "level_m"), heard_at=NOW, good_at=NOW - 61 * MINUTE), "stale"),
        (Known(rules=SeriesRules("x", "level_m"), heard_at=NOW, good_at=NOW - MINUTE, suspect_at=NOW), "suspect"),
        (Known(rules=SeriesRules("x", "level_m"), heard_at=NOW, suspect_at=NOW), "stale"),
    ],
)
def test_states(one: Known, state: State) -> None:
    assert judge(one, NOW, SilenceLimits()).state == state


def test_a_silent_station_in_danger_keeps_its_danger_and_says_what_is_not_known() -> None:
    found, cleared = findings(judged(known(silent_min=20, level=3), known("b"), known("c")), [], NOW, ZONE)
    (only,) = found
    assert (only.subject, only.level, cleared) == (Subject("water", "station_offline", "dm"), 4, [])
    assert only.sentence_zh == "dm站自 17:40 起离线，最后水位 1.32 米（17:40），橙色预警保持，现状未知。"
    assert "the orange alert stands, how it is now is unknown" in only.sentence_en


def test_many_behind_one_gateway_are_one_alert_and_replace_those_of_the_stations() -> None:
    names = [f"s{number}" for number in range(10)]
    one = judged(known("s0", 20, gateway="g1"), *(known(name, gateway="g1") for name in names[1:]))
    raised = step([], findings(one, [], NOW, ZONE)[0], [], instant(NOW))
    many = judged(
        *(known(name, 20, gateway="g1") for name in names[:6]), *(known(name, gateway="g1") for name in names[6:])
    )
    active = [change.alert for change in raised]
    found, cleared = findings(many, [alert.subject for alert in active], NOW, ZONE)
    changes = step(active, found, cleared, instant(NOW))
    assert sorted((each.change, each.alert.subject.kind, each.alert.subject.subject) for each in changes) == [
        ("ended", "station_offline", "s0"),
        ("raised", "network_silent", "gateway/g1"),
    ]
    assert found[0].sentence_zh == "网关 g1自 17:40 起 10 个测站中有 6 个无数据。"


def test_two_hundred_silent_stations_are_one_alert_of_the_district() -> None:
    found, alone = outages(judged(*(known(f"s{number}", 20, gateway=f"g{number % 9}") for number in range(200))))
    assert ([each.group for each in found], alone) == (["district"], [])


def test_who_reports_again_is_cleared_and_who_was_never_heard_is_not() -> None:
    subject = Subject("water", "station_offline", "dm")
    found, cleared = findings(judged(known()), [subject], NOW, ZONE)
    assert (found, [each.subject for each in cleared]) == ([], [subject])
    assert findings(judged(Known(rules=SeriesRules("dm", "level_m"))), [subject], NOW, ZONE) == ([], [])


def test_a_station_that_is_no_longer_registered_owes_nothing() -> None:
    _, (cleared,) = findings(judged(known("b")), [Subject("water", "station_offline", "dm")], NOW, ZONE)
    assert cleared.detail == {"ended_by": "retired"}


def test_what_was_said_while_nobody_listened_is_no_silence() -> None:
    silent = [judge(known(name, 300), NOW, SilenceLimits(), NOW - 10 * MINUTE) for name in ("a", "b", "c")]
    assert {(each.state, each.is_held) for each in silent} == {("stale", True)}
    active = [Subject("water", "station_offline", "a"), Subject("water", "network_silent", "district")]
    assert findings(silent, active, NOW, ZONE) == ([], [])
    later = [judge(known(name, 300), NOW, SilenceLimits(), NOW - 16 * MINUTE) for name in ("a", "b", "c")]
    found, cleared = findings(later, active, NOW, ZONE)
    assert [each.subject for each in found] == active[1:]
    assert [each.subject for each in cleared] == active[:1]


def test_reminders() -> None:
    assert is_reminder_due(4, False, NOW, NOW + 2 * MINUTE)
    assert not is_reminder_due(3, False, NOW, NOW + 2 * MINUTE)
    assert is_reminder_due(3, False, NOW, NOW + 5 * MINUTE)
    assert not is_reminder_due(4, True, NOW, NOW + 59 * MINUTE)
    assert not is_reminder_due(1, False, ALWAYS, NOW)


def about(question: Question) -> tuple[str, int, str, int, int]:
    return question.station_id, question.since, question.doubt, question.level, question.overdue_at


def test_a_crossing_and_a_jump_want_confirmation() -> None:
    state = table(register(thresholds(confirm_max_s=120)))
    folded = feed(state, [(0, 0.9), (5, 1.1)])
    (asked,) = questions(state, folded.changed_slots)
    assert about(asked) == ("dm", minute(5), "crossing", 1, minute(7))
    feed(state, [(10, 1.1)])
    assert questions(state, state.tracks) == []
    jump = table(register(of=station(rate=0.05)))
    folded = feed(jump, [(0, 0.5), (5, 2.6)])
    assert [(each.doubt, each.level) for each in questions(jump, folded.changed_slots)] == [("jump", 4)]
