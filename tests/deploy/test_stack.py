"""Is the local stack what the ledger and the feed rely on?"""

from __future__ import annotations

import psycopg
import pytest

from deploy.local.topics import admin, faults, fresh_topics
from schemas.settings import Settings
from schemas.topics import TOPICS
from tests.conftest import Database

pytestmark = pytest.mark.stack


def test_every_topic_is_there_with_its_partitions(stack: Settings) -> None:
    assert faults(stack) == []


def test_topics_are_never_made_by_accident(kafka: Settings) -> None:
    with admin(kafka) as client:
        names = {topic["name"] for topic in client.describe_topics()}
        assert {topic.name for topic in TOPICS} <= names
        described = client.describe_topics(["no.such.topic"])
        assert [topic["error_code"] for topic in described] == [3]  # unknown, and it stays so
        assert "no.such.topic" not in client.list_topics()


def test_a_fresh_log_has_new_topic_ids(kafka: Settings) -> None:
    with admin(kafka) as client:
        before = {topic["name"]: topic["topic_id"] for topic in client.describe_topics()}
        fresh_topics(kafka)
        after = {topic["name"]: topic["topic_id"] for topic in client.describe_topics()}
    assert all(before[topic.name] != after[topic.name] for topic in TOPICS)


def test_a_cloned_database_has_the_schema_and_each_role_may_come_in(database: Database) -> None:
    for role in ("owner", "streams", "connectors", "feed", "ops"):
        with psycopg.connect(database.dsn(role)) as connection:
            found = connection.execute("select current_database(), current_user").fetchone()
            assert found == (database.name, f"citysense_{role}")
    with psycopg.connect(database.dsn("streams")) as connection:
        assert connection.execute("select count(*) from stream_fence").fetchone() == (0,)


def test_the_server_keeps_its_promises(stack: Settings) -> None:
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "jit": "off",
        "timescaledb.license": "apache",
        "timescaledb.telemetry_level": "off",
        "listen_addresses": "127.0.0.1",
        "password_encryption": "scram-sha-256",
    }
    with psycopg.connect(stack.dsn("ops")) as connection:
        found = {name: connection.execute(f"show {name}").fetchone() for name in wanted}
    assert found == {name: (value,) for name, value in wanted.items()}


def test_a_wrong_password_is_refused(stack: Settings) -> None:
    dsn = psycopg.conninfo.make_conninfo(stack.dsn("streams"), password="guess")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(dsn)
