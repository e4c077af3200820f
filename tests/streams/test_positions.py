"""Where a worker begins to read: its fences brought into line with the log, while others go on applying it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.topics import WATER_READINGS
from sql.connect import Connection, connect
from streams.errors import StopWorker
from streams.positions import Fence, LogState, align, align_fences, fences_now
from tests.conftest import Database

TOPIC, LOG = WATER_READINGS.name, "log-1"


def test_a_fence_within_the_log_stays() -> None:
    assert align(TOPIC, 0, Fence(LOG, 7), LogState(LOG, 3, 9)) == (Fence(LOG, 7), None)
    assert align(TOPIC, 0, Fence(LOG, 9), LogState(LOG, 3, 9)) == (Fence(LOG, 9), None)


def test_another_log_is_read_from_its_beginning_and_said() -> None:
    fence, incident = align(TOPIC, 0, Fence(LOG, 7), LogState("log-2", 0, 2))
    assert fence == Fence("log-2", 0)
    assert incident is not None
    assert incident.kind == "new_log"


def test_what_retention_took_is_jumped_and_said() -> None:
    fence, incident = align(TOPIC, 0, Fence(LOG, 3), LogState(LOG, 5, 9))
    assert fence == Fence(LOG, 5)
    assert incident is not None
    assert (incident.kind, incident.first_offset, incident.last_offset) == ("retention_gap", 3, 4)


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("streams"), autocommit=True) as connection:
        yield connection


def moved(connection: Connection, offset: int) -> None:
    connection.execute(
        "insert into stream_fence (topic, partition, topic_id, next_offset) values (%s, 0, %s, %s)"
        " on conflict (topic, partition) do update set next_offset = excluded.next_offset",
        (TOPIC, LOG, offset),
    )


@pytest.mark.stack
def test_a_log_that_is_shorter_than_what_was_applied_stops_the_worker(streams: Connection) -> None:
    moved(streams, 9)
    with pytest.raises(StopWorker, match="Kafka lost the end of its log"):
        align_fences(streams, TOPIC, {0: LogState(LOG, 0, 7)}, fences_now(streams)[TOPIC])


@pytest.mark.stack
def test_a_worker_joins_while_another_applies_what_came_since_the_log_was_looked_at(streams: Connection) -> None:
    moved(streams, 5)
    before = fences_now(streams)[TOPIC]
    log = {0: LogState(LOG, 0, 7)}
    moved(streams, 9)
    assert align_fences(streams, TOPIC, log, before) == {0: Fence(LOG, 9)}
    assert fences_now(streams)[TOPIC] == {0: Fence(LOG, 9)}
