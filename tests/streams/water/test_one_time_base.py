"""What goes wrong where event time and the clock of the machine are mixed: cases of other platforms, each once.

ThingsBoard AlarmRuleState (first event's time compared with the machine's clock), issues 7943, 10979, 10590, 14301, and
Delft-FEWS' "only missing values: all clear".
"""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from streams.water.columns import Reading, columns_of
from streams.water.fold import fold
from streams.water.qartod import MISSING
from streams.water.rules import HOUR, MINUTE
from tests.streams.water.river import feed, history, minute, register, table, thresholds, told, words

FOR_30_MIN = register(thresholds(confirm=1000, confirm_max_s=1800, hold_min=30))


def test_one_back_filled_sample_an_hour_old_is_not_30_minutes_of_flood() -> None:
    state = table(FOR_30_MIN)
    feed(state, [(0, 0.5)])
    assert feed(state, [(5, 1.2)], heard=65).changes == []
    assert feed(state, [(6, 1.2)], heard=66).changes == []
    assert [each.what for each in feed(state, [(36, 1.2)], heard=67).changes] == ["raised"]


def test_a_late_low_value_does_not_begin_the_duration_anew() -> None:
    """A low sample from before the crossing comes after it: the duration counts from the crossing."""
    state = table(FOR_30_MIN)
    told(state, [(0, 0.5), (10, 1.2), (20, 1.2), (30, 1.2)])
    assert feed(state, [(5, 0.6)], heard=31).changes == []
    assert words(told(state, [(40, 1.2)])) == [("raised", 1, 40)]


def test_a_late_low_value_within_the_duration_does() -> None:
    """Had it come in time it would have broken the row: the same answer whenever it comes."""
    state = table(FOR_30_MIN)
    told(state, [(0, 0.5), (10, 1.2), (20, 1.2), (30, 1.2)])
    feed(state, [(25, 0.6)], heard=31)
    assert told(state, [(40, 1.2), (50, 1.2)]) == []
    assert words(told(state, [(60, 1.2)])) == [("raised", 1, 60)]


def test_a_late_low_value_does_not_end_an_alert() -> None:
    state = table()
    told(state, [(0, 0.9), (10, 1.1), (20, 1.2), (30, 1.2)])
    assert feed(state, [(5, 0.6)], heard=31).changes == []
    assert table_level(state) == 1


def table_level(state: object) -> int:
    tracks = getattr(state, "tracks")  # noqa: B009 - the track is the state
    return int(tracks[0].dangers["flood"].level)


def test_on_and_off_are_two_lines() -> None:
    state = table()
    changes = told(state, [(0, 0.9), (5, 1.01), (10, 1.01)] + [(at, 0.99 + at % 2 / 50) for at in range(15, 300, 5)])
    assert words(changes) == [("raised", 1, 10)]


def test_silence_ends_nothing() -> None:
    """However long nobody reports: there is no sample, so nothing is folded. The next low one begins the hold."""
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.1)])
    assert told(state, [(10 + 24 * 60 - 1, 0.5)]) == []
    assert words(told(state, [(10 + 24 * 60 + 29, 0.5)])) == [("ended", 1, 10 + 24 * 60 + 29)]


def test_only_missing_values_are_no_all_clear() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.1)])
    missing = [Reading(0, minute(at), minute(at), None, MISSING) for at in range(15, 600, 5)]
    folded = fold(state, columns_of(missing))
    assert folded.changes == []
    assert table_level(state) == 1
    assert int(state.suspect_at[0]) == minute(595)


def test_a_low_value_that_is_no_good_one_is_no_all_clear() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1), (10, 1.1)])
    bad = [Reading(0, minute(at), minute(at), 0.0, stated=3) for at in range(15, 600, 5)]
    assert fold(state, columns_of(bad)).changes == []


def test_a_quiet_hold_is_counted_in_the_time_of_the_samples() -> None:
    """The machine that folds may be late or in a hurry: half a day of samples in one second ends as it would have."""
    slow, quick = table(), table()
    samples = [(0.0, 0.9), (5.0, 1.1), (10.0, 1.1), *((float(at), 0.5) for at in range(15, 720, 5))]
    one_by_one = told(slow, samples)
    at_once = feed(quick, samples, heard=720).changes
    assert [msgspec.structs.astuple(each.episode) for each in one_by_one] == [
        msgspec.structs.astuple(each.episode) for each in at_once
    ]
    assert one_by_one[-1].episode.ended_at == minute(45)


def test_the_same_sample_again_counts_once() -> None:
    state = table()
    feed(state, [(0, 0.9), (5, 1.1)])
    for heard in (6, 7, 8):
        folded = feed(state, [(5, 1.1)], heard=heard)
        assert folded.changes == []
        assert folded.repeat.tolist() == [True]


def test_a_second_word_about_a_time_counts_and_the_first_is_gone() -> None:
    state = table()
    told(state, [(0, 0.9), (5, 1.1)])
    assert feed(state, [(5, 0.95)], heard=6).changes == []
    assert told(state, [(10, 1.1)]) == []
    assert words(told(state, [(15, 1.1)])) == [("raised", 1, 15)]


def test_time_is_whole_microseconds() -> None:
    assert HOUR == 60 * MINUTE == 3_600_000_000


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_coarse_word_about_a_time_never_counts_beside_a_fine_one(order: tuple[int, ...]) -> None:
    """SL 651: the hourly report says in centimetres what the added report (33) said in millimetres."""
    fine, coarse, next_one = 0.996, 1.0, 0.997
    words_ = [
        Reading(0, minute(5), minute(5), fine),
        Reading(0, minute(5), minute(9), coarse, is_coarse=True),
        Reading(0, minute(10), minute(10), next_one),
    ]
    state = table(register(thresholds(confirm=0)))
    feed(state, [(0, 0.5)])
    for place in order:
        fold(state, columns_of([words_[place]]))
    ats, values, _ = state.ring.history(0)
    assert dict(zip(ats.tolist(), values.tolist(), strict=True)) == {
        minute(0): 0.5, minute(5): fine, minute(10): next_one
    }  # fmt: skip
    assert history(state) == []


def test_a_coarse_word_alone_counts() -> None:
    state = table(register(thresholds(confirm=0)))
    folded = fold(state, columns_of([Reading(0, minute(5), minute(9), 1.0, is_coarse=True)]))
    assert [change.what for change in folded.changes] == ["raised"]
