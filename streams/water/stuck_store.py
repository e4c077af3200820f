"""Lines of stations in the database: their newest words out, the marks of stuck ones in. SQL only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from sql.connect import Connection
from sql.named import named
from streams.water.columns import micros_of
from streams.water.qartod import SUSPECT
from streams.water.quality import BY_ITSELF, FLAT_LINE
from streams.water.rollups_store import mark_due
from streams.water.rules import HOUR, SeriesKey, instant, micros

_SQL = named("stuck")
MARKED_BACK: Final = 6 * HOUR  # what comes later than this is not marked: each minute looks through so much of a line


class Said(NamedTuple):
    """The newest word of a series, as the station said it."""

    series_id: int
    at: int
    value: float


class Stuck(msgspec.Struct, frozen=True):
    """The readings of a series from `since` on that say this value are suspect."""

    series_id: int
    since: int
    until: int
    value: float  # as the station said it


def load_words(connection: Connection, keys: Collection[SeriesKey], minute: datetime) -> dict[SeriesKey, Said]:
    """Of each series that has said anything of the last day up to the minute."""
    asked = [dict(zip(("source", "station", "element"), key, strict=True)) for key in sorted(keys)]
    rows = _SQL.words(connection, asked=_json(asked), minute=minute, by_itself=BY_ITSELF)
    return {
        (source, station, element): Said(number, micros(at), value)
        for source, station, element, number, at, value in rows
    }


def mark(connection: Connection, stuck: Sequence[Stuck], minute: datetime, zone: tzinfo) -> int:
    """How many readings became suspect. The sums of closed buckets that hold them are due again.

    Promise: no bucket closes meanwhile, for the process that closes them is the caller's own.
    """
    if not stuck:
        return 0
    oldest = micros(minute) - MARKED_BACK
    since = [instant(max(each.since, oldest)) for each in stuck]
    until = [instant(each.until) for each in stuck]
    lines = [
        {"series_id": each.series_id, "since": begins, "until": ends, "value": each.value}
        for each, begins, ends in zip(stuck, since, until, strict=True)
    ]
    marked = list(
        _SQL.mark(
            connection,
            lines=_json(lines),
            minute=minute,
            since=min(since),
            until=max(until),
            by_itself=BY_ITSELF,
            suspect=SUSPECT,
            flat_line=FLAT_LINE,
        )
    )
    if marked:
        numbers = np.array([row[0] for row in marked], np.int64)
        with connection.cursor() as cursor:
            mark_due(cursor, [(numbers, micros_of([row[1] for row in marked]))], [], zone)
    return len(marked)


def _json(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()
