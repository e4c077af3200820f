"""Which number does a foreign field hold? Strict: what is not a whole number is no number."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from connectors.decoding import Unreadable, shown

_WHOLE = re.compile(r"^[+-]?\d{1,9}$", re.ASCII)
_DECIMAL = re.compile(r"^[+-]?\d{1,9}([.,]\d{1,9})?$", re.ASCII)


def whole(value: Any, field: str) -> int | None:
    """An int of JSON number or of digits in a string; None for null and empty; 7.0 is 7.

    Raises Unreadable bad_number for anything else ("490 (79%)", true, 7.5, 1e308): the caller keeps the text.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise Unreadable("bad_number", f"{field} is {shown(value)}")
    if isinstance(value, int):
        if abs(value) > 999_999_999:
            raise Unreadable("bad_number", f"{field} is {shown(value)}")
        return value
    if isinstance(value, float) and abs(value) < 1e9 and value == int(value):
        return int(value)
    if isinstance(value, str) and len(value) <= 32 and _WHOLE.match(value.strip()):
        return int(value)
    raise Unreadable("bad_number", f"{field} is {shown(value)}")


def decimal(value: Any, field: str) -> float | None:
    """A finite float; None for null and empty. Raises Unreadable bad_number."""
    if value is None or value == "":
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9:
        return float(value)
    if isinstance(value, str) and len(value) <= 32 and _DECIMAL.match(value.strip()):
        return float(value.strip().replace(",", "."))
    raise Unreadable("bad_number", f"{field} is {shown(value)}")


def reading(value: Any, field: str, no_data: Collection[int] = ()) -> tuple[int | None, tuple[str, ...]]:
    """A count, and flags. A number by which its source says that it has none becomes null with `no_data`."""
    count = whole(value, field)
    return (None, ("no_data",)) if count in no_data else (count, ())
