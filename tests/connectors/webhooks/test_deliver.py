"""From a committed alert to the authority's receiver, on real sockets and the real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from lxml import etree

from connectors.webhooks import endpoints, store
from connectors.webhooks.heartbeats import beat
from sql.connect import connect
from tests.connectors.webhooks.receivers import Got, Receiver, revisions
from tests.connectors.webhooks.senders import Town, key_of, sending
from tests.connectors.webhooks.test_message import XSD
from tests.processes import eventually

pytestmark = pytest.mark.stack


def test_a_committed_alert_is_delivered_signed_and_once(town: Town, receiver: Receiver) -> None:
    secret = town.add("authority", receiver.url)
    with sending(town.settings):
        alert = town.find()
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "it is delivered")
    [got] = receiver.alerts
    event = standardwebhooks.Webhook(secret).verify(got.body, got.headers)
    assert event["id"] == got.id
    assert event["data"]["alert_id"] == str(alert.alert_id)
    assert (event["data"]["colour"], event["data"]["change"]) == ("red", "raised")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    [(status, outcome)] = town.rows("select status, outcome from delivery_attempt")
    assert (status, outcome) == (204, "delivered")


def test_what_is_not_committed_is_never_sent(town: Town, receiver: Receiver) -> None:
    town.add("authority", receiver.url)
    town.find("liantang-1", commit=False)
    assert town.rows("select count(*) from delivery") == [(0,)]
    with sending(town.settings):
        town.find("buji-1")
        eventually(lambda: len(receiver.alerts) == 1, "the other one is delivered")
    assert receiver.alerts[0].data["subject"] == "buji-1"


def test_an_endpoint_hears_what_it_wants_and_how_that_goes_on(town: Town, receiver: Receiver) -> None:
    town.add("authority", receiver.url, domains=("water",), min_level=3)
    with sending(town.settings):
        alert = town.find(level=2)
        town.find("source-1", domain="platform", level=4)
        town.find(level=3)
        eventually(lambda: revisions(receiver) == [2], "orange is told")
        town.find(level=1)
        eventually(lambda: revisions(receiver) == [2, 3], "and that it went down")
        town.clear()
        eventually(lambda: revisions(receiver) == [2, 3, 4], "and that it ended")
    assert {got.data["alert_id"] for got in receiver.alerts} == {str(alert.alert_id)}
    assert receiver.alerts[-1].data["change"] == "ended"


def test_an_endpoint_that_comes_during_the_storm_is_told_how_it_stands(town: Town, receiver: Receiver) -> None:
    alert = town.find(level=2)
    town.find(level=4)
    town.find("gone-1")
    town.clear("gone-1")
    with sending(town.settings):
        town.add("authority", receiver.url)
        eventually(lambda: town.states(alert.alert_id) == [(2, "delivered")], "it is told of what is active")
    assert [(got.data["subject"], got.data["level"]) for got in receiver.alerts] == [("buji-1", 4)]


def test_both_secrets_sign_while_one_is_exchanged_for_the_other(town: Town, receiver: Receiver) -> None:
    old = town.add("authority", receiver.url)
    with sending(town.settings):
        town.find("first")
        eventually(lambda: len(receiver.got) == 1, "signed with the old one")
        new = endpoints.rotate(town.owner, "authority", key_of(town.settings), overlap_s=3600)
        town.find("second")
        eventually(lambda: len(receiver.got) == 2, "signed with both")
        newest = endpoints.rotate(town.owner, "authority", key_of(town.settings), overlap_s=3600)
        town.find("third")
        eventually(lambda: len(receiver.got) == 3, "the oldest is over")
    signers = [
        {name for name, secret in (("old", old), ("new", new), ("newest", newest)) if signed_by(secret, got)}
        for got in receiver.got
    ]
    assert signers == [{"old"}, {"old", "new"}, {"new", "newest"}]


def signed_by(secret: str, got: Got) -> bool:
    try:
        standardwebhooks.Webhook(secret).verify(got.body, got.headers)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def test_what_nobody_took_in_time_is_an_incident(town: Town, receiver: Receiver) -> None:
    town.add("authority", receiver.url)
    town.find()
    town.find(level=3)
    town.owner.execute("update delivery set expires_at = now() - interval '1 second'")
    with connect(town.database.dsn("connectors")) as connection:
        missed = store.expire(connection)
    assert len(missed) == 1  # of the newest revision alone
    assert [row[1] for row in endpoints.incidents(town.owner, "authority")] == ["expired"]
    with sending(town.settings):
        assert endpoints.replay(town.owner, "authority", datetime.now(UTC) - timedelta(hours=1), only_missed=True) == 1
        eventually(lambda: revisions(receiver) == [2], "a person has it sent again")


def test_a_replay_sends_the_newest_state_under_its_id(town: Town, receiver: Receiver) -> None:
    town.add("authority", receiver.url)
    since = datetime.now(UTC) - timedelta(hours=1)
    with sending(town.settings):
        town.find(level=2)
        eventually(lambda: revisions(receiver) == [1], "the first is delivered")
        alert = town.find(level=3)
        eventually(lambda: town.states(alert.alert_id)[-1] == (2, "delivered"), "the second is delivered")
        assert endpoints.replay(town.owner, "authority", since) == 1
        eventually(lambda: len(receiver.got) == 3, "the newest comes again")
    assert revisions(receiver) == [1, 2, 2]
    assert receiver.got[1].id == receiver.got[2].id


def test_a_heartbeat_counts_what_is_active(town: Town, receiver: Receiver) -> None:
    town.add("authority", receiver.url, domains=("water",), min_level=3)
    town.find("a", level=4)
    town.find("b", level=3)
    town.find("too-low", level=1)
    town.find("other", level=4, domain="platform")
    town.find("ended", level=4)
    town.clear("ended")
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    with connect(town.database.dsn("connectors"), autocommit=True) as connection:
        assert beat(connection, minute) == 1
        beat(connection, minute)  # another process had the same idea
    with sending(town.settings):
        eventually(lambda: any(got.event["type"] == "citysense.heartbeat" for got in receiver.got), "it beats")
    [got] = [got for got in receiver.got if got.event["type"] == "citysense.heartbeat"]
    assert got.data["active"] == 2
    assert got.data["by_colour"] == {"blue": 0, "yellow": 0, "orange": 1, "red": 1}
    assert [one["level"] for one in got.data["alerts"]] == [4, 3]


@pytest.mark.parametrize("kind", ["test", "exercise"])
def test_a_test_says_that_it_is_one(town: Town, receiver: Receiver, kind: str) -> None:
    town.add("authority", receiver.url)
    with sending(town.settings):
        at = datetime.now(UTC)
        delivery_id = endpoints.send_test(town.owner, "authority", kind, 4, at)  # type: ignore[arg-type]
        eventually(lambda: endpoints.outcome(town.owner, delivery_id)[0] == "delivered", "it is delivered")
    [got] = receiver.got
    assert got.event["type"] == f"citysense.{kind}.raised"
    assert got.data["status"] == kind


def test_cap_with_bulletin_numbers_and_references(town: Town, receiver: Receiver) -> None:
    town.add("authority", receiver.url, form="cap", gb_prefix="44030301200000")
    receiver_alerts = receiver.got
    with sending(town.settings):
        alert = town.find(level=3)
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "raised")
        town.clear()
        eventually(lambda: town.states(alert.alert_id)[-1] == (2, "delivered"), "ended")
        for number in range(12):  # in the same second of the log as the first
            town.find(f"station-{number}")
        eventually(lambda: len(receiver_alerts) == 14, "all are told")
    documents = [etree.fromstring(got.body) for got in receiver.got]
    for document in documents:
        XSD.assertValid(document)
    names = [str(document.findtext("{*}identifier")) for document in documents]
    assert all(len(name) == 31 for name in names)
    assert len(set(names)) == 14
    cancel = documents[1]
    assert cancel.findtext("{*}msgType") == "Cancel"
    assert str(cancel.findtext("{*}references")).split(",")[1] == names[0]
