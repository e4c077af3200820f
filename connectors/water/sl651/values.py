"""What number do these digits mean? BCD without a point, bytes of arrays, and the ways to say that there is none."""

from __future__ import annotations

import re

from connectors.decoding import Unreadable

ARRAYS = frozenset(f"F{digit}" for digit in "456789ABC")
ARRAY_MINUTES = 5
_DIGITS = re.compile(r"\d+", re.ASCII)
_NEGATIVE = re.compile(r"FF(\d+)", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d{1,12}(\.\d{0,9})?|\.\d{1,9})", re.ASCII)
LARGEST = 1e9


def bcd(raw: bytes, decimals: int) -> float | None:
    """None: the station says that it has no value (all A, or all F). Negative numbers begin with FF.

    Raises Unreadable bad_number.
    """
    digits = raw.hex().upper()
    if _DIGITS.fullmatch(digits):
        value: float = int(digits) / 10**decimals
    elif negative := _NEGATIVE.fullmatch(digits):
        value = -int(negative[1]) / 10**decimals
    elif digits and (digits == "A" * len(digits) or digits == "F" * len(digits)):
        return None
    else:
        raise Unreadable("bad_number", f"{digits[:64]} is no BCD number")
    if abs(value) >= LARGEST:
        raise Unreadable("bad_number", f"{digits[:64]} is larger than any reading")
    return value


def array(code: str, raw: bytes) -> tuple[float | None, ...]:
    """F4: a byte each, 0.1 mm, FF is none. F5 to FC: two bytes each, cm, FFFF is none. Raises Unreadable bad_array."""
    if code == "F4":
        return tuple(None if byte == 0xFF else byte / 10 for byte in raw)
    if len(raw) % 2:
        raise Unreadable("bad_array", f"{len(raw)} bytes are no two-byte values")
    values = (int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
    return tuple(None if value == 0xFFFF else value / 100 for value in values)


def status(raw: bytes) -> float | None:
    """Element 45: four bytes of bits, as a number. Raises Unreadable bad_number: the highest bits have no meaning."""
    if raw == b"\xff" * len(raw):
        return None
    value = int.from_bytes(raw, "big")
    if value >= LARGEST:
        raise Unreadable("bad_number", f"{raw.hex()[:64]} are no bits of the standard")
    return float(value)


def decimal(text: str) -> float | None:
    """A number of the ASCII encoding; M, or nothing but A or F, is none. Raises Unreadable bad_number."""
    if text == "M" or re.fullmatch("A+|F+", text):
        return None
    if not _DECIMAL.fullmatch(text) or abs(value := float(text)) >= LARGEST:
        raise Unreadable("bad_number", f"{text[:64]!r} is no number")
    return value
