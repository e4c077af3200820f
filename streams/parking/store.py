"""Observations of parking in the database: the state of a partition out, the rows of a take in. SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from schemas.parking import Observation
from schemas.topics import PARKING_OBSERVATIONS, partition_of, series_key
from sql.copy import Table, copy_rows, insert_rows
from streams.parking.fold import Changes, Key, Revision, Series, identity, is_repeat, values_of

OBSERVATION = Table(
    "parking_observation",
    (
        "series_id", "at", "observed_at", "received_at", "mode", "free", "occupied", "capacity", "in_count",
        "out_count", "inside", "shared_in_use", "held", "free_max", "percent_occupied", "available", "available_min",
        "available_max", "capacity_used", "overflow", "time_basis", "source_status", "flags", "raw_ref", "raw_text",
    ),
    (
        "int4", "timestamptz", "timestamptz", "timestamptz", "text", "int4", "int4", "int4", "int4",
        "int4", "int4", "int4", "int4", "int4", "float8", "int4", "int4",
        "int4", "int4", "int4", "text", "text", "text[]", "text", "text",
    ),
)  # fmt: skip

_SERIES = "select source, ref, pool, series_id from parking_series"
_NEWEST = f"""
select s.series_id, o.* from unnest(%s::int[]) as s (series_id)
cross join lateral (
    select {", ".join(OBSERVATION.columns[1:])} from parking_observation
    where series_id = s.series_id order by at desc limit 1
) as o
"""  # noqa: S608 column names of ours
_LAST_WORD = """
select distinct on (r.series_id, r.at) r.series_id, r.at, r.received_at, r.observation
from unnest(%s::int[], %s::timestamptz[]) as asked (series_id, at) join parking_revision as r using (series_id, at)
where r.kind = 'observe' order by r.series_id, r.at, r.received_at desc, r.digest desc
"""
_NEW_SERIES = """
insert into parking_series (source, ref, pool, first_seen)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
on conflict (source, ref, pool) do nothing
"""
_FIND_SERIES = """
select s.source, s.ref, s.pool, s.series_id
from unnest(%s::text[], %s::text[], %s::text[]) as asked (source, ref, pool) join parking_series as s
    using (source, ref, pool)
"""
_STORED = f"""
select {", ".join("o." + column for column in OBSERVATION.columns)}
from unnest(%s::int[], %s::timestamptz[]) as asked (series_id, at) join parking_observation as o using (series_id, at)
"""  # noqa: S608 column names of ours
_REVISION = """
insert into parking_revision (series_id, at, received_at, kind, digest, observation, available, available_min,
    available_max, capacity_used, overflow, flags)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
_CAPACITIES = """
select ls.source, ls.ref, p.pool, p.capacity
from lot_source as ls join pool as p using (lot_id)
where ls.valid_to is null and p.valid_to is null and p.capacity is not null
"""


def load_series(cursor: psycopg.Cursor[Any], partitions: Sequence[int]) -> dict[Key, Series]:
    """The series of these partitions, each with its newest observation."""
    wanted = set(partitions)
    keys: dict[int, Key] = {}
    for source, ref, pool, series_id in cursor.execute(_SERIES):
        if partition_of(series_key(source, ref), PARKING_OBSERVATIONS.partitions) in wanted:
            keys[series_id] = (source, ref, pool)
    return _with_newest(cursor, keys)


def _with_newest(cursor: psycopg.Cursor[Any], keys: dict[int, Key]) -> dict[Key, Series]:
    found = {key: Series(series_id) for series_id, key in keys.items()}
    newest = cursor.execute(_NEWEST, (list(keys),)).fetchall()
    again = _last_words(cursor, [(row[0], row[1]) for row in newest])
    for row in newest:
        word = again.get((row[0], row[1]))
        found[keys[row[0]]] = Series(row[0], row if word is None or word[0] < row[3] else _as_stored(row, *word))
    return found


def _last_words(
    cursor: psycopg.Cursor[Any], keys: Sequence[tuple[int, datetime]]
) -> dict[tuple[int, datetime], tuple[datetime, Observation]]:
    """What was said last about times that were said again."""
    rows = cursor.execute(_LAST_WORD, ([key[0] for key in keys], [key[1] for key in keys]))
    return {(row[0], row[1]): (row[2], msgspec.convert(row[3], Observation)) for row in rows}


def _as_stored(row: Sequence[Any], received_at: datetime, word: Observation) -> tuple[Any, ...]:
    """The stored row with the last word's values in it, as `values_of` reads them."""
    values = identity(word)
    return (*row[:3], received_at, *values[:11], *row[15:20], *values[11:], *row[22:])


def load_capacities(cursor: psycopg.Cursor[Any]) -> dict[Key, int]:
    """The register's capacity of each pool that a source reports."""
    return {(source, ref, pool): capacity for source, ref, pool, capacity in cursor.execute(_CAPACITIES)}


def register_series(cursor: psycopg.Cursor[Any], rows: Sequence[Observation]) -> dict[Key, Series]:
    """Give every new series its number; first_seen is the received_at of its first row."""
    first: dict[Key, datetime] = {}
    for row in rows:
        first.setdefault((row.source, row.ref, row.pool), row.received_at)
    columns = [[key[i] for key in first] for i in range(3)]
    cursor.execute(_NEW_SERIES, (*columns, list(first.values())))
    numbers = {(source, ref, pool): number for source, ref, pool, number in cursor.execute(_FIND_SERIES, columns)}
    return _with_newest(cursor, {number: key for key, number in numbers.items()})


def write(cursor: psycopg.Cursor[Any], changes: Changes) -> None:
    """Store a take. Promise: exactly once under the fence; observations are never overwritten."""
    if changes.fresh:
        copy_rows(cursor, OBSERVATION, changes.fresh)
    revisions = list(changes.revisions)
    if changes.late:
        collided = insert_rows(cursor, OBSERVATION, changes.late)
        said = changes.late_observations
        again = set(collided) | {key for key, several in said.items() if len(several) > 1}
        if again:
            keys = sorted(again)
            columns = ([key[0] for key in keys], [key[1] for key in keys])
            stored = {(row[0], row[1]): (row[3], values_of(row)) for row in cursor.execute(_STORED, columns)}
            words = _last_words(cursor, keys)
            for key in keys:
                received_at, values = stored[key]
                if key in words and words[key][0] >= received_at:
                    received_at, values = words[key][0], identity(words[key][1])
                for row, clamped in said[key]:
                    if is_repeat(row, received_at, values):
                        continue
                    if (row.received_at, identity(row)) != (stored[key][0], stored[key][1]):
                        revisions.append(Revision(key[0], key[1], row, clamped))
                    if row.received_at >= received_at:
                        received_at, values = row.received_at, identity(row)
    if revisions:
        cursor.executemany(_REVISION, [_revision(revision) for revision in revisions])


def _revision(revision: Revision) -> tuple[Any, ...]:
    row, clamped = revision.observation, revision.clamped
    return (
        revision.series_id, revision.at, row.received_at, row.kind, revision.digest,
        Jsonb(msgspec.to_builtins(row)), clamped.available, clamped.available_min, clamped.available_max,
        clamped.capacity_used, clamped.overflow, list(clamped.flags) or None,
    )  # fmt: skip
