"""Which endpoints of alerts cannot be reached? Judged by the wall: this is about now, and about people who wait."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sql.connect import Connection
from sql.named import named
from streams.alerts import store as alerts
from streams.alerts.episodes import step
from streams.alerts.unreachable import DOMAIN, KIND, Reach, findings, gone

_SQL = named("outbox")


def judge_endpoints(connection: Connection, wall: datetime, zone: ZoneInfo) -> None:
    """One transaction. What is found is told to the other endpoints as any alert is."""
    with connection.transaction():
        reached = [
            Reach(name=row[0], failing_since=row[1], is_paused=row[2], gone_since=row[3], delivered_at=row[4])
            for row in _SQL.reach(connection)
        ]
        found, cleared = findings(reached, wall, zone)
        active = alerts.active(connection, DOMAIN, [KIND])
        known = {one.name for one in reached}
        cleared += [gone(alert.subject.subject) for alert in active if alert.subject.subject not in known]
        alerts.write(connection, step(active, found, cleared, wall))
