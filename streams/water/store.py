"""Readings of water in the database: the state of a partition out, the rows of a take in. SQL only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import isnan
from typing import Any

import msgspec
import psycopg

from schemas.topics import WATER_READINGS, partition_of, series_key
from sql.copy import Table, insert_rows
from streams.water.block import COLUMNS, Said
from streams.water.columns import Requalified, is_coarse
from streams.water.qartod import GOOD, SUSPECT, UNKNOWN
from streams.water.quality import BY_ITSELF, FLAT_LINE, RATE_OF_CHANGE
from streams.water.roster import Key
from streams.water.rules import instant, micros
from streams.water.series import Kept, Point, pack, unpack
from streams.water.words import Word

StoredRow = tuple[Any, ...]  # in the order of READING.columns

READING = Table(
    "water_reading",
    COLUMNS,
    ("int4", "timestamptz", "timestamptz", "float8", "int2", "int2", "int2", "text", "text"),
)

_SERIES = "select source, station, element, code, series_id from water_series"
_NEW_SERIES = """
insert into water_series (source, station, element, code, first_seen)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
on conflict (source, station, element, code) do nothing
"""
_FIND_SERIES = """
select s.source, s.station, s.element, s.code, s.series_id
from unnest(%s::text[], %s::text[], %s::text[], %s::text[]) as asked (source, station, element, code)
join water_series as s using (source, station, element, code)
"""
_NEWEST = """
select s.series_id, o.at from unnest(%s::int[]) as s (series_id)
cross join lateral (select at from water_reading where series_id = s.series_id order by at desc limit 1) as o
"""
# The flag as the fold left it, whatever the sweep said of the line since.
_POINTS = f"""
select s.series_id, o.at, o.value, o.received_at,
    case when o.tests & {FLAT_LINE} = 0 or o.flag <> {SUSPECT} then o.flag
        when o.tests & {RATE_OF_CHANGE} <> 0 then {UNKNOWN} else {GOOD} end,
    o.flags
from unnest(%s::int[], %s::timestamptz[], %s::int[]) as s (series_id, since, at_most)
cross join lateral (
    select at, value, received_at, flag, tests, flags from water_reading
    where series_id = s.series_id and at > s.since and value is not null and tests & {BY_ITSELF} = 0
    order by at desc limit s.at_most
) as o
order by s.series_id, o.at
"""  # noqa: S608 numbers of ours
_WORDS = f"""
select s.series_id, r.at, r.value, r.received_at, r.flag, r.tests & {BY_ITSELF} = 0 as is_value
from unnest(%(series)s::int[], %(since)s::timestamptz[]) as s (series_id, since)
join water_revision as r on r.series_id = s.series_id and r.at > s.since
where r.value is not null and (r.tests & {BY_ITSELF} = 0 or r.flag in (3, 4))
union all
select s.series_id, o.at, o.value, o.received_at, o.flag, false
from unnest(%(series)s::int[], %(since)s::timestamptz[], %(with_voids)s::bool[]) as s (series_id, since, with_voids)
join water_reading as o on s.with_voids and o.series_id = s.series_id and o.at > s.since
where o.value is not null and o.flag in (3, 4) and o.tests & {BY_ITSELF} <> 0
order by 1, 2, 4
"""  # noqa: S608 a number of ours
_KEPT = "select series_id, kept from water_state where series_id = any(%s)"
_PUT_KEPT = """
insert into water_state (series_id, kept, updated_at)
select series_id, kept, %s from unnest(%s::int[], %s::bytea[]) as s (series_id, kept)
on conflict (series_id) do update set kept = excluded.kept, updated_at = excluded.updated_at
"""
_DROP_KEPT = "delete from water_state where series_id = any(%s)"
_STORED = """
select o.series_id, o.at, o.value, o.quality_source
from unnest(%s::int[], %s::timestamptz[]) as asked (series_id, at) join water_reading as o using (series_id, at)
"""
_LAST_WORD = """
select distinct on (r.series_id, r.at) r.series_id, r.at, r.value, r.quality_source
from unnest(%s::int[], %s::timestamptz[]) as asked (series_id, at) join water_revision as r using (series_id, at)
order by r.series_id, r.at, r.received_at desc, r.digest desc
"""
_REVISION = """
insert into water_revision (series_id, at, received_at, digest, value, quality_source, flag, tests, flags, raw_ref)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
# That its line is stuck was said by the sweep, and stays said.
_REQUALIFY = f"""
update water_reading as r set tests = m.tests | (r.tests & {FLAT_LINE}::int2),
    flag = case when r.tests & {FLAT_LINE} = 0 then m.flag else greatest(m.flag, {SUSPECT}::int2) end
from unnest(%s::int[], %s::timestamptz[], %s::int2[], %s::int2[]) as m (series_id, at, flag, tests)
where r.series_id = m.series_id and r.at = m.at
"""  # noqa: S608 numbers of ours


