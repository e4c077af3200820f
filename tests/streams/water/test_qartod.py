"""The QARTOD tests say what ioos_qc says of the shared series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.water import qartod
from streams.water.qartod import FAIL, GOOD, Floats
from streams.water.rules import MINUTE, SECOND, Period, SeriesRules
from streams.water.track import NOTHING, run

EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "qartod_expected.json").read_text(encoding="utf-8"))
SERIES = [pytest.param(series, id=series["name"]) for series in EXPECTED["series"]]


def columns(series: dict[str, Any]) -> tuple[Floats, Floats]:
    values = np.array([np.nan if value is None else value for value in series["values"]])
    return values, np.array(series["seconds"], np.float64)


@pytest.mark.parametrize("series", SERIES)
def test_every_flag_is_that_of_ioos_qc(series: dict[str, Any]) -> None:
    values, seconds = columns(series)
    limits = EXPECTED["limits"]
    assert EXPECTED["made_with"] == "ioos_qc 3.0.0"
    assert qartod.gross_range(values, *limits["gross_range"]).tolist() == series["gross_range"]
    assert qartod.rate_of_change(values, seconds, *limits["rate_of_change"]).tolist() == series["rate_of_change"]
    assert qartod.spike(values, *limits["spike"]).tolist() == series["spike"]
    assert qartod.flat_line(values, seconds, *limits["flat_line"]).tolist() == series["flat_line"]


@pytest.mark.parametrize("series", SERIES)
def test_what_fails_when_it_comes_fails_the_spike_test_too(series: dict[str, Any]) -> None:
    """The causal road looks only back and holds one sample; where neighbours are known the verdict is the same."""
    values, seconds = columns(series)
    there = np.flatnonzero(~np.isnan(values))
    rules = SeriesRules("s", "level_m", periods=(Period(rate=0.0015 * 60 / MINUTE),))
    told = run(NOTHING, rules, [int(seconds[i]) * SECOND for i in there], [float(values[i]) for i in there])
    causal = {int(place) for place, mark in zip(there, told.marks, strict=True) if mark & 7 == FAIL}
    failed = {place for place, flag in enumerate(series["spike"]) if flag == FAIL}
    suspect = {place for place, flag in enumerate(series["spike"]) if flag not in (GOOD, 9)}
    assert causal <= suspect | {41}  # the lower of two spikes in a row lies in the middle of its neighbours
    if series["name"] == "spiky":
        assert {7, 19, 40, 41} <= causal
        assert failed - causal <= {6, 8, 18, 20, 39, 42}  # beside a spike its neighbours look like one


def test_a_short_series_has_no_verdict() -> None:
    empty = np.zeros(0)
    assert qartod.spike(empty, 1.0).tolist() == []
    assert qartod.flat_line(np.ones(2), np.array([0.0, 60.0]), 60, 120, 0.1).tolist() == [GOOD, GOOD]
