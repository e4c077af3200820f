"""Where do crossings and jumps wait that nothing has confirmed, and what does a device doubt itself? SQL only.

The sweep tells what is overdue, and what is doubted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg

from sql.connect import Connection
from sql.named import named
from streams.water.doubts import Doubted
from streams.water.questions import Question
from streams.water.rules import MINUTE, NEVER, SeriesKey, instant, micros
from streams.water.suspects import Sample

KEPT_FOR: Final = timedelta(days=7)
WORTH_TELLING: Final = 15 * MINUTE  # what is older when it is heard is nobody's alarm
_SQL = named("doubts")


def keep(
    cursor: psycopg.Cursor[Any], series: Collection[tuple[str, str]], found: Iterable[Question], clock: datetime
) -> None:
    """What is in doubt now of these series (station and element), instead of what was."""
    now = micros(clock)
    rows = [_row(each, clock) for each in found if now - each.since <= WORTH_TELLING]
    stations, elements = ([each[i] for each in series] for i in range(2))
    open_now = [row["question_id"] for row in rows]
    _SQL.close(cursor.connection, stations=stations, elements=elements, open=open_now, clock=clock)
    if rows:
        _SQL.keep(cursor.connection, rows=msgspec.json.encode(rows).decode())


def open_at(connection: Connection, minute: datetime) -> list[Doubted]:
    names = Doubted.__struct_fields__
    return [Doubted(**dict(zip(names, row, strict=False))) for row in _SQL.open_at(connection, minute=minute)]


def load_spoken(connection: Connection, asked: Mapping[SeriesKey, int], minute: datetime) -> dict[SeriesKey, Sample]:
    """Of each series the newest sample since a time that decides something, or that its device doubts."""
    if not asked:
        return {}
    rows = [
        {"source": key[0], "station": key[1], "element": key[2], "since": instant(since)}
        for key, since in asked.items()
    ]
    found = _SQL.spoken(
        connection, asked=msgspec.json.encode(rows).decode(), since=instant(min(asked.values())), minute=minute
    )
    return {
        (source, station, element): Sample(micros(at), value, is_doubted, tuple(flags.split(",")) if flags else ())
        for source, station, element, at, value, is_doubted, flags in found
    }


def drop_old(connection: Connection, minute: datetime) -> None:
    _SQL.drop_old(connection, before=minute - KEPT_FOR)


def _row(question: Question, clock: datetime) -> dict[str, Any]:
    return {
        "question_id": question.id,
        "hazard": question.hazard,
        "station_id": question.station_id,
        "element": question.element,
        "doubt": question.doubt,
        "level": question.level,
        "value": question.value,
        "since": instant(question.since),
        "overdue_at": None if question.overdue_at >= NEVER // 2 else instant(question.overdue_at),
        "opened_at": clock,
    }
