"""Alerts on the real database: what is told of one subject in one transaction, and an end that two writers say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sql.connect import Connection, connect
from streams.alerts import store
from streams.alerts.episodes import Alert, Change, Subject, alert_id
from tests.conftest import Database

pytestmark = pytest.mark.stack
T0 = datetime(2026, 6, 1, tzinfo=UTC)
SUBJECT = Subject("water", "flood_forecast", "dm")


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("streams"), autocommit=True) as connection:
        yield connection


def alert(minute: int, **fields: Any) -> Alert:
    at = T0 + timedelta(minutes=minute)
    return Alert(
        alert_id=alert_id(SUBJECT, at), subject=SUBJECT, level=2, certainty="likely", raised_at=at,
        sentence_zh="预测。", sentence_en="A forecast.", **fields,
    )  # fmt: skip


def raised(minute: int) -> Change:
    one = alert(minute)
    return Change(change="raised", at=one.raised_at, alert=one)


def ended(minute: int, at: int, **detail: Any) -> Change:
    end = T0 + timedelta(minutes=at)
    return Change(change="ended", at=end, alert=alert(minute, ended_at=end, revision=2, detail=detail))


def events(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("select at, revision, change from alert_event order by at, revision").fetchall()


def test_one_ends_and_the_next_of_its_subject_begins_in_one_transaction(streams: Connection) -> None:
    """Whatever their ids are: these begin in every order of ids that there is."""
    minutes = range(0, 60, 5)
    order = [alert_id(SUBJECT, T0 + timedelta(minutes=minute)).bytes for minute in minutes]
    assert any(a < b for a, b in itertools.pairwise(order))
    assert any(a > b for a, b in itertools.pairwise(order))
    for minute in minutes:
        with streams.transaction():
            store.write(streams, [raised(minute)] if not minute else [ended(minute - 5, minute), raised(minute)])
    assert [one.raised_at for one in store.active(streams, "water", ["flood_forecast"])] == [T0 + timedelta(minutes=55)]


def test_an_end_that_two_say_is_one_end(streams: Connection) -> None:
    for change in (raised(0), ended(0, 30), ended(0, 30)):
        with streams.transaction():
            store.write(streams, [change])
    assert [(revision, change) for _, revision, change in events(streams)] == [(1, "raised"), (2, "ended")]


def test_an_end_that_turns_out_otherwise_is_told_again(streams: Connection) -> None:
    again = ended(0, 30, came_true=True)
    for change in (raised(0), ended(0, 30), again, again):
        with streams.transaction():
            store.write(streams, [change])
    assert [revision for _, revision, _ in events(streams)] == [1, 2, 3]


def test_the_same_founding_again_is_the_same_alert(streams: Connection) -> None:
    anew = msgspec.structs.replace(raised(0), at=T0 + timedelta(minutes=40))
    for change in (raised(0), ended(0, 30), anew):
        with streams.transaction():
            store.write(streams, [change])
    assert [(revision, change) for _, revision, change in events(streams)][-1] == (3, "raised")
    assert [one.revision for one in store.active(streams, "water", ["flood_forecast"])] == [3]
