"""A dead letter comes back as rows once the decoder can read it, and is closed only when Kafka has them."""

from __future__ import annotations

import asyncio
import zlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from connectors.deadletters import Outcome, replay
from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed
from schemas import settings as tables
from schemas.parking import Observation
from schemas.settings import Settings, Source
from schemas.topics import PARKING_OBSERVATIONS, TOPICS
from sql.connect import connect
from tests.conftest import Database
from tests.connectors import log
from tests.connectors.test_ingest import hdb, park

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SOURCE = msgspec.convert(
    {
        "name": "singapore",
        "decoder": "hdb",
        "transport": "http_poll",
        "url": "https://x.example",
        "time_zone": "Asia/Singapore",
    },
    Source,
)
_INSERT = """
insert into dead_letter (topic, partition, kafka_offset, row_index, schema, source, received_at, reason, detail, raw,
    raw_sha256) values (%s, 0, %s, %s, %s, 'singapore', %s, %s, 'd', %s, %s) returning letter_id
"""


class Letters:
    def __init__(self, database: Database) -> None:
        self.database = database
        self._offset = 0

    def add(
        self,
        topic: str,
        raw: bytes,
        *,
        reason: str = "bad_number",
        index: int = 0,
        schema: str = "",
        sha: str | None = None,
    ) -> int:
        self._offset += 1
        values = (topic, self._offset, index, schema, NOON, reason, raw, sha)
        with psycopg.connect(self.database.dsn("owner")) as connection:
            found = connection.execute(_INSERT, values).fetchone()
        assert found is not None
        return int(found[0])

    def states(self) -> dict[int, str]:
        with psycopg.connect(self.database.dsn("owner")) as connection:
            return dict(connection.execute("select letter_id, state from dead_letter").fetchall())


def replayed(database: Database, ids: list[int] | None = None, source: str = "", bootstrap: str = "") -> Outcome:
    settings: Settings = msgspec.structs.replace(database.settings, sources=(SOURCE,))

    async def replaying() -> Outcome:
        limits = tables.Publisher(delivery_timeout_ms=2_000)
        publisher = Publisher(bootstrap or settings.bootstrap, limits, TOPICS, "test")
        publisher.start(ticking=False)
        try:
            with connect(database.dsn("connectors")) as connection:
                return await replay(connection, publisher, settings, "tester", ids, source)
        finally:
            await publisher.close(5.0)

    return asyncio.run(replaying())


@pytest.mark.stack
def test_rejects_and_rows_come_back_and_what_is_still_bad_stays(kafka: Settings, database: Database) -> None:
    letters = Letters(database)
    good_now = letters.add("rejects", hdb([park("A1")]), schema="parking.observations")
    row = Observation(source="singapore", ref="A2", free=0, received_at=NOON)
    contract = letters.add(
        "parking.observations", msgspec.json.encode(row), reason="contract", schema="parking.observation.v1"
    )
    payload = hdb([park("A3"), park("A4")])
    with psycopg.connect(database.dsn("connectors")) as connection:
        connection.execute(
            "insert into raw_payload values ('abc', now(), 'singapore', %s, %s)", (len(payload), zlib.compress(payload))
        )
    long = letters.add("rejects", payload[:50], schema="parking.observations", sha="abc")
    still_bad = letters.add("rejects", b"no JSON", schema="parking.observations")
    forged = letters.add("rejects", hdb([park("A9")]), reason="bad_signature", schema="parking.observations")
    outcome = replayed(database)
    assert set(outcome.still_bad) == {still_bad, forged}
    assert "not_json" in outcome.still_bad[still_bad]
    assert letters.states() == {
        good_now: "replayed", contract: "replayed", long: "replayed", still_bad: "open", forged: "open"
    }  # fmt: skip
    rows: list[Observation] = log.rows(kafka, PARKING_OBSERVATIONS)
    assert sorted((row.ref, row.free) for row in rows) == [("A1", 7), ("A2", 0), ("A3", 7), ("A4", 7)]
    assert {row.received_at for row in rows} == {NOON}
    assert replayed(database).replayed == 0


@pytest.mark.stack
def test_only_what_is_asked_for(kafka: Settings, database: Database) -> None:
    letters = Letters(database)
    ids = [letters.add("rejects", hdb([park(f"A{number}")])) for number in range(3)]
    assert replayed(database, source="nobody").replayed == 0
    assert replayed(database, ids=ids[1:2]).rows == 1
    assert letters.states() == {ids[0]: "open", ids[1]: "replayed", ids[2]: "open"}


@pytest.mark.stack
def test_without_kafka_all_stay_open(database: Database, tmp_path: Path) -> None:
    letters = Letters(database)
    one = letters.add("rejects", hdb([park("A1")]))
    with pytest.raises(NotConfirmed):
        replayed(database, bootstrap="127.0.0.1:1")
    assert letters.states() == {one: "open"}
