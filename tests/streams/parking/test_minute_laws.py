"""Laws of every minute, whatever is reported: bounds, reasons, coverage, and no matter of order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.minute import LotMinute
from schemas.parking import Observation
from tests.streams.parking.district import at, lot, pool, register, run, seen, window

NOW = at("10:00")


def observation_rows() -> st.SearchStrategy[list[Observation]]:
    numbers = st.none() | st.integers(-30, 260) | st.just(9999)

    def row(
        name: str, where: str, age_s: int, mode: Any, status: Any, counts: list[int | None], basis: Any
    ) -> Observation:
        when = NOW - timedelta(seconds=age_s)
        free, occupied, capacity, in_use = counts
        return seen(
            free, when, where, pool=name, mode=mode, source_status=status, occupied=occupied, capacity=capacity,
            shared_in_use=in_use, time_basis=basis, free_max=in_use, percent_occupied=None if in_use is None else 50.0,
            observed_at=None if basis == "ingest" else when, received_at=when,
        )  # fmt: skip

    return st.lists(
        st.builds(
            row,
            st.sampled_from(["public", "shared", "resident", "ev", "motorcycle"]),
            st.sampled_from(["garage", "estate", "stranger"]),
            st.integers(0, 4000) | st.integers(0, 200),
            st.sampled_from(["count", "count", "flag", "graded", "percent", "closed"]),
            st.sampled_from([None, None, "open", "full", "closed", "fault", "unknown"]),
            st.lists(numbers, min_size=4, max_size=4),
            st.sampled_from(["lot", "feed", "ingest"]),
        ),
        max_size=12,
    )


KNOWN = register(
    lots=[lot("estate", subdistrict_code="440303002", opening_hours=None), lot("garage")],
    pools=[
        pool(), pool("ev", 6), pool("shared", 40, "estate"), pool("resident", 200, "estate"),
    ],
    windows=[window(), window("19:00", "08:00", 60, window_id="w2", lot_id="estate", reserve=5, min_stay_min=60)],
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(observation_rows(), st.integers(0, 24 * 60))
def test_laws_of_every_minute(rows: list[Observation], later_min: int) -> None:
    first = run(rows, NOW, KNOWN)
    second = run(rows, NOW + timedelta(minutes=later_min), KNOWN, first)
    for result in (first, second):
        assert [each.lot_id for each in result.lots] == ["estate", "garage"]
        for found in result.lots:
            check(found)
        district = result.areas[0]
        assert district.available_now >= 0
        assert district.spaces_window_now <= district.spaces_contract
        for name in district.__struct_fields__[1:]:
            assert getattr(district, name) == sum(getattr(area, name) for area in result.areas[1:])


def check(found: LotMinute) -> None:
    if found.available is not None:
        assert found.available >= 0
        assert found.capacity is None or found.available <= found.capacity
        assert found.available_min is not None and found.available_max is not None
        assert found.available_min <= found.available <= found.available_max
    else:
        assert found.reason is not None
    if found.status in ("unknown", "withdrawn"):
        assert (found.available, found.available_min, found.available_max) == (None, None, None)
        assert found.reason is not None
        assert found.quality_score == 0.0
    if found.status == "closed":
        assert found.available == 0
    for each in found.pools:
        if each.available is None:
            assert each.reason is not None
        else:
            assert each.available >= 0
            assert each.capacity is None or each.available <= each.capacity
        if each.status == "unknown":
            assert (each.available, each.available_min, each.available_max) == (None, None, None)
    assert found.freshness != "never" or found.observed_at is None


@settings(max_examples=60, deadline=None)
@given(observation_rows(), st.randoms(use_true_random=False))
def test_any_order_of_observations_gives_the_same_minute(rows: list[Observation], shuffle: Any) -> None:
    other = [*rows, *rows[:3]]
    shuffle.shuffle(other)
    assert run(rows, NOW, KNOWN) == run(other, NOW, KNOWN)