def load_series(cursor: psycopg.Cursor[Any]) -> dict[int, dict[Key, int]]:
    """The numbers of all series, by partition."""
    found: dict[int, dict[Key, int]] = {partition: {} for partition in range(WATER_READINGS.partitions)}
    partitions: dict[tuple[str, str], int] = {}
    for source, station, element, code, number in cursor.execute(_SERIES):
        partition = partitions.get((source, station))
        if partition is None:
            partition = partition_of(series_key(source, station), WATER_READINGS.partitions)
            partitions[source, station] = partition
        found[partition][source, station, element, code] = number
    return found


def register_series(cursor: psycopg.Cursor[Any], first: dict[Key, datetime]) -> dict[Key, int]:
    """Give new series their numbers; `first` is the received_at of the first reading of each."""
    columns = [[key[i] for key in first] for i in range(4)]
    cursor.execute(_NEW_SERIES, (*columns, list(first.values())))
    found = cursor.execute(_FIND_SERIES, columns)
    return {(source, station, element, code): number for source, station, element, code, number in found}


def load_newest(cursor: psycopg.Cursor[Any], numbers: Sequence[int]) -> dict[int, int]:
    """The newest time of each series, good or not."""
    return {number: micros(at) for number, at in cursor.execute(_NEWEST, (list(numbers),))}


def load_kept(cursor: psycopg.Cursor[Any], numbers: Sequence[int]) -> dict[int, Kept]:
    return {number: unpack(bytes(kept)) for number, kept in cursor.execute(_KEPT, (list(numbers),))}


def load_points(cursor: psycopg.Cursor[Any], asked: Iterable[tuple[int, datetime, int]]) -> dict[int, list[Point]]:
    """Points of each series after a time, the newest so many of them, oldest first. Values as they were said."""
    wanted = list(asked)
    found: dict[int, list[Point]] = {}
    rows = cursor.execute(_POINTS, tuple([each[i] for each in wanted] for i in range(3)))
    for number, at, value, received_at, flag, flags in rows:
        found.setdefault(number, []).append(Point(micros(at), value, micros(received_at), flag, is_coarse(flags)))
    return found


def load_words(cursor: psycopg.Cursor[Any], asked: Iterable[tuple[int, datetime, bool]]) -> dict[int, list[Word]]:
    """What was said again about times after one, and (where asked for) which first words were no values."""
    wanted = list(asked)
    found: dict[int, list[Word]] = {}
    columns = dict(
        zip(("series", "since", "with_voids"), ([each[i] for each in wanted] for i in range(3)), strict=True)
    )
    for number, at, value, received_at, flag, is_value in cursor.execute(_WORDS, columns):
        found.setdefault(number, []).append(Word(micros(at), value, micros(received_at), flag, is_value))
    return found


def rows_of(said: Said) -> list[StoredRow]:
    return [
        (number, instant(at), instant(received), None if isnan(value) else value, *judged)
        for number, at, received, value, *judged in zip(
            *(column.tolist() for column in said[:7]), said.flags, said.raw_ref, strict=True
        )
    ]


def write_late(cursor: psycopg.Cursor[Any], late: Sequence[StoredRow]) -> None:
    """Rows that may be stored already: the first word stays, another one about the same time is a revision."""
    first: dict[tuple[int, datetime], StoredRow] = {}
    again = [row for row in late if first.setdefault((row[0], row[1]), row) is not row]
    collided = set(insert_rows(cursor, READING, list(first.values())))
    said = [row for key, row in first.items() if key in collided] + again
    if not said:
        return
    keys = list({(row[0], row[1]) for row in said})
    columns = ([key[0] for key in keys], [key[1] for key in keys])
    words = {(row[0], row[1]): (row[2], row[3]) for row in cursor.execute(_STORED, columns)}
    words |= {(row[0], row[1]): (row[2], row[3]) for row in cursor.execute(_LAST_WORD, columns)}
    revisions = []
    for row in said:
        key, word = (row[0], row[1]), (row[3], row[4])
        if words[key] == word or is_coarse(row[7]):
            continue
        words[key] = word
        digest = hashlib.blake2b(msgspec.json.encode(word), digest_size=16).digest()
        revisions.append((row[0], row[1], row[2], digest, *row[3:]))
    if revisions:
        cursor.executemany(_REVISION, revisions)


def requalify(cursor: psycopg.Cursor[Any], requalified: Sequence[tuple[int, Requalified]]) -> None:
    """New flags of stored readings, by series number; of several about one reading the last holds."""
    newest = {(number, each.at): each for number, each in requalified}
    if newest:
        keys = list(newest)
        cursor.execute(
            _REQUALIFY,
            (
                [key[0] for key in keys],
                [instant(key[1]) for key in keys],
                [newest[key].flag for key in keys],
                [newest[key].tests for key in keys],
            ),
        )


def write_kept(cursor: psycopg.Cursor[Any], kept: dict[int, Kept | None], clock: datetime) -> None:
    """What a restart needs of series that are not at rest, in the order of their numbers."""
    put = {number: pack(one) for number, one in sorted(kept.items()) if one is not None}
    if put:
        cursor.execute(_PUT_KEPT, (clock, list(put), list(put.values())))
    gone = sorted(number for number, one in kept.items() if one is None)
    if gone:
        cursor.execute(_DROP_KEPT, (gone,))
