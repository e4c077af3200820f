"""The two states of danger and what goes out of it, sample by sample."""

from __future__ import annotations

from streams.water.columns import Reading, columns_of
from streams.water.fold import fold
from streams.water.qartod import FAIL
from tests.streams.water.river import feed, minute, register, station, table, thresholds, told, words


def test_a_crossing_is_confirmed_by_the_next_good_sample() -> None:
    changes = told(table(), [(0, 0.5), (5, 1.1), (10, 1.2)])
    assert words(changes) == [("raised", 1, 10)]
    alert = changes[0].alert
    assert alert.detail["observed_at"] == "2026-06-01T00:05:00+00:00"
    assert alert.detail["threshold"]["source"] == "预案 2026"
    assert alert.detail["rule"] == "danger/1"
    assert [(each["value"], each["flag"]) for each in alert.detail["readings"]] == [(0.5, 1), (1.1, 1), (1.2, 1)]
    assert alert.sentence_zh == "蓝色预警：东门站 08:10 水位 1.20 米，08:05 起达到阈值 1.00 米（依据：预案 2026）。"
    assert alert.sentence_en == (
        "Blue alert: Dongmen at 08:10, water level 1.20 m, at or over 1.00 m since 08:05 (source: 预案 2026)."
    )


def test_one_sample_over_the_line_raises_nothing() -> None:
    assert told(table(), [(0, 0.5), (5, 1.1), (10, 0.8), (15, 1.1), (20, 0.8)]) == []


def test_without_confirmation_it_is_raised_at_once() -> None:
    assert words(told(table(register(thresholds(confirm=0))), [(0, 0.9), (5, 1.1)])) == [("raised", 1, 5)]


def test_a_long_wait_confirms_too() -> None:
    own = thresholds(confirm=5, confirm_max_s=300)
    changes = told(table(register(own)), [(0, 0.9), (1, 1.1), (2, 1.1), (3, 1.1), (6, 1.1)])
    assert words(changes) == [("raised", 1, 6)]


def test_a_rise_skips_levels_at_once() -> None:
    changes = told(table(), [(0, 0.9), (5, 1.6), (10, 2.2), (15, 2.6), (20, 2.7)])
    assert words(changes) == [("raised", 2, 10), ("updated", 3, 15), ("updated", 4, 20)]
    assert len({change.alert.alert_id for change in changes}) == 1
    both = told(table(register(thresholds(confirm=0))), [(0, 1.8 - 0.9), (10, 2.7)])
    assert words(both) == [("raised", 4, 10)]


def test_between_off_and_on_nothing_changes() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.1)])
    assert told(state, [(at, 0.95) for at in range(15, 600, 5)]) == []


def test_it_ends_after_the_hold_below_off() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.3)])
    changes = told(state, [(at, 0.85) for at in range(15, 60, 5)])
    assert words(changes) == [("ended", 1, 45)]
    assert changes[0].alert.revision == 2
    assert changes[0].episode.peak == 1.3
    assert changes[0].alert.sentence_zh == "解除：东门站 08:45 解除蓝色预警，最高水位 1.30 米（08:10）。"


def test_it_does_not_end_while_the_water_rises() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.1)])
    assert told(state, [(at, 0.5 + at / 100) for at in (15, 20, 25, 30, 35)]) == []
    assert words(told(state, [(45, 0.86), (50, 0.86)])) == [("ended", 1, 50)]


def test_a_crossing_within_the_hold_is_the_same_alert() -> None:
    state = table()
    changes = told(state, [(0, 0.9), (5, 1.1), (10, 1.1), (15, 0.8), (30, 0.8), (35, 1.1), (40, 0.8), (65, 0.8)])
    assert words(changes) == [("raised", 1, 10)]
    assert words(told(state, [(70, 0.8)])) == [("ended", 1, 70)]


def test_a_fall_to_a_lower_level_is_told() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.6), (10, 1.6)])
    changes = told(state, [(at, 1.2) for at in range(15, 60, 5)])
    assert words(changes) == [("updated", 1, 45)]
    assert changes[0].alert.sentence_en == (
        "Dongmen at 08:45, water level 1.20 m: the alert falls from yellow to blue."
    )


