"""What are the bytes of many readings, as binary COPY takes them? All rows of a take at once, not value by value.

A row is a head of fixed size, made for all rows in one table of numpy, and two texts behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sql.copy import NULL
from streams.water.qartod import Flags, Floats, Ints

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


def block_of(rows: Said) -> bytes:
    heads = np.repeat(_EMPTY, len(rows.number))
    heads["series_id"] = rows.number
    heads["at"] = rows.at - YEAR_2000
    heads["received_at"] = rows.received - YEAR_2000
    heads["value"] = rows.value
    heads["quality_source"], heads["flag"], heads["tests"] = rows.stated, rows.flag, rows.tests
    data, size = heads.tobytes(), _HEAD.itemsize
    cut = [data[begin : begin + size] for begin in range(0, len(data), size)]
    for place in np.flatnonzero(np.isnan(rows.value)).tolist():
        cut[place] = cut[place][:_VALUE] + NULL + cut[place][_AFTER_VALUE:]
    flags = {word: _texts([word])[0] for word in set(rows.flags)}  # a few words
    texts = map(flags.__getitem__, rows.flags), _texts(rows.raw_ref)
    return b"".join(chain.from_iterable(zip(cut, *texts, strict=True)))


def _texts(words: Sequence[str | None]) -> list[bytes]:
    return [NULL if word is None else _LENGTH[len(data := word.encode())] + data for word in words]
