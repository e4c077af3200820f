"""The decision aid in the database: dangers out, what is shown of a minute in. SQL only."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from schemas.storm import StormView
from sql.connect import Connection
from sql.named import named
from streams.water.storm_assets import Hazard

SWEEP: Final = "storm"  # its progress: the newest minute of which it is known whether a storm is on
_SQL = named("storm")
_SOURCES = named("sources")


def was_active(connection: Connection, minute: datetime) -> bool:
    """Whether a storm was on when a view was kept last, before this minute."""
    return bool(_SQL.was_active(connection, minute=minute))


def load_hazards(connection: Connection) -> list[Hazard]:
    names = Hazard.__struct_fields__
    return [Hazard(**dict(zip(names, row, strict=True))) for row in _SQL.hazards(connection)]


def put_view(connection: Connection, view: StormView) -> None:
    encoded = msgspec.json.encode(view).decode()
    _SQL.put_view(connection, at=view.at, is_active=view.is_active, view=encoded)


def put_progress(connection: Connection, minute: datetime) -> None:
    _SOURCES.put_progress(connection, sweep=SWEEP, at=minute)
