"""Where do crossings and jumps wait that nothing has confirmed? The sweep tells the overdue. SQL only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg

from sql.connect import Connection
from sql.named import named
from streams.water.doubts import Doubted
from streams.water.questions import Question
from streams.water.rules import MINUTE, NEVER, instant, micros

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
    return [Doubted(**dict(zip(names, row, strict=True))) for row in _SQL.open_at(connection, minute=minute)]


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
