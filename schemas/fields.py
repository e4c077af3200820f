"""The bounds every travelling row keeps, so that the database never meets what it cannot store."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)  # older stamps are sentinels (1970, 2000), not observations
FUTURE_LIMIT = timedelta(days=1)  # a row may lie this far ahead of when it was received; beyond it is no time

# No patterns here: they cost 2 us a row. Control characters are looked for in the bytes of a whole record (batch.py).
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=2000)]
Count = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]  # cars or spaces; a source may send a negative one
Total = Annotated[int, msgspec.Meta(ge=0, le=2_000_000_000)]  # a counter since the day began or since installation
Percent = Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


FREE_TEXT = frozenset(
    ("detail", "raw", "raw_text", "error", "note")
)  # may hold lines; everything else is one printable line
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_text(row: msgspec.Struct) -> None:
    """Raise ValueError when a text of the row holds what PostgreSQL or a log line cannot: NUL, control characters."""
    for name, value in msgspec.structs.asdict(row).items():
        for text in value if isinstance(value, tuple) else (value,):
            if not isinstance(text, str):
                continue
            if "\x00" in text or (name not in FREE_TEXT and _CONTROL.search(text)):
                raise ValueError(f"{name} holds a control character")


def check_instant(name: str, at: datetime | None, received_at: datetime) -> None:
    """Raise ValueError when `at` lies outside 2015 .. received_at + 1 day."""
    if at is not None and not EARLIEST <= at <= received_at + FUTURE_LIMIT:
        raise ValueError(f"{name} {at.isoformat()} is not within 2015 .. received_at + 1 day")
