"""What we know of a source only grows: counts add, times never go back."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.source import Health
from streams.sources.health import SourceHealth, apply

T0 = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def health(second: int, *, success: int | None = None, error: str | None = None, rows: int = 1) -> Health:
    return Health(
        source="op-jst",
        received_at=T0 + timedelta(seconds=second),
        polls=1,
        rows=rows,
        last_success_at=None if success is None else T0 + timedelta(seconds=success),
        error=error,
        cadence_s=60.0,
    )


def fold(rows: list[Health]) -> SourceHealth:
    current: SourceHealth | None = None
    for row in rows:
        current = apply(current, row)
    assert current is not None
    return current


def test_first_report_founds_the_source() -> None:
    known = fold([health(10, success=9)])
    assert known.first_report_at == known.received_at == T0 + timedelta(seconds=10)
    assert known.last_success_at == T0 + timedelta(seconds=9)


def test_a_connector_that_starts_again_takes_no_success_back() -> None:
    known = fold([health(10, success=9), health(30)])
    assert known.last_success_at == T0 + timedelta(seconds=9)


def test_an_error_is_gone_with_the_next_good_report() -> None:
    assert fold([health(10, error="timed out"), health(30, success=30)]).error is None


def test_a_late_report_counts_and_moves_nothing_back() -> None:
    known = fold([health(30, success=30, rows=5), health(10, success=9, error="old", rows=0)])
    assert (known.polls, known.rows) == (2, 5)
    assert known.received_at == known.last_success_at == T0 + timedelta(seconds=30)
    assert known.error is None


def test_zero_rows_are_a_report() -> None:
    assert fold([health(10, success=10, rows=0)]).rows == 0


@given(st.permutations([health(10, success=9), health(20, success=19), health(30), health(40, success=35)]))
def test_any_order_of_reports_gives_the_same_health(rows: list[Health]) -> None:
    assert fold(rows) == fold(sorted(rows, key=lambda row: row.received_at))


def test_every_split_of_a_log_gives_the_same_health() -> None:
    rows = [health(s, success=s) for s in (10, 20, 30)]
    assert len({fold([*part]) for part in itertools.permutations(rows)}) == 1
