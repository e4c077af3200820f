"""Whatever the order in which it was said, a series ends at the same newest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.parking import Observation
from streams.parking.availability import Clamped, clamp
from streams.parking.latest import Latest, latest_of
from tests.streams.parking.district import LIMITS, at, seen

NOON = at("12:00")


def said(*rows: Observation) -> list[tuple[Observation, Clamped]]:
    return [(row, clamp(row, 100, LIMITS)) for row in rows]


def newest(*rows: Observation) -> Latest:
    found = latest_of(said(*rows))
    assert found is not None
    return found


def test_the_newest_observation_speaks_whenever_it_came() -> None:
    early, late = seen(10, NOON), seen(5, NOON + timedelta(minutes=1))
    assert newest(late, early).free == newest(early, late).free == 5


def test_a_correction_replaces_and_keeps_the_time_it_is_about() -> None:
    wrong = seen(10, NOON)
    right = seen(70, NOON, kind="correct", supersedes=NOON, received_at=NOON + timedelta(hours=1), observed_at=None)
    found = newest(wrong, right)
    assert (found.available, found.at, found.observed_at, found.flags) == (70, NOON, NOON, ("corrected",))
    again = seen(10, NOON, received_at=NOON + timedelta(hours=2))  # the source repeats the wrong one later
    assert newest(again, right, wrong).available == 70


def test_a_void_falls_back_to_the_time_before() -> None:
    before, wrong = seen(10, NOON), seen(99, NOON + timedelta(minutes=1))
    void = seen(None, NOON, kind="void", supersedes=wrong.observed_at, received_at=NOON + timedelta(minutes=3))
    assert newest(void, wrong, before).free == 10
    assert latest_of(said(wrong, void)) is None
    assert latest_of([]) is None


def test_a_correction_of_the_past_does_not_become_the_newest() -> None:
    old, recent = seen(10, NOON), seen(5, NOON + timedelta(minutes=1))
    right = seen(70, NOON, kind="correct", supersedes=NOON, received_at=NOON + timedelta(hours=1))
    assert newest(right, recent, old).free == 5


def test_without_a_time_of_observation_the_time_of_receipt_counts() -> None:
    first = seen(10, NOON, observed_at=None, time_basis="ingest")
    second = seen(4, NOON + timedelta(minutes=1), observed_at=None, time_basis="ingest")
    found = newest(second, first)
    assert (found.free, found.observed_at, found.at) == (4, None, second.received_at)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Observation], list[Observation]]:
    def row(kind: Any, minute: int, delay: int, free: int) -> Observation:
        true_at = NOON + timedelta(minutes=minute)
        supersedes = None if kind == "observe" else true_at
        return seen(free, true_at, kind=kind, supersedes=supersedes, received_at=true_at + timedelta(seconds=delay))

    rows = draw(
        st.lists(
            st.builds(
                row,
                st.sampled_from(["observe", "observe", "correct", "void"]),
                st.integers(0, 4),
                st.integers(0, 2),
                st.integers(-5, 110),
            ),
            max_size=12,
        )
    )
    repeated = rows + [draw(st.sampled_from(rows)) for _ in range(3) if rows]
    return rows, draw(st.permutations(repeated))


@given(shuffled())
def test_any_order_and_any_repetition_end_in_the_same(orders: tuple[list[Observation], list[Observation]]) -> None:
    first, second = orders
    assert latest_of(said(*first)) == latest_of(said(*second))
