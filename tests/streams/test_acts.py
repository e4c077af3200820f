"""Acts of people about alerts, from the log into the database: the first counts, whatever comes twice or too early."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from schemas.alerts import AlertAcknowledged
from schemas.batch import encode
from schemas.topics import PARKING_OBSERVATIONS
from sql.connect import Connection, connect
from streams.alerts import store
from streams.alerts.episodes import Change, Clearing, Finding, Subject, alert_id, step
from streams.ledger import Applied, Ledger, Record
from streams.parking.observations import Observations
from tests.conftest import Database
from tests.streams.logs import START, TOPIC_ID, new_fences, record, seen, tick

pytestmark = pytest.mark.stack
TOPIC = PARKING_OBSERVATIONS.name
ABOUT = Subject("parking", "level", "lh-0001")
ALERT = alert_id(ABOUT, START)
CONTENT = {
    "acts": "select * from alert_acknowledgement order by 1",
    "events": "select alert_id, at, revision, change, level, detail from alert_event order by 1, 2, 4",
    "times": "select alert_id, revision, acknowledged_at, acknowledged_by from alert_times order by 1",
    "fences": "select next_offset, clock from stream_fence",
    "dead": "select kafka_offset, row_index, schema, reason from dead_letter order by 1, 2",
}


def act(second: float, by: str = "officer", about: uuid.UUID = ALERT, **fields: Any) -> AlertAcknowledged:
    """Said at START + second, in the log two seconds later."""
    at = START + timedelta(seconds=second)
    known: dict[str, Any] = {
        "action_id": uuid.uuid5(about, by),
        "domain": "parking",
        "endpoint": "authority",
        "note": "two\nlines",
        "received_at": at + timedelta(seconds=2),
    }
    return AlertAcknowledged(alert_id=about, at=at, by=by, **(known | fields))


def raised() -> list[Change]:
    finding = Finding(subject=ABOUT, founded_at=START, level=4, sentence_zh="满", sentence_en="It is full.")
    return step([], [finding], [], START)


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    new_fences(database.dsn("owner"), TOPIC)
    with connect(database.dsn("streams"), autocommit=True) as connection:
        yield connection


def apply(database: Database, records: Sequence[Record]) -> Applied:
    ledger = Ledger(
        TOPIC, TOPIC_ID, Observations(database.settings), functools.partial(connect, database.dsn("streams"))
    )
    try:
        return ledger.apply(records)
    finally:
        ledger.close()


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with connect(database.dsn("owner")) as connection:
        return {name: connection.execute(query.encode()).fetchall() for name, query in CONTENT.items()}


def test_the_first_one_counts_and_a_repeat_changes_nothing(database: Database, streams: Connection) -> None:
    store.write(streams, raised())
    applied = apply(database, [record(0, [seen("a", 0, 3)]), record(1, [act(5, revision=1)]), tick(2, 10)])
    assert (applied.rows, applied.dead) == (2, 0)
    first = content(database)
    assert first["times"] == [(ALERT, 1, START + timedelta(seconds=5), "officer")]
    assert [(change, revision, level) for _, _, revision, change, level, _ in first["events"]] == [
        ("raised", 1, 4),
        ("acknowledged", 1, None),
    ]
    assert first["events"][1][5] == {
        "action_id": str(act(5).action_id), "by": "officer", "endpoint": "authority", "note": "two\nlines"
    }  # fmt: skip
    apply(database, [record(3, [act(5, revision=1), act(6, "another")]), record(4, [act(7, "a third")])])
    again = content(database)
    assert again.pop("fences") == [(5, START + timedelta(seconds=10))]
    assert again == {name: rows for name, rows in first.items() if name != "fences"}


def test_an_act_that_comes_before_its_alert_is_the_same(database: Database, streams: Connection) -> None:
    """Partitions are applied in any order: another one may hold what raises the alert."""
    apply(database, [record(0, [act(5)])])
    assert content(database)["times"] == []
    store.write(streams, raised())
    assert content(database)["times"] == [(ALERT, 1, START + timedelta(seconds=5), "officer")]
    early = content(database)["events"]
    with connect(database.dsn("owner")) as owner:
        owner.execute("truncate alert, alert_event, alert_acknowledgement")
        owner.execute("update stream_fence set next_offset = 0, clock = null")
    store.write(streams, raised())
    apply(database, [record(0, [act(5)])])
    assert content(database)["events"] == early


def test_an_acknowledgement_is_no_revision_and_stays_when_the_alert_ends(
    database: Database, streams: Connection
) -> None:
    store.write(streams, raised())
    apply(database, [record(0, [act(5)])])
    active = store.active(streams, "parking", ["level"])
    assert [alert.revision for alert in active] == [1]
    ends = Clearing(subject=ABOUT, sentence_zh="好", sentence_en="It is not full any more.")
    store.write(streams, step(active, [], [ends], START + timedelta(seconds=60)))
    assert content(database)["times"] == [(ALERT, 2, START + timedelta(seconds=5), "officer")]
    with connect(database.dsn("ops")) as ops:
        found = ops.execute("select alert.acknowledged_at, alert.acknowledged_by from alert").fetchall()
    assert found == [(START + timedelta(seconds=5), "officer")]


def test_one_about_an_alert_that_nobody_knows_is_kept(database: Database, streams: Connection) -> None:
    """An exercise is no row of table alert, and its acknowledgement is no error."""
    exercise = uuid.uuid4()
    applied = apply(database, [record(0, [act(5, about=exercise, domain="platform")])])
    assert (applied.rows, applied.dead) == (1, 0)
    assert [row[0] for row in content(database)["acts"]] == [exercise]


def test_an_act_that_breaks_its_contract_is_a_dead_letter_beside_its_good_neighbour(
    database: Database, streams: Connection
) -> None:
    store.write(streams, raised())
    wrong = encode("alert.acknowledged.v1", [act(5), act(6, "x" * 129)])
    assert apply(database, [Record(0, 0, wrong)]).dead == 1
    found = content(database)
    assert found["dead"] == [(0, 1, "alert.acknowledged.v1", "contract")]
    assert [row[3] for row in found["times"]] == ["officer"]
