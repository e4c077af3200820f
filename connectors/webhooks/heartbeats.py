"""How does a receiver tell calm from silence? Every minute each endpoint is told how many alerts are active."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.alerts import COLOURS, DELIVERY_CHANNEL, ActiveAlert, Heartbeat
from sql.connect import Connection
from sql.named import named

_SQL = named("webhooks")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "citysense/heartbeat")
EVERY = timedelta(minutes=1)
EXPIRE_S = 60
LISTED = 200


def minute_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def beat(connection: Connection, minute: datetime) -> int:
    """Queue the heartbeat of a minute for every endpoint that wants one. Once a minute, however often it is asked."""
    endpoints = list(_SQL.beating(connection))
    for endpoint_id, domains, kinds, min_level in endpoints:
        active = [
            ActiveAlert(alert_id=row[0], revision=row[1], level=row[2])
            for row in _SQL.active_alerts(
                connection, endpoint_id=endpoint_id, domains=domains, kinds=kinds, min_level=min_level
            )
        ]
        revision = int(minute.timestamp()) // 60
        _SQL.open_lane(connection, endpoint_id=endpoint_id, alert_id=endpoint_id)
        _SQL.put_delivery(
            connection,
            delivery_id=uuid.uuid5(NAMESPACE, f"{endpoint_id}\x1f{revision}"),
            endpoint_id=endpoint_id,
            alert_id=endpoint_id,
            revision=revision,
            kind="heartbeat",
            level=0,
            at=minute,
            notice=msgspec.json.encode(heartbeat(active, minute)).decode(),
            expire_s=EXPIRE_S,
        )
        _SQL.wake(connection, channel=DELIVERY_CHANNEL, payload=str(endpoint_id))
    return len(endpoints)


def heartbeat(active: list[ActiveAlert], minute: datetime) -> Heartbeat:
    return Heartbeat(
        at=minute,
        active=len(active),
        by_colour={colour: sum(one.level == level for one in active) for level, colour in COLOURS.items()},
        alerts=tuple(active[:LISTED]),
    )
