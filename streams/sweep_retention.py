"""What is old enough to go? Daily, a bounded piece at a time, so that no minute waits for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.settings import Retention
from sql.connect import Connection
from sql.named import named

_SQL = named("sources")
_WATER = named("water")
_STORM = named("storm")
SWEEP = "retention"
EVERY = timedelta(days=1)
CHUNKS = 2  # of one table in one go
ROWS = 5_000


def drop_old(connection: Connection, keep: Retention, wall: datetime) -> int:
    """Drop a bounded piece of what is too old; how many pieces went. The day is done when there are none left."""
    last = _SQL.progress(connection, sweep=SWEEP)
    if last is not None and wall - last < EVERY:
        return 0
    gone = 0
    for hypertable, days in (
        ("parking_observation", keep.observations_days),
        ("parking_minute", keep.minutes_days),
        ("feed_snapshot", keep.snapshots_days),
        ("source_report", keep.reports_days),
        ("alert_event", keep.alert_events_days),
        ("water_reading", keep.readings_days),
        ("water_rollup", keep.sums_days),
        ("rain_sum", keep.sums_days),
    ):
        older_than = wall - timedelta(days=days)
        with connection.transaction():
            gone += _SQL.drop_old_chunks(connection, hypertable=hypertable, older_than=older_than, at_most=CHUNKS)
    for delete, days in (
        (_SQL.delete_old_payloads, keep.raw_payload_days),
        (_SQL.delete_old_revisions, keep.observations_days),
        (_SQL.delete_old_runs, keep.minutes_days),
        (_WATER.delete_old_words, keep.readings_days),
        (_WATER.delete_old_tests, keep.readings_days),
        (_WATER.delete_old_deliveries, keep.deliveries_days),
        (_STORM.delete_old_views, keep.alert_events_days),
    ):
        with connection.transaction():
            gone += delete(connection, older_than=wall - timedelta(days=days), at_most=ROWS)
    if not gone:
        with connection.transaction():
            _SQL.put_progress(connection, sweep=SWEEP, at=wall)
    return gone
