"""What did the database's log say of water in a range of time? Takes for the folds. SQL only; reads, never writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, get_args

import numpy as np

from schemas.water_registers import Hazard
from sql.connect import Connection
from sql.named import named
from streams.water.columns import Columns, doubted, micros_of, ranks
from streams.water.rules import SeriesKey

_SQL = named("replay_water")
TAKE: Final = 1_000  # rows that the cursor gives and the folds take at once


def series(connection: Connection) -> dict[SeriesKey, int]:
    return {(source, station, element): number for source, station, element, number in _SQL.series(connection)}


def standing_since(connection: Connection, at: datetime) -> datetime | None:
    """When the oldest of the dangers began that stood at this time, as the platform told it."""
    since: datetime | None = _SQL.standing_since(connection, kinds=list(get_args(Hazard)), at=at)
    return since


def takes(
    connection: Connection, slots: Mapping[int, int], since: datetime, until: datetime, at_most: int
) -> Iterator[Columns]:
    """What was received in [since, until), of these series (number to slot), in the order in which it was received."""
    asked = {"series": list(slots), "since": since, "until": until, "at_most": at_most}
    with connection.cursor(name="replay", binary=True) as cursor:
        cursor.execute(_SQL.said.sql, asked)
        while rows := cursor.fetchmany(TAKE):
            yield _columns(rows, slots)


def _columns(rows: list[tuple[Any, ...]], slots: Mapping[int, int]) -> Columns:
    numbers, ats, heard, values, stated, flags = zip(*rows, strict=True)
    received = micros_of(heard)
    return Columns(
        slot=np.array([slots[number] for number in numbers], np.int64),
        at=micros_of(ats),
        received=received,
        value=np.array([np.nan if value is None else value for value in values], np.float64),
        stated=np.array(stated, np.uint8),
        device=doubted(flags),
        rank=ranks(received, flags),
    )
