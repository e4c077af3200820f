"""Do points land where map services show them, and come back?"""

from __future__ import annotations

from math import cos, hypot, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gcj02 import bd09_to_gcj02, gcj02_to_wgs84, wgs84_to_gcj02

# WGS-84, then GCJ-02 as the published test points of EvilTransform have it (its own code, not ours).
POINTS = [
    pytest.param((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215), id="Shanghai"),
    pytest.param((22.543847, 113.912316), (22.540796131694766, 113.9171764808363), id="Shenzhen"),
    pytest.param((39.911954, 116.377817), (39.91334545536069, 116.38404722455657), id="Beijing"),
]


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    return hypot((one[0] - other[0]) * 111_320, (one[1] - other[1]) * 111_320 * cos(radians(one[0])))


@pytest.mark.parametrize(("wgs84", "gcj02"), POINTS)
def test_known_points(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*wgs84) == pytest.approx(gcj02, abs=1e-9)
    assert metres(gcj02_to_wgs84(*gcj02), wgs84) < 0.001


def test_baidu_lies_on_top_of_gcj02() -> None:
    # The pair that the README of coordtransform (another implementation) shows.
    assert bd09_to_gcj02(39.915, 116.404) == pytest.approx((39.90865673957631, 116.39762729119315), abs=1e-9)


@given(st.floats(22.4, 22.9), st.floats(113.7, 114.7))
def test_there_and_back_is_the_same_place(lat: float, lon: float) -> None:
    shifted = wgs84_to_gcj02(lat, lon)
    assert 300 < metres((lat, lon), shifted) < 800
    assert metres(gcj02_to_wgs84(*shifted), (lat, lon)) < 0.01


@given(st.floats(18.2, 53.0), st.floats(75.0, 134.0))
def test_there_and_back_everywhere_in_china(lat: float, lon: float) -> None:
    assert metres(gcj02_to_wgs84(*wgs84_to_gcj02(lat, lon)), (lat, lon)) < 0.01


@pytest.mark.parametrize("point", [(47.56, 7.6), (-33.87, 151.2), (40.7, -74.0), (0.0, 0.0)])
def test_elsewhere_nothing_moves(point: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*point) == point
    assert gcj02_to_wgs84(*point) == point
