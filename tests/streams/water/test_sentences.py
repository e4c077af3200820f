"""Sentences that an officer can read out, whatever is measured."""

from __future__ import annotations

from typing import get_args

import pytest

from schemas.water import Element
from streams.water.sentences import QUANTITY, measured, pace
from tests.streams.water.river import register, station, table, thresholds, told


@pytest.mark.parametrize("element", sorted(set(get_args(Element)) - {"other"}))
def test_every_quantity_has_words(element: str) -> None:
    zh, en = measured(element, 0.0)
    assert "_" not in zh + en
    assert "0.00" in zh
    assert "0.00" in en
    assert not zh.isascii()
    assert en.isprintable()


def test_no_word_stands_for_what_is_not_measured() -> None:
    assert set(QUANTITY) == set(get_args(Element)) - {"other"}


@pytest.mark.parametrize(
    ("element", "zh", "en"),
    [
        (
            "level_above_gate_m",
            "蓝色预警：东门站 08:10 闸上水位 1.20 米，08:05 起达到阈值 1.00 米（依据：预案 2026）。",
            "Blue alert: Dongmen at 08:10, water level above the gate 1.20 m, at or over 1.00 m since 08:05"
            " (source: 预案 2026).",
        ),
        (
            "velocity_ms",
            "蓝色预警：东门站 08:10 流速 1.20 米每秒，08:05 起达到阈值 1.00 米每秒（依据：预案 2026）。",
            "Blue alert: Dongmen at 08:10, velocity 1.20 m/s, at or over 1.00 m/s since 08:05 (source: 预案 2026).",
        ),
    ],
)
def test_an_alert_of_another_quantity(element: str, zh: str, en: str) -> None:
    own = register(thresholds(element=element), of=station(element=element))
    (raised,) = told(table(own), [(0, 0.5), (5, 1.1), (10, 1.2)])
    assert (raised.alert.sentence_zh, raised.alert.sentence_en) == (zh, en)


@pytest.mark.parametrize(
    ("element", "per_min", "zh", "en"),
    [("depth_m", 0.012, "1.2 厘米", "1.2 cm"), ("flow_m3s", 1.25, "1.25 立方米每秒", "1.25 m³/s")],
)
def test_a_rise_in_a_minute(element: str, per_min: float, zh: str, en: str) -> None:
    assert pace(element, per_min) == (zh, en)
