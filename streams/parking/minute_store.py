"""What a minute is computed from, and the minute itself, in the database. SQL only; the caller has the transaction.

Everything is read as of the minute: what was received later does not exist, so the same minute can be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from schemas.minute import Horizon, LotMinute, MinuteRun, PoolMinute, ShareMinute
from schemas.parking import Observation
from sql.connect import Connection
from sql.copy import Table, copy_rows
from sql.named import named
from streams.parking.availability import Clamped
from streams.parking.due import Clocks
from streams.parking.latest import Latest, latest_of
from streams.parking.lot import Recent

_SQL = named("minute")
_SOURCES = named("sources")

_FIELDS = LotMinute.__struct_fields__
LOT_MINUTE = Table(
    "parking_minute",
    _FIELDS,
    (
        "timestamptz", "text", "int4", "text", "timestamptz", "text", "int4", "int4", "int4", "int4",
        "int4", "text", "timestamptz", "timestamptz", "text", "text", "int4", "float4", "text[]", "text", "float4",
        "int4", "int4", "int4", "jsonb", "jsonb", "jsonb", "jsonb", "jsonb",
        "text", "text", "jsonb",
    ),
)  # fmt: skip
_JSON: dict[str, msgspec.json.Decoder[Any]] = {
    "thresholds": msgspec.json.Decoder(dict[str, Any]),
    "pools": msgspec.json.Decoder(tuple[PoolMinute, ...]),
    "share": msgspec.json.Decoder(ShareMinute),
    "forecast": msgspec.json.Decoder(tuple[Horizon, ...]),
    "last_known": msgspec.json.Decoder(dict[str, Any]),
    "state": msgspec.json.Decoder(dict[str, Any]),
}
_DECODERS = tuple(_JSON.get(name) for name in _FIELDS)
_FLAGS = _FIELDS.index("flags")
_LATEST_FIELDS = Latest.__struct_fields__
_OBSERVATION_FIELDS = frozenset(Observation.__struct_fields__)
_AT = 1 + _LATEST_FIELDS.index("at")  # in the rows of latest_observations, whose first column is series_id

Row = tuple[Any, ...]


class Written(msgspec.Struct, frozen=True):
    """The newest revision of a minute that is in the database."""

    minute: datetime
    revision: int


def clocks(connection: Connection, topics: dict[str, int]) -> Clocks:
    """The fences of these topics (name -> partitions). A topic that no worker has ever read is not waited for.

    But the first one is: it is what the minute is made of.
    """
    rows = list(_SOURCES.clocks(connection, topics=list(topics)))
    fences = {f"{topic}/{partition}": next_offset for topic, partition, next_offset, _ in rows}
    instants: list[datetime | None] = []
    for place, (name, partitions) in enumerate(topics.items()):
        of_topic = [clock for topic, _, _, clock in rows if topic == name]
        if place == 0 or any(clock is not None for clock in of_topic):
            instants += of_topic + [None] * (partitions - len(of_topic))
    known = [instant for instant in instants if instant is not None]
    return Clocks(min(known) if known and len(known) == len(instants) else None, fences)


def newest_run(connection: Connection) -> Written | None:
    row = _SQL.newest_run(connection)
    return None if row is None else Written(*row)


def first_heard(connection: Connection) -> datetime | None:
    """When any series was first heard of: the minutes begin there."""
    heard: datetime | None = _SQL.first_heard(connection)
    return heard


def run_at(connection: Connection, minute: datetime) -> Written | None:
    row = _SQL.run_at(connection, minute=minute)
    return None if row is None else Written(minute, row[0])


def run_before(connection: Connection, minute: datetime) -> Written | None:
    """The minute that `minute` was made from: the one before it, in its newest revision."""
    row = _SQL.run_before(connection, minute=minute)
    return None if row is None else Written(*row)


def late_minutes(connection: Connection, since: datetime, before: datetime) -> list[datetime]:
    return [row[0] for row in _SQL.late_minutes(connection, since=since, before=before)]


def content_seq(connection: Connection, since: datetime) -> int:
    return int(_SQL.content_seq(connection, since=since))


def load_lots(connection: Connection, written: Written | None) -> tuple[LotMinute, ...]:
    """The lots of a minute as they are stored: also right after computing, the next minute starts from these."""
    if written is None:
        return ()
    rows = _SQL.lots_at(connection, minute=written.minute, revision=written.revision)
    return tuple(_lot(row) for row in rows)


def load_latest(connection: Connection, at: datetime) -> tuple[Latest, ...]:
    """What each registered series says at a minute, corrections and voids applied (streams/parking/latest.py)."""
    rows: list[Row] = list(_SQL.latest_observations(connection, at=at))
    said_again = _said_again(connection, rows, at)
    found: list[Latest] = []
    undecided: list[Row] = []
    for row in rows:
        again = said_again.get(row[0])
        if again is None:
            if row[_AT] is not None:
                found.append(_latest(row))
            continue
        believed = latest_of(again if row[_AT] is None else [as_said(row), *again])
        if believed is not None:
            found.append(believed)
        elif row[_AT] is not None:
            undecided.append(row)
    while undecided:
        undecided = _walk_back(connection, undecided, at, found)
    return tuple(sorted(found, key=lambda latest: latest.key))


def _walk_back(connection: Connection, voided: Sequence[Row], at: datetime, found: list[Latest]) -> list[Row]:
    """One step further into the past for series whose newest times were all taken back; those still undecided."""
    rows = list(
        _SQL.observations_before(
            connection, series_ids=[row[0] for row in voided], before=[row[_AT] for row in voided], at=at
        )
    )
    said_again = _said_again(connection, rows, at)
    undecided = []
    for row in rows:
        again = said_again.get(row[0], [])
        believed = latest_of(again if row[_AT] is None else [as_said(row), *again])
        if believed is not None:
            found.append(believed)
        elif row[_AT] is not None:
            undecided.append(row)
    return undecided


def _said_again(
    connection: Connection, rows: Sequence[Row], at: datetime
) -> dict[int, list[tuple[Observation, Clamped]]]:
    """Repeats, corrections and voids of each series, about the time of its row and later."""
    revisions = _SQL.revisions_since(
        connection, series_ids=[row[0] for row in rows], sinces=[row[_AT] for row in rows], at=at
    )
    said: dict[int, list[tuple[Observation, Clamped]]] = {}
    for series_id, raw, available, least, most, capacity_used, overflow, flags in revisions:
        row = msgspec.json.decode(raw, type=Observation)
        clamped = Clamped(available, least, most, capacity_used, overflow or 0, tuple(flags or ()))
        said.setdefault(series_id, []).append((row, clamped))
    return said


def _latest(row: Row) -> Latest:
    return Latest(**_cells(row))


def as_said(row: Row) -> tuple[Observation, Clamped]:
    """A stored observation, with its series before it, as it was said."""
    cells = _cells(row)
    said = {name: cell for name, cell in cells.items() if name in _OBSERVATION_FIELDS}
    return Observation(**said), Clamped(**{name: cells[name] for name in Clamped.__struct_fields__})


def _cells(row: Row) -> dict[str, Any]:
    cells = dict(zip(_LATEST_FIELDS, row[1:], strict=True))
    cells["overflow"] = cells["overflow"] or 0
    cells["flags"] = tuple(cells["flags"] or ())
    return cells


def load_recent(connection: Connection, minute: datetime, window_s: float) -> dict[str, list[Recent]]:
    """The published counts of the last quarter of an hour, by lot."""
    found: dict[str, list[Recent]] = {}
    for lot_id, *point in _SQL.recent(connection, since=minute - timedelta(seconds=window_s), minute=minute):
        found.setdefault(lot_id, []).append(Recent(*point))
    return found


def unregistered(connection: Connection, at: datetime) -> int:
    return int(_SQL.unregistered(connection, at=at))


def register_version(connection: Connection) -> int:
    return int(_SQL.register_version(connection))


def write(connection: Connection, run: MinuteRun, lots: Sequence[LotMinute]) -> None:
    """Store a minute and announce it. Promise: a revision that is stored is never overwritten (UniqueViolation)."""
    with connection.cursor() as cursor:
        copy_rows(cursor, LOT_MINUTE, map(_row, lots))
    _SQL.add_run(
        connection,
        minute=run.minute,
        revision=run.revision,
        clock=run.clock,
        fences=_json(run.fences),
        register_version=run.register_version,
        content_seq=run.content_seq,
        is_late=run.is_late,
        areas=_json(run.areas),
        quality=_json(run.quality),
    )
    _SQL.announce(connection, payload=f"{run.minute.isoformat()}/{run.revision}")


def _row(lot: LotMinute) -> list[Any]:
    cells = [
        None if value is None else _json(value) if decoder is not None else value
        for value, decoder in zip(msgspec.structs.astuple(lot), _DECODERS, strict=True)
    ]
    cells[_FLAGS] = list(lot.flags)
    return cells


def _lot(row: Row) -> LotMinute:
    cells = [
        value if decoder is None or value is None else decoder.decode(value)
        for value, decoder in zip(row, _DECODERS, strict=True)
    ]
    cells[_FLAGS] = tuple(cells[_FLAGS])
    return LotMinute(**dict(zip(_FIELDS, cells, strict=True)))


def _json(value: Any) -> Jsonb:
    return Jsonb(value, dumps=msgspec.json.encode)
