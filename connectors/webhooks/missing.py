"""What should an endpoint have been told and was not? It came during the storm, or its wishes were changed.

Changes of alerts are queued in their own transaction (streams); an endpoint that this transaction did not see yet is
made up for here: it is told how things stand.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from schemas.alerts import COLOURS, DELIVERY_CHANNEL, AlertNotice, Change
from sql.connect import Connection
from sql.named import named

_SQL = named("webhooks")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "citysense/delivery/missing")


def queue_missing(connection: Connection) -> int:
    """Queue the newest revision of every alert that an endpoint lacks; how many. Safe to repeat."""
    endpoints = set()
    found = list(_SQL.missing(connection))
    for endpoint_id, expire_s, *alert in found:
        notice = _notice(alert)
        _SQL.open_lane(connection, endpoint_id=endpoint_id, alert_id=notice.alert_id)
        _SQL.put_delivery(
            connection,
            delivery_id=uuid.uuid5(NAMESPACE, f"{endpoint_id}\x1f{notice.alert_id}\x1f{notice.revision}"),
            endpoint_id=endpoint_id,
            alert_id=notice.alert_id,
            revision=notice.revision,
            kind="alert",
            level=notice.level,
            at=notice.at,
            notice=msgspec.json.encode(notice).decode(),
            expire_s=expire_s,
        )
        endpoints.add(str(endpoint_id))
    for endpoint_id in sorted(endpoints):
        _SQL.wake(connection, channel=DELIVERY_CHANNEL, payload=endpoint_id)
    return len(found)


def _notice(row: list[Any]) -> AlertNotice:
    names = ("alert_id", "revision", "domain", "kind", "subject", "level", "certainty", "raised_at", "ended_at")
    more = ("sentence_zh", "sentence_en", "detail", "at")
    fields = dict(zip((*names, *more), row, strict=True))
    change: Change = "ended" if fields["ended_at"] else "raised" if fields["revision"] == 1 else "updated"
    return AlertNotice(change=change, colour=COLOURS[fields["level"]], **fields)
