"""Logs for tests: observations, records of them, and what the database holds after they were applied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.batch import SCHEMA_OF, encode
from schemas.parking import Observation
from schemas.source import Tick
from sql.connect import Connection, connect
from streams.ledger import Record

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TOPIC_ID = "log-1"


def seen(ref: str, second: float, free: int | None = None, **fields: Any) -> Observation:
    """One observation: true at START + second, received two seconds later."""
    at = START + timedelta(seconds=second)
    said: dict[str, Any] = {"capacity": 100, "observed_at": at, "received_at": at + timedelta(seconds=2)}
    return Observation(source="op", ref=ref, free=free, **(said | fields))


def record(offset: int, rows: Sequence[Any], partition: int = 0) -> Record:
    return Record(partition, offset, encode(SCHEMA_OF[type(rows[0])], list(rows)))


def tick(offset: int, second: float, partition: int = 0) -> Record:
    return record(offset, [Tick(received_at=START + timedelta(seconds=second), connector="c1")], partition)


def new_fences(dsn: str, topic: str, partitions: int = 1, topic_id: str = TOPIC_ID) -> None:
    with connect(dsn) as connection:
        for partition in range(partitions):
            connection.execute(
                "insert into stream_fence (topic, partition, topic_id, next_offset) values (%s, %s, %s, 0)",
                (topic, partition, topic_id),
            )


CONTENT = {
    "fences": "select topic, partition, next_offset, clock from stream_fence order by 1, 2",
    "observations": """select s.source, s.ref, s.pool, o.at, o.received_at, o.free, o.capacity, o.available, o.flags
        from parking_observation as o join parking_series as s using (series_id) order by 1, 2, 3, 4""",
    "revisions": """select s.source, s.ref, s.pool, r.at, r.received_at, r.kind, r.digest, r.observation
        from parking_revision as r join parking_series as s using (series_id) order by 1, 2, 3, 4, 5, 6, 7""",
    "dead": """select topic, partition, kafka_offset, row_index, schema, source, reason, raw from dead_letter
        order by 1, 2, 3, 4""",
}


def content(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that a take may change, in an order of its own: two databases with the same content are the same."""
    with connection.transaction():
        return {name: connection.execute(query.encode()).fetchall() for name, query in CONTENT.items()}
