"""How many cars that are not shared stood in a lot at minutes past? SQL only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sql.connect import Connection
from sql.named import named
from streams.parking.returns import Span

_SQL = named("forecast")


def load_residents(connection: Connection, asked: Mapping[str, tuple[Span, ...]]) -> dict[tuple[str, datetime], int]:
    """By lot and minute; where nobody says how many share there is no number."""
    minutes = sorted({each for pairs in asked.values() for pair in pairs for each in pair})
    if not minutes:
        return {}
    rows = _SQL.residents(connection, minutes=minutes, lot_ids=list(asked))
    return {(lot_id, minute): residents for minute, lot_id, residents in rows}
