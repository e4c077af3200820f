"""The outbox in the database: deliveries are written in the transaction of the alert that they tell of. SQL only."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.alerts import DELIVERY_CHANNEL
from sql.connect import Connection
from sql.named import named
from streams.alerts.episodes import Change
from streams.alerts.outbox import Endpoint, parcels

_SQL = named("outbox")


def queue(connection: Connection, written: Sequence[tuple[Change, int]]) -> int:
    """Deliveries of these changes, each with the revision that it was stored under; how many. Safe to repeat.

    Promise: they exist exactly when the caller's transaction commits, and their sender is woken then.
    """
    if not written:
        return 0
    endpoints = [
        Endpoint(endpoint_id=row[0], domains=tuple(row[1]), kinds=tuple(row[2]), min_level=row[3], expire_s=row[4])
        for row in _SQL.endpoints(connection)
    ]
    if not endpoints:
        return 0
    told = set(_SQL.told(connection, alert_ids=[change.alert.alert_id for change, _ in written]))
    found = parcels(written, endpoints, told)
    if not found:
        return 0
    lanes = {
        "endpoint_ids": [one.endpoint.endpoint_id for one in found],
        "alert_ids": [one.notice.alert_id for one in found],
    }
    _SQL.open_lanes(connection, **lanes)
    _SQL.put_deliveries(
        connection,
        **lanes,
        delivery_ids=[one.delivery_id for one in found],
        revisions=[one.notice.revision for one in found],
        levels=[one.notice.level for one in found],
        ats=[one.notice.at for one in found],
        notices=[one.encoded.decode() for one in found],
        expire_s=[one.endpoint.expire_s for one in found],
    )
    for endpoint_id in sorted({str(one.endpoint.endpoint_id) for one in found}):
        _SQL.wake(connection, channel=DELIVERY_CHANNEL, payload=endpoint_id)
    return len(found)
