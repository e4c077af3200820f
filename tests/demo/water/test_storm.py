"""Is the synthetic storm as wet as the one of 2023-09-07, and does it pass as fast as it is told to?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from demo.water.network import gauges, rain_share, wettest
from demo.water.storm import HOURS, LABEL_EN, LABEL_ZH, Storm, fallen_mm, hyetograph, peak_min, wettest_mm

BEGAN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "mm"),
    [(1, 116.8), (2, 180.7), (3, 243.2), (6, 355.2), (12, 465.5), (24, 560.0), (48, 615.4), (72, 619.0)],
)
def test_the_maxima_are_those_that_were_measured(hours: int, mm: float) -> None:
    assert wettest_mm(hours) == pytest.approx(mm, abs=0.05)


def test_the_wettest_hour_is_where_it_is_said() -> None:
    assert fallen_mm(peak_min() + 60) - fallen_mm(peak_min()) == pytest.approx(116.8, abs=0.05)


def test_rain_falls_and_never_goes_up_again() -> None:
    assert len(hyetograph()) == HOURS * 12
    assert min(hyetograph()) >= 0
    sums = [fallen_mm(minute / 3) for minute in range(-30, HOURS * 180 + 100)]
    assert all(before <= after for before, after in pairwise(sums))
    assert sums[0] == 0.0
    assert sums[-1] == pytest.approx(619.0)


def test_the_district_is_as_wet_as_its_69_gauges_were() -> None:
    share = sum(rain_share(gauge) for gauge in gauges()) / len(gauges())
    assert rain_share(wettest()) == 1.0
    assert max(rain_share(gauge) for gauge in gauges()) == 1.0
    assert 355.2 * share == pytest.approx(254.2, rel=0.05)  # areal rain of 6 h, and of 24 h
    assert 560.0 * share == pytest.approx(420.1, rel=0.05)


def test_time_is_compressed() -> None:
    storm = Storm(began=BEGAN, factor=24.0)
    assert storm.minute(BEGAN) == storm.minute(BEGAN - timedelta(hours=1)) == peak_min() - 360
    assert storm.minute(BEGAN + timedelta(minutes=15)) == pytest.approx(peak_min())
    assert Storm(began=BEGAN, factor=1.0, from_min=0).minute(BEGAN + timedelta(hours=72)) == 72 * 60


def test_it_says_that_it_is_no_recorded_event() -> None:
    assert "合成" in LABEL_ZH
    assert "synthetic" in LABEL_EN