def test_flapping_is_held_at_the_highest_and_marked() -> None:
    state = table(register(thresholds(confirm=0, hold_min=0), of=station(rate=None)))
    changes = told(state, [(0, 0.9), (5, 1.1), (10, 0.8), (15, 1.6), (20, 0.8), (25, 1.1), (30, 0.8)])
    assert words(changes) == [
        ("raised", 1, 5),
        ("ended", 1, 10),
        ("raised", 2, 15),
        ("updated", 2, 20),
    ]
    assert changes[-1].alert.detail["flapping"]
    assert "水位反复" in changes[-1].alert.sentence_zh
    assert words(told(state, [(at, 0.8) for at in range(35, 130, 5)])) == [("ended", 2, 95)]


def test_a_quick_flood_through_all_levels_is_no_flapping() -> None:
    changes = told(table(register(thresholds(confirm=0))), [(0, 0.9), (5, 1.1), (10, 1.6), (15, 2.1), (20, 2.6)])
    assert [change.alert.level for change in changes] == [1, 2, 3, 4]
    assert not any(change.alert.detail["flapping"] for change in changes)


def test_old_data_raise_a_delayed_alert() -> None:
    state = table()
    feed(state, [(0, 0.9)])
    folded = feed(state, [(5, 1.1), (10, 1.2)], heard=90)
    assert words(folded.changes) == [("raised", 1, 90)]
    assert folded.changes[0].alert.detail["delayed"]
    assert "数据迟到" in folded.changes[0].alert.sentence_zh
    street = table(register(of=station(kind="street")))
    feed(street, [(0, 0.9)])
    assert feed(street, [(5, 1.1), (10, 1.2)], heard=26).changes[0].alert.detail["delayed"]
    assert not feed(table(), [(5, 1.1), (10, 1.2)], heard=26).changes[0].alert.detail["delayed"]


def test_a_crossing_that_was_over_before_we_heard_of_it_is_a_record() -> None:
    state = table()
    feed(state, [(0, 0.5), *((at, 0.5) for at in range(100, 150, 5))])
    changes = feed(state, [(at, 1.2) for at in (10, 15, 20)] + [(at, 0.6) for at in range(25, 70, 5)]).changes
    assert {change.what for change in changes} == {"retrospective", "updated"}
    (only,) = {change.alert.alert_id for change in changes}
    assert all(change.alert.ended_at is not None for change in changes)
    assert changes[0].alert.alert_id == only
    assert changes[-1].alert.detail["retrospective"]


def test_late_data_that_refute_an_alert_withdraw_it_and_its_return_is_its_next_revision() -> None:
    state = table(register(of=station(rate=None)))
    raised = told(state, [(0, 0.5), (10, 1.1), (20, 1.2)])
    assert words(raised) == [("raised", 1, 20)]
    withdrawn = feed(state, [(15, 0.5)]).changes
    assert [(each.what, each.alert.revision) for each in withdrawn] == [("withdrawn", 2)]
    assert withdrawn[0].alert.ended_at is not None
    again = feed(state, [(12, 1.1)]).changes
    assert [(each.what, each.alert.revision) for each in again] in (
        [("raised", 3)],
        [("retrospective", 3)],
    )
    assert again[0].alert.alert_id == raised[0].alert.alert_id


def test_a_late_sample_may_move_the_beginning_but_never_the_alert() -> None:
    state = table()
    (raised,) = told(state, [(0, 0.9), (10, 1.1), (15, 1.2)])
    (moved,) = feed(state, [(5, 1.05)]).changes
    assert moved.alert.alert_id == raised.alert.alert_id
    assert (moved.what, moved.alert.revision) == ("updated", 2)
    assert moved.episode.started_at == minute(5)


def test_a_value_that_is_taken_back_and_said_anew_is_the_next_revision_of_its_alert() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.2)])
    taken_back = fold(state, columns_of([Reading(0, minute(10), minute(11), 1.2, FAIL)]))
    anew = fold(state, columns_of([Reading(0, minute(10), minute(12), 1.3)]))
    changes = [*taken_back.changes, *anew.changes]
    assert [(change.what, change.alert.revision) for change in changes] == [("withdrawn", 2), ("raised", 3)]
    assert len({change.alert.alert_id for change in changes}) == 1
