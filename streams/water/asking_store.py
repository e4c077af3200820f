"""How do questions of the folds get to stations? Rows of station_command, written with what raised them. SQL only.

The register says which station may be asked (`may_query`), and the settings which of them speak a protocol with
questions. Its own element comes with what it says of now (37); another one is asked for by name (3A).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from schemas.settings import Settings
from streams.water.questions import Question
from streams.water.rules import instant, micros
from streams.water.sentences import COLOUR_EN

CODES: Final = {  # SL 651
    "level_m": "39", "flow_m3s": "27", "velocity_ms": "37", "level_below_gate_m": "3A", "level_above_gate_m": "3B",
}  # fmt: skip

_ASK = """
insert into station_command (id, source, station, kind, params, expires_at)
select asked.id, station.source, station.station,
    case when is_by_name then '3A' else '37' end,
    case when is_by_name then asked.params || jsonb_build_object('codes', jsonb_build_array(asked.code))
        else asked.params end,
    asked.expires_at
from unnest(%(ids)s::uuid[], %(stations)s::text[], %(elements)s::text[], %(codes)s::text[], %(params)s::jsonb[],
    %(expire)s::timestamptz[]) as asked (id, station_id, element, code, params, expires_at)
cross join lateral (
    select source, station, element, may_query, withdrawn_at from station
    where station_id = asked.station_id and valid_from <= %(clock)s and (valid_to is null or valid_to > %(clock)s)
    order by valid_from desc, version desc limit 1
) as station
cross join lateral (select asked.code is not null and asked.element <> station.element) as kind (is_by_name)
where station.may_query and station.source = any(%(sources)s)
    and (station.withdrawn_at is null or station.withdrawn_at > %(clock)s)
order by asked.id
on conflict (id) do nothing
"""


def askable(settings: Settings) -> list[str]:
    """The sources whose protocol has questions."""
    return [source.name for source in settings.sources if source.decoder == "sl651"]


def ask(cursor: psycopg.Cursor[Any], found: Iterable[Question], clock: datetime, sources: Sequence[str]) -> None:
    """Write those that are news at the log's clock; one that was asked already is not asked again."""
    now = micros(clock)
    asked = [(question, until) for question in found if (until := question.expires_at(now)) is not None]
    if not asked or not sources:
        return
    columns = {
        "ids": [question.id for question, _ in asked],
        "stations": [question.station_id for question, _ in asked],
        "elements": [question.element for question, _ in asked],
        "codes": [CODES.get(question.element) for question, _ in asked],
        "params": [Jsonb(_why(question)) for question, _ in asked],
        "expire": [instant(until) for _, until in asked],
    }
    cursor.execute(_ASK, {**columns, "clock": clock, "sources": list(sources)})


def _why(question: Question) -> dict[str, str]:
    """What explains the question to who looks at the row."""
    since = instant(question.since).isoformat()
    return {"doubt": question.doubt, "since": since, "level": COLOUR_EN[question.level]}
