"""Numbers: strict, so that a text about a number is never taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.decoding import Unreadable
from connectors.numbers import decimal, reading, whole


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),  # zero is a reading
        ("0", 0),
        ("007", 7),
        (" 12 ", 12),
        ("+3", 3),
        ("-8", -8),  # Heidelberg P23
        (7.0, 7),
        (999_999_999, 999_999_999),
        (None, None),
        ("", None),
    ],
)
def test_a_whole_number_is_read(value: Any, number: int | None) -> None:
    assert whole(value, "free") == number


@pytest.mark.parametrize(
    "value",
    [
        "490 (79%)",  # Salzburg
        "nicht bekannt",
        "7.5",
        7.5,
        "1e3",
        1e308,
        float("inf"),
        float("nan"),
        10**9,
        "9" * 10_000,
        " " * 10_000 + "1",
        "１２",  # full-width digits
        "٣",
        True,
        [3],
        {"value": 3},
    ],
)
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        whole(value, "free")
    assert refused.value.reason == "bad_number"
    assert len(refused.value.detail) < 120


@pytest.mark.parametrize(
    ("value", "number"), [(0, 0.0), ("57.4", 57.4), ("57,4", 57.4), ("-3", -3.0), (None, None), ("", None)]
)
def test_a_decimal_is_read(value: Any, number: float | None) -> None:
    assert decimal(value, "percent") == number


@pytest.mark.parametrize("value", [float("nan"), 1e308, "1.", "57.4%", True, [], "9" * 100])
def test_what_is_no_decimal_is_refused(value: Any) -> None:
    with pytest.raises(Unreadable):
        decimal(value, "percent")


def test_a_number_that_means_no_data_is_no_reading() -> None:
    assert reading(-999, "free", (-1, -999)) == (None, ("no_data",))
    assert reading(-2, "free", (-1, -999)) == (-2, ())
    assert reading(0, "free", (-1,)) == (0, ())
    assert reading(None, "free", (-1,)) == (None, ())
