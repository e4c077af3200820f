"""What the sweep over water reads of a minute and writes of it. Set-based: one query for all stations. SQL only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from schemas.fields import EARLIEST
from sql.connect import Connection
from sql.named import named
from streams.alerts.episodes import Alert, Subject
from streams.water.hazards import HazardRow, Key
from streams.water.rules import SeriesKey, micros
from streams.water.series import Kept, unpack
from streams.water.standing import Standing
from streams.water.watched import Newest

_SQL = named("water")


def register_version(connection: Connection) -> int:
    return int(_SQL.register_version(connection) or 0)


def first_reading(connection: Connection) -> datetime | None:
    found: datetime | None = _SQL.first_reading(connection)
    return found


def load_newest(connection: Connection, keys: Sequence[SeriesKey], minute: datetime) -> dict[SeriesKey, Newest]:
    """Of each series that has any reading that was received up to the minute. Most have one of the last day."""
    found = _newest(connection, keys, minute, minute - timedelta(days=1))
    silent = [key for key in keys if key not in found]
    return found | _newest(connection, silent, minute, EARLIEST) if silent else found


def _newest(
    connection: Connection, keys: Sequence[SeriesKey], minute: datetime, since: datetime
) -> dict[SeriesKey, Newest]:
    return {
        (source, station, element): Newest(
            micros(at), micros(received_at), flag, None if good_at is None else micros(good_at), value
        )
        for source, station, element, at, received_at, flag, good_at, value in _SQL.newest(
            connection, asked=_asked(keys), minute=minute, since=since
        )
    }


def load_heard(
    connection: Connection, stations: Collection[tuple[str, str]], minute: datetime
) -> dict[tuple[str, str], int]:
    """When stations were heard last within the hour, by whatever they said."""
    rows = _SQL.heard(connection, asked=_asked(sorted(stations)), minute=minute)
    return {(source, station): micros(at) for source, station, at in rows}


def load_raining(connection: Connection, subjects: Collection[str], minute: datetime) -> dict[tuple[str, bool], float]:
    """The rain of the last hour, by (station, False) or (basin, True); who is not here is not known."""
    rows = _SQL.raining(connection, asked=_json(sorted(subjects)), minute=minute)
    return {(subject, is_areal): mm for subject, is_areal, mm in rows}


def load_standing(connection: Connection, minute: datetime) -> list[Standing]:
    found = [
        Standing(
            alert=Alert(
                alert_id=row[0],
                subject=Subject("water", row[1], row[2]),
                level=row[3],
                certainty=row[4],
                raised_at=row[5],
                revision=row[6],
                sentence_zh=row[7],
                sentence_en=row[8],
                detail=row[9],
            ),
            is_newest=row[10],
        )
        for row in _SQL.standing(connection, minute=minute)
    ]
    asked = [each.alert.alert_id for each in found if each.is_danger]
    told = {row[0]: row[1:] for row in _SQL.told(connection, alert_ids=asked, minute=minute)} if asked else {}
    return [
        msgspec.structs.replace(
            each, told_at=told[each.alert.alert_id][0], is_acknowledged=told[each.alert.alert_id][1] is not None
        )
        if each.alert.alert_id in told
        else each
        for each in found
    ]


def load_kept(connection: Connection, keys: Sequence[SeriesKey]) -> dict[SeriesKey, Kept]:
    rows = _SQL.kept(connection, asked=_asked(keys))
    return {(source, station, element): unpack(bytes(kept)) for source, station, element, kept in rows}


def load_hazards(connection: Connection) -> dict[Key, HazardRow]:
    names = HazardRow.__struct_fields__
    found = [HazardRow(**dict(zip(names, row, strict=True))) for row in _SQL.hazards(connection)]
    return {(each.station_id, each.hazard): each for each in found}


def write_hazards(connection: Connection, rows: Sequence[HazardRow], gone: Iterable[Key], minute: datetime) -> None:
    """Rows that changed, and the keys of those that are no more. Promise: once, in the caller's transaction."""
    if rows:
        _SQL.put_hazards(connection, rows=_json(rows), at=minute)
    keys = sorted(gone)
    if keys:
        _SQL.drop_hazards(connection, station_id=[key[0] for key in keys], hazard=[key[1] for key in keys])


def _asked(keys: Iterable[tuple[str, ...]]) -> str:
    return _json([dict(zip(("source", "station", "element"), key, strict=False)) for key in keys])


def _json(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()
