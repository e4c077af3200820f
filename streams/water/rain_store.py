"""Rain in the database: samples of series out, sums of gauges and means of basins in. SQL only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from sql.connect import Connection
from sql.named import named
from streams.water.gauges import Samples
from streams.water.rain import Areal, Sum
from streams.water.rules import SeriesKey, instant, micros

_SQL = named("rain")
SERIES_AT_ONCE = 200  # of a long look back: a bounded answer


class Said(NamedTuple):
    """The samples of a series after a time, and the earliest one that is news."""

    samples: Samples
    news_at: int | None


def load_numbers(connection: Connection, keys: Collection[SeriesKey]) -> dict[SeriesKey, int]:
    asked = sorted(keys)
    rows = _SQL.series_of(
        connection, sources=[key[0] for key in asked], stations=[key[1] for key in asked],
        elements=[key[2] for key in asked],
    )  # fmt: skip
    return {(source, station, element): number for source, station, element, number in rows}


def load_samples(
    connection: Connection, numbers: Sequence[int], since: int, received_after: datetime, until: datetime
) -> dict[int, Said]:
    """Of each of these series that has any, what was received up to `until` of times after `since`."""
    found: dict[int, Said] = {}
    span = {"since": instant(since), "until": until}
    revised = {row[0] for row in _SQL.revised(connection, numbers=list(numbers), **span)}
    for query, own in (
        (_SQL.samples, [number for number in numbers if number not in revised]),
        (_SQL.revised_samples, sorted(revised)),
    ):
        for first in range(0, len(own), SERIES_AT_ONCE):
            some = own[first : first + SERIES_AT_ONCE]
            for number, ats, values, news_at in query(connection, numbers=some, received_after=received_after, **span):
                found[number] = Said(Samples(np.array(ats, np.int64), np.array(values, np.float64)), news_at)
    return found


def load_late(
    connection: Connection, numbers: Sequence[int], since: int, received_after: datetime, until: datetime
) -> dict[int, int]:
    """The series of which something became known long after its time, and the earliest such time."""
    rows = _SQL.late(
        connection, numbers=list(numbers), since=instant(since), received_after=received_after, until=until
    )
    return {number: micros(at) for number, at in rows}


def write_sums(connection: Connection, sums: Iterable[tuple[str, int, Sequence[Sum]]]) -> None:
    """Of gauges at marks. Where nothing is known there is no amount."""
    rows = [
        (station_id, instant(at), each.hours, each.mm if each.missing_share < 1 else None, each.missing_share)
        for station_id, at, own in sums
        for each in own
    ]
    if rows:
        subject, at, hours, mm, missing = zip(*rows, strict=True)
        _SQL.put_sums(
            connection, subject=list(subject), at=list(at), hours=list(hours), mm=list(mm),
            missing_share=list(missing),
        )  # fmt: skip


def write_means(connection: Connection, means: Iterable[tuple[str, int, Mapping[int, Areal]]]) -> None:
    rows = [
        (basin, instant(at), hours, mean.mm, mean.missing_share, "\x1f".join(mean.missing))
        for basin, at, by_hours in means
        for hours, mean in by_hours.items()
    ]
    if rows:
        subject, at, hours, mm, share, missing = zip(*rows, strict=True)
        _SQL.put_means(
            connection, subject=list(subject), at=list(at), hours=list(hours), mm=list(mm),
            missing_share=list(share), missing=list(missing),
        )  # fmt: skip


def load_sums(
    connection: Connection, gauges: Collection[str], marks: Collection[int]
) -> dict[int, dict[str, list[Sum]]]:
    """By mark and gauge, in the order of their hours."""
    found: dict[int, dict[str, list[Sum]]] = {}
    for station_id, at, hours, mm, missing in _SQL.sums_at(
        connection, subjects=sorted(gauges), at=[instant(mark) for mark in sorted(marks)]
    ):
        known = Sum(hours, 0.0 if mm is None else mm, missing)
        found.setdefault(micros(at), {}).setdefault(station_id, []).append(known)
    return found
