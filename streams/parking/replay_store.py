"""What the log of the database said in a range of time, as the rows that travelled. SQL only; reads, never writes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.parking import Observation
from sql.connect import Connection
from sql.named import named
from streams.parking.minute_store import as_said

_SQL = named("replay")


def load_rows(connection: Connection, since: datetime, until: datetime) -> list[Observation]:
    """The rows received from `since` to `until`. An identical repeat is not stored, so it is not here either."""
    rows = [as_said(row)[0] for row in _SQL.observations(connection, since=since, until=until)]
    again = _SQL.revisions(connection, since=since, until=until)
    return rows + [msgspec.json.decode(raw, type=Observation) for (raw,) in again]
