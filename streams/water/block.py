"""What are the bytes of many readings, as binary COPY takes them? All rows of a take at once, not value by value.

A row is a head of fixed size, made for all rows in one table of numpy, and two texts behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sql.copy import NULL
from streams.water.qartod import Bools, Flags, Floats, Ints

YEAR_2000: Final = 946_684_800_000_000  # PostgreSQL counts microseconds from here
# Each field behind the number of its bytes.
_FIELDS: Final = (
    ("series_id", ">i4"), ("at", ">i8"), ("received_at", ">i8"), ("value", ">f8"), ("quality_source", ">i2"),
    ("flag", ">i2"), ("tests", ">i2"),
)  # fmt: skip
COLUMNS: Final = (*(name for name, _ in _FIELDS), "flags", "raw_ref")
_HEAD: Final = np.dtype(
    [
        ("fields", ">i2"),
        *((each, form) for name, of in _FIELDS for each, form in ((f"bytes of {name}", ">i4"), (name, of))),
    ]
)
_EMPTY: Final = np.zeros(1, _HEAD)
_EMPTY["fields"] = len(COLUMNS)
for _name, _form in _FIELDS:
    _EMPTY[f"bytes of {_name}"] = np.dtype(_form).itemsize
_VALUE: Final = _HEAD.fields["bytes of value"][1] if _HEAD.fields else 0
_AFTER_VALUE: Final = _HEAD.fields["bytes of quality_source"][1] if _HEAD.fields else 0
_LENGTH: Final = tuple(length.to_bytes(4, "big") for length in range(4 * 64 + 1))  # of a text; a word has 64 characters


class Said(NamedTuple):
    """What is stored of readings, as columns of equal length."""

    number: npt.NDArray[np.int64]
    at: Ints
    received: Ints
    value: Floats  # nan: there is none
    stated: Flags
    flag: Flags
    tests: npt.NDArray[np.uint8]
    flags: Sequence[str | None]
    raw_ref: Sequence[str | None]

    def at_places(self, places: npt.NDArray[np.int64]) -> Said:
        chosen = places.tolist()
        return Said(
            self.number[places],
            self.at[places],
            self.received[places],
            self.value[places],
            self.stated[places],
            self.flag[places],
            self.tests[places],
            [self.flags[place] for place in chosen],
            [self.raw_ref[place] for place in chosen],
        )


def block_of(rows: Said, chosen: Bools) -> bytes:
    """Of the chosen rows.

    A plain row has a value, no flags and a raw_ref as long as that of all others: such rows are one table. The few
    others are put in between, one by one.
    """
    heads = np.repeat(_EMPTY, len(rows.number))
    heads["series_id"] = rows.number
    heads["at"] = rows.at - YEAR_2000
    heads["received_at"] = rows.received - YEAR_2000
    heads["value"] = rows.value
    heads["quality_source"], heads["flag"], heads["tests"] = rows.stated, rows.flag, rows.tests
    table, is_plain = _plain(rows, heads)
    data, size = memoryview(table), len(table) // max(1, len(heads))
    parts: list[bytes | memoryview] = []
    begin = 0
    for place in np.flatnonzero(~(is_plain & chosen)).tolist():
        parts.append(data[begin * size : place * size])
        if chosen[place]:
            parts += _one(heads[place : place + 1].tobytes(), rows, place)
        begin = place + 1
    parts.append(data[begin * size :])
    return b"".join(parts)


def _plain(rows: Said, heads: npt.NDArray[np.void]) -> tuple[bytes, Bools]:
    """The table of plain rows, and which rows are plain; the places of the others in the table mean nothing."""
    refs = ["" if ref is None else ref for ref in rows.raw_ref]
    text = "".join(refs)
    length = len(refs[0]) if refs else 0
    if not length or not text.isascii() or len(text) != length * len(refs) or len(set(map(len, refs))) != 1:
        return b"", np.zeros(len(refs), np.bool_)
    table = np.empty(len(heads), [("head", _HEAD), ("flags", "S4"), ("bytes", ">i4"), ("raw_ref", f"S{length}")])
    table["head"], table["flags"], table["bytes"] = heads, NULL, length
    table["raw_ref"] = np.frombuffer(text.encode(), f"S{length}")
    has_flags = len(refs) != rows.flags.count(None)
    without = np.array([flags is None for flags in rows.flags]) if has_flags else np.ones(len(refs), np.bool_)
    return table.tobytes(), without & ~np.isnan(rows.value)


def _one(head: bytes, rows: Said, place: int) -> tuple[bytes, ...]:
    if isnan(rows.value[place]):
        head = head[:_VALUE] + NULL + head[_AFTER_VALUE:]
    return head, _text(rows.flags[place]), _text(rows.raw_ref[place])


def _text(word: str | None) -> bytes:
    return NULL if word is None else _LENGTH[len(data := word.encode())] + data
