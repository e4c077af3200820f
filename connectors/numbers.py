"""Which number does a foreign field hold? Strict: what is not a whole number is no number."""

from __future__ import annotations

import re
from typing import Any

from connectors.decoding import Unreadable

_WHOLE = re.compile(r"^[+-]?\d{1,9}$", re.ASCII)
_DECIMAL = re.compile(r"^[+-]?\d{1,9}([.,]\d{1,9})?$", re.ASCII)


def whole(value: Any, field: str) -> int | None:
    """An int of JSON number or of digits in a string; None for null and empty; 7.0 is 7.

    Raises Unreadable bad_number for anything else ("490 (79%)", true, 7.5, 1e308): the caller keeps the text.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise Unreadable("bad_number", f"{field} is {value!r}")
    if isinstance(value, int):
        if abs(value) > 999_999_999:
            raise Unreadable("bad_number", f"{field} is {value!r}")
        return value
    if isinstance(value, float) and abs(value) < 1e9 and value == int(value):
        return int(value)
    if isinstance(value, str) and _WHOLE.match(value.strip()):
        return int(value)
    raise Unreadable("bad_number", f"{field} is {str(value)[:80]!r}")


def decimal(value: Any, field: str) -> float | None:
    """A finite float; None for null and empty. Raises Unreadable bad_number."""
    if value is None or value == "":
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9:
        return float(value)
    if isinstance(value, str) and _DECIMAL.match(value.strip()):
        return float(value.strip().replace(",", "."))
    raise Unreadable("bad_number", f"{field} is {str(value)[:80]!r}")
