"""The bench's own arithmetic: medians, percentiles, targets, the document. No timing here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import decode
from schemas.parking import check
from tests.bench.feed import wrk_report
from tests.bench.figures import KEYS, Figure, Measured, Target, document, median, percentile, shown
from tests.bench.full_path import Drained
from tests.bench.load import observation, records
from tests.bench.peers.compare import Run, compared
from tests.processes import ROOT

NUMBERS = st.lists(st.floats(-1e9, 1e9), min_size=1)


def figure(value: float, reference: float | None, target: Target | None) -> Figure:
    return Figure(name="rows", value=value, unit="rows/s", reference=reference, target=target)


def test_a_median_is_the_middle_or_between_the_two_middle_ones() -> None:
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5
    with pytest.raises(ValueError, match="no values"):
        median([])


@given(NUMBERS, st.floats(0, 100))
def test_a_percentile_was_seen_and_covers_its_share(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share / 100 * len(values) - 1e-6
    assert percentile(values, 100) == max(values)


def test_the_99th_of_a_hundred_is_not_the_worst() -> None:
    assert percentile([float(value) for value in range(1, 101)], 99) == 99.0


def test_a_target_is_about_the_value_or_about_the_ratio() -> None:
    half = Target(0.5, "ratio", "at least")
    assert figure(60, 100, half).is_reached is True
    assert figure(49, 100, half).is_reached is False
    assert figure(60, None, half).is_reached is None  # nothing was there to compare with
    assert figure(29, 100, Target(30)).is_reached is True
    assert figure(31, 100, Target(30)).is_reached is False
    assert figure(31, 100, None).is_reached is None
    assert str(half) == "≥ 0.50 of it"
    assert str(Target(400)) == "≤ 400"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (0.5, "0.50"), (4.2, "4.20"), (43.06, "43.1"), (168.4, "168"), (118_432, "118,000"), (3, "3")],
)
def test_three_digits_are_shown(value: float, text: str) -> None:
    assert shown(value) == text


def test_what_was_not_measured_is_null_and_never_guessed() -> None:
    found = document([Measured((figure(1, 2, None),), {"rows_per_s": 61_234.56})], {"feed": "OSError: no wrk"})
    assert list(found)[: len(KEYS)] == list(KEYS)
    assert found["rows_per_s"] == 61_230.0
    assert [key for key in KEYS if found[key] is not None] == ["rows_per_s"]
    assert found["failed"] == {"feed": "OSError: no wrk"}


def test_rows_of_the_bench_keep_the_contract_and_are_all_there() -> None:
    parts = list(records(series=300, minutes=3, rows_per_record=50))
    assert sum(part.rows for part in parts) == 900
    seen = set()
    for part in parts:
        batch = decode(part.value)
        assert not batch.bad
        assert len(batch.rows) == part.rows <= 50
        seen |= {(row.source, row.ref, row.pool, row.observed_at or row.received_at) for row in batch.rows}
    assert len(seen) == 900
    check(observation(97, 5))


def test_a_report_of_wrk_is_read_and_a_bad_answer_is_no_figure() -> None:
    good = (
        "  Latency Distribution\n     50%    1.20ms\n     99%  950.00us\nRequests/sec:  41234.56\nTransfer/sec: 1GB\n"
    )
    assert wrk_report(good).requests_per_s == 41234.56
    assert wrk_report(good).p99_ms == pytest.approx(0.95)
    with pytest.raises(ValueError, match="not every request"):
        wrk_report(good + "  Non-2xx or 3xx responses: 12\n")


def test_the_target_is_about_the_better_peer() -> None:
    found = {"a": Run(rows_per_s=30_000, client_us=20.0), "b": Run(rows_per_s=20_000, client_us=10.0)}
    figures = compared("batches", Drained(rows_per_s=100_000, client_us=4.0, server_us=3.0), found, is_target=True)
    judged = {(one.unit, one.beside): one.is_reached for one in figures if one.target is not None}
    assert judged == {("rows/s", "a"): True, ("us/row", "b"): False}
    assert all(one.target is None for one in compared("single rows", Drained(1.0, 1.0, 1.0), found, is_target=False))


def test_decoders_are_measured_without_a_stack_and_every_key_is_there() -> None:
    argv = [sys.executable, "-m", "tests.bench", "--only", "decode", "--json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert set(KEYS) <= set(found)
    assert set(found["decode_us_per_row"]) >= {"hdb", "datex2", "lta", "ymzh"}
    assert all(value > 0 for value in found["decode_us_per_row"].values())
