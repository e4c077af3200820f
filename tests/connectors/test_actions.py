"""From an authority's signed POST to the row: action, log, ledger; once, whatever dies in between."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed
from connectors.transports.actions import LOCK, Actions
from schemas.alerts import ACKNOWLEDGED, AlertAcknowledged
from schemas.settings import Settings
from schemas.topics import SOURCES_HEALTH, WATER_READINGS, partition_of
from tests.conftest import Database
from tests.connectors import log
from tests.connectors.webhooks.senders import Town
from tests.dashboards.ops.serving import SAID, acknowledge, serving
from tests.processes import eventually, running, settings_file

pytestmark = pytest.mark.stack
CONNECTORS = ("connectors", "run")
WORKER = ("streams", "worker", "--metrics-port", "-1")


@pytest.fixture
def town(kafka: Settings, database: Database) -> Iterator[Town]:
    made = Town(database)
    yield made
    made.close()


def acts(settings: Settings, topic: Any = WATER_READINGS) -> list[AlertAcknowledged]:
    return [row for row in log.rows(settings, topic) if isinstance(row, AlertAcknowledged)]


def waiting(town: Town) -> int:
    return int(town.rows("select count(*) from action where published_at is null")[0][0])


def test_an_acknowledgement_goes_through_the_log(town: Town, tmp_path: Path) -> None:
    file = settings_file(town.settings, tmp_path)
    secret = town.add("authority", "https://authority.example/in", allowed=())
    alert = town.find()
    with (
        serving(town.settings) as url,
        running(town.settings, file, *CONNECTORS, log=tmp_path / "connectors.log"),
        running(town.settings, file, *WORKER),
    ):
        answer = acknowledge(url, alert.alert_id, secret)
        assert answer.status_code == 201
        eventually(
            lambda: town.rows("select 1 from alert_times where acknowledged_at is not null") != [],
            "it is known that somebody has it in hand",
        )
    [said] = acts(town.settings)
    assert (said.by, said.note, said.endpoint, said.revision) == (SAID["by"], SAID["note"], "authority", 1)
    assert said.received_at >= said.at
    partition = partition_of(str(alert.alert_id).encode(), WATER_READINGS.partitions)
    assert any(one.schema == ACKNOWLEDGED for one in log.batches(town.settings, WATER_READINGS)[partition])
    [(at, by)] = town.rows("select acknowledged_at, acknowledged_by from alert_times")
    assert (at.isoformat().replace("+00:00", "Z"), by) == (answer.json()["acknowledged_at"], SAID["by"])
    assert town.rows("select change, revision from alert_event where change = 'acknowledged'") == [("acknowledged", 1)]
    assert town.rows("select revision from alert") == [(1,)]
    assert waiting(town) == 0


def test_a_connector_killed_before_it_could_mark_the_act_publishes_it_again_and_it_counts_once(
    town: Town, tmp_path: Path
) -> None:
    file = settings_file(town.settings, tmp_path)
    secret = town.add("authority", "https://authority.example/in", allowed=())
    alert = town.find()
    with serving(town.settings) as url:
        assert acknowledge(url, alert.alert_id, secret).status_code == 201
    with psycopg.connect(town.database.dsn("owner")) as holder:
        holder.execute("select 1 from action for update")  # its mark must wait
        with running(town.settings, file, *CONNECTORS, log=tmp_path / "connectors.log") as connector:
            eventually(lambda: len(acts(town.settings)) == 1, "Kafka has it")
            connector.send_signal(signal.SIGKILL)
            connector.wait(10)
    assert waiting(town) == 1
    with (
        running(town.settings, file, *CONNECTORS, log=tmp_path / "again.log"),
        running(town.settings, file, *WORKER),
    ):
        eventually(lambda: waiting(town) == 0, "it is marked")
        said = acts(town.settings)
        assert len(said) == 2 and len({one.action_id for one in said}) == 1
        ends = "select sum(next_offset) from stream_fence where topic = 'water.readings'"
        written = sum(len(one) for one in log.batches(town.settings, WATER_READINGS).values())
        eventually(lambda: (town.rows(ends)[0][0] or 0) >= written, "the log is applied")
    assert town.rows("select count(*) from alert_event where change = 'acknowledged'") == [(1,)]
    assert town.rows("select acknowledged_by from alert_times") == [(SAID["by"],)]


def test_acts_are_published_in_their_order_and_one_that_cannot_be_read_holds_up_nobody(
    town: Town, tmp_path: Path
) -> None:
    alerts = [uuid.uuid4() for _ in range(3)]
    for place, (who, domain) in enumerate((("first", "platform"), ("second", "weather"), ("third", "water"))):
        body = {"alert_id": str(alerts[place]), "domain": domain, "endpoint": "authority", "revision": None}
        _insert(town, who, ACKNOWLEDGED, body, place)
    _insert(town, "unreadable", ACKNOWLEDGED, {"alert_id": "none"}, -1)
    _insert(town, "of a later release", "incident.merged.v9", {}, -2)
    with running(town.settings, settings_file(town.settings, tmp_path), *CONNECTORS):
        eventually(lambda: waiting(town) == 2, "what can be read is published")
    assert [one.by for one in acts(town.settings, SOURCES_HEALTH)] == ["first", "second"]
    assert [one.by for one in acts(town.settings)] == ["third"]
    assert town.rows("select who from action where published_at is null order by at") == [
        ("of a later release",), ("unreadable",)
    ]  # fmt: skip


def test_what_kafka_has_not_confirmed_waits_and_two_processes_take_turns(town: Town) -> None:
    body = {"alert_id": str(uuid.uuid4()), "domain": "water", "endpoint": "authority"}
    _insert(town, "officer", ACKNOWLEDGED, body, 0)
    dsn, settings = town.database.dsn("connectors"), town.settings

    async def work() -> None:
        stopped = Publisher(settings.bootstrap, settings.publisher, [], "stopped", unticked=[WATER_READINGS])
        stopped.start(ticking=False)
        await stopped.close(0.0)
        publisher = Publisher(settings.bootstrap, settings.publisher, [], "test", unticked=[WATER_READINGS])
        publisher.start(ticking=False)
        async with (
            await psycopg.AsyncConnection.connect(dsn, autocommit=True) as one,
            await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other,
        ):
            with pytest.raises(NotConfirmed):
                await Actions(dsn, stopped).publish_some(one)
            assert waiting(town) == 1
            async with other.transaction():
                await other.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
                assert await Actions(dsn, publisher).publish_some(one) == 0
            assert await Actions(dsn, publisher).publish_some(one) == 1
            assert await Actions(dsn, publisher).publish_some(other) == 0
        await publisher.close()

    asyncio.run(work())
    assert waiting(town) == 0
    assert [one.by for one in acts(town.settings)] == ["officer"]
    assert all(one.schema != "tick.v1" for found in log.batches(settings, WATER_READINGS).values() for one in found)


def _insert(town: Town, who: str, schema: str, body: dict[str, Any], second: int) -> None:
    with psycopg.connect(town.database.dsn("ops")) as connection:
        connection.execute(
            "insert into action (action_id, at, topic, schema, who, why, body)"
            " values (%s, now() + make_interval(secs => %s), 'sources.health', %s, %s, '', %s)",
            (uuid.uuid4(), second, schema, who, Jsonb(body)),
        )
