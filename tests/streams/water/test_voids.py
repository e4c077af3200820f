"""A value that its source takes back is none, whichever of the two words comes first, and whoever starts anew."""

from __future__ import annotations

import random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from streams.water.columns import Reading, columns_of
from streams.water.fold import fold
from streams.water.qartod import FAIL, MISSING
from streams.water.series import SeriesTable
from tests.streams.water.river import feed, flood, history, minute, register, station, table, thresholds, told

FLOOD = [(0, 0.3), (5, 0.4), (10, 2.1), (15, 2.2), (20, 2.2)]


def taken_back(state: SeriesTable, at: float, heard: float, flag: int = FAIL, value: float | None = 9.0) -> list[str]:
    folded = fold(state, columns_of([Reading(0, minute(at), minute(heard), value, flag)]))
    return [change.what for change in folded.changes]


def late(state: SeriesTable, at: float, value: float, heard: float) -> list[str]:
    return [change.what for change in feed(state, [(at, value)], heard=heard).changes]


def river() -> SeriesTable:
    return table(register(thresholds(), of=station(rate=None)))


def test_a_value_that_is_taken_back_withdraws_what_it_raised() -> None:
    state = river()
    told(state, FLOOD[:4])
    assert taken_back(state, 15, heard=16) == ["withdrawn"]


def test_a_value_that_comes_after_its_own_retraction_raises_nothing() -> None:
    state = river()
    told(state, FLOOD[:3])
    assert taken_back(state, 15, heard=17) == []
    assert late(state, 15, 2.2, heard=16) == []
    assert history(state) == []
    assert late(state, 15, 2.2, heard=18) == ["raised"]  # a word later than the retraction


def test_no_value_takes_nothing_back() -> None:
    state = river()
    told(state, FLOOD[:3])
    assert taken_back(state, 15, heard=17, flag=MISSING, value=None) == []
    assert late(state, 15, 2.2, heard=16) == ["raised"]


def test_what_is_remembered_is_bounded() -> None:
    state = river()
    for at in range(5000):
        taken_back(state, at, heard=at)
    assert len(state.voids[0]) <= state.ring.most


@settings(max_examples=12, deadline=None, phases=(Phase.generate,))
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_words_come_changes_nothing_in_the_end(dice: random.Random) -> None:
    """Values, some of them taken back, some of those said anew: in order, and shuffled in pieces."""
    words = []
    for at, value in flood(hours=8, seed=dice.randint(0, 9)):
        words.append(Reading(0, minute(at), minute(at), value))
        if dice.random() < 0.1:
            words.append(Reading(0, minute(at), minute(at + 1), 9.0, FAIL))
            if dice.random() < 0.5:
                words.append(Reading(0, minute(at), minute(at + 2), value + 0.5))
    own = register(thresholds(), of=station())
    in_order, other = table(own, hours=1e6), table(own, hours=1e6)
    for word in words:
        fold(in_order, columns_of([word]))
    dice.shuffle(words)
    while words:
        size = dice.randint(1, 30)
        fold(other, columns_of(words[:size]))
        del words[:size]
    assert history(other) == history(in_order)
    span, other_span = in_order.ring.span(0), other.ring.span(0)
    assert other.ring.value[other_span].tolist() == in_order.ring.value[span].tolist()
