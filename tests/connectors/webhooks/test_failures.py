"""Receivers that fail, hang, redirect and vanish, and senders that die: what is sent, and in which order."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from connectors.webhooks import endpoints
from connectors.webhooks.heartbeats import beat
from deploy.local.database import admin_dsn
from sql.connect import connect
from streams.sweep_endpoints import judge_endpoints
from tests.connectors.webhooks.receivers import Got, Receiver, revisions, silent_until, well
from tests.connectors.webhooks.senders import Town, sending
from tests.processes import eventually, running, settings_file

pytestmark = pytest.mark.stack


def test_a_receiver_that_fails_gets_the_same_message_again(town: Town, receiver: Receiver) -> None:
    def thrice(got: Got) -> None:
        if len(receiver.got) == 1:
            got.answer(500, b"oops")
        elif len(receiver.got) == 2:
            got.hang_up()
        else:
            got.answer(200)

    receiver.behave = thrice
    town.add("authority", receiver.url)
    with sending(town.settings):
        alert = town.find()
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "the third time does it")
    assert len({got.id for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    outcomes = town.rows("select attempt, status, outcome from delivery_attempt order by 1")
    assert outcomes == [(1, 500, "again"), (2, None, "again"), (3, 200, "delivered")]
    assert town.rows("select failing_since from endpoint") == [(None,)]


def test_a_dead_endpoint_delays_no_other(town: Town, receiver: Receiver, another: Receiver) -> None:
    release = threading.Event()
    receiver.behave = silent_until(release)
    town.add("hangs", receiver.url)
    town.add("lives", another.url)
    try:
        with sending(town.settings):
            for number in range(40):
                town.find(f"station-{number}")
            eventually(lambda: len(receiver.got) > 0 and len(another.alerts) == 40, "the living one has all")
            assert all(got.status is None for got in receiver.got)
            release.set()
    finally:
        release.set()


def test_after_an_outage_only_the_newest_state_is_told(town: Town, receiver: Receiver) -> None:
    receiver.behave = lambda got: got.answer(503)
    town.add("authority", receiver.url)
    with sending(town.settings):
        alert = town.find(level=2)
        eventually(lambda: len(receiver.got) >= 1, "the first is tried")
        town.find(level=4)
        town.find(level=3)
        town.clear()
        eventually(lambda: 4 in revisions(receiver), "the last is tried")
        receiver.behave = well
        eventually(lambda: town.states(alert.alert_id)[-1] == (4, "delivered"), "the last is delivered")
        expected = [(1, "superseded"), (2, "superseded"), (3, "superseded"), (4, "delivered")]
        assert town.states(alert.alert_id) == expected
    assert revisions(receiver) == sorted(revisions(receiver))
    assert [got.data["change"] for got in receiver.alerts if got.status == 204] == ["ended"]
    followed = town.rows(
        "select o.revision from delivery as o join delivery as n on n.delivery_id = o.superseded_by"
        " where n.revision > o.revision order by 1"
    )
    assert followed == [(1,), (2,), (3,)]


def test_410_waits_for_a_person(town: Town, receiver: Receiver) -> None:
    receiver.behave = lambda got: got.answer(410)
    town.add("authority", receiver.url)
    with sending(town.settings):
        alert = town.find()
        eventually(lambda: town.rows("select state from endpoint") == [("paused",)], "it is paused")
        assert [row[1] for row in endpoints.incidents(town.owner, "authority")] == ["gone"]
        town.find(level=3)
        assert len(receiver.got) == 1
        receiver.behave = well
        endpoints.resume(town.owner, "authority")
        eventually(lambda: town.states(alert.alert_id)[-1] == (2, "delivered"), "what waited is delivered")
    assert endpoints.incidents(town.owner, "authority") == []


def test_410_of_the_first_url_leaves_the_second(town: Town, receiver: Receiver, another: Receiver) -> None:
    receiver.behave = lambda got: got.answer(410)
    town.add("authority", receiver.url, fallback_url=another.url)
    with sending(town.settings):
        town.find()
        eventually(lambda: len(another.got) == 1, "the second url has it")
        town.find("liantang-1")
        eventually(lambda: len(another.got) == 2, "and what follows")
    assert len(receiver.got) == 1
    assert receiver.got[0].id == another.got[0].id
    assert town.rows("select state from endpoint") == [("active",)]


def test_429_is_left_alone_for_as_long_as_it_asks(town: Town, receiver: Receiver) -> None:
    receiver.behave = lambda got: got.answer(429, Retry_After="2") if len(receiver.got) == 1 else well(got)
    town.add("authority", receiver.url)
    with sending(town.settings):
        town.find()
        eventually(lambda: len(receiver.got) == 1, "it was asked once")
        town.find("liantang-1")
        eventually(
            lambda: town.rows("select count(*) from delivery where state = 'delivered'") == [(2,)], "both arrive"
        )
    assert all(got.at - receiver.got[0].at >= 1.99 for got in receiver.got[1:])


def test_redirects_are_not_followed(town: Town, receiver: Receiver, another: Receiver) -> None:
    receiver.behave = lambda got: got.answer(307, Location=another.url) if len(receiver.got) < 3 else well(got)
    town.add("authority", receiver.url)
    with sending(town.settings):
        alert = town.find()
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "it goes on trying the first address")
    assert another.got == []
    assert town.rows("select status, detail from delivery_attempt where attempt = 1") == [
        (307, "a redirect, which is not followed")
    ]


def test_what_is_new_goes_to_the_second_url_when_the_first_has_failed_for_half_a_minute(
    town: Town, receiver: Receiver, another: Receiver
) -> None:
    receiver.behave = lambda got: got.answer(500)
    town.add("authority", receiver.url, fallback_url=another.url)
    town.owner.execute("update endpoint set failing_since = now() - interval '31 seconds'")
    with sending(town.settings):
        town.find()
        eventually(lambda: len(another.got) == 1, "the second url has it at once")
        assert receiver.got == []
        receiver.behave = well
        beat(town.owner, datetime.now(UTC).replace(second=0, microsecond=0))
        eventually(lambda: town.rows("select failing_since from endpoint") == [(None,)], "the heartbeat finds it well")
        town.find("liantang-1")
        eventually(lambda: len(receiver.alerts) == 1, "and alerts go there again")


def test_a_sender_that_is_killed_has_its_message_sent_again_under_the_same_id(
    town: Town, receiver: Receiver, tmp_path: Path
) -> None:
    release = threading.Event()
    receiver.behave = silent_until(release)
    town.add("authority", receiver.url)
    file = settings_file(town.settings, tmp_path, "[webhooks]\nheartbeat = false\n")
    with running(town.settings, file, "connectors", "webhooks") as process:
        alert = town.find()
        eventually(lambda: len(receiver.got) == 1, "the receiver has it and says nothing")
        process.kill()
        process.wait()
    assert town.rows("select attempt, finished_at, outcome from delivery_attempt") == [(1, None, None)]
    receiver.behave = well
    town.owner.execute("update delivery_lane set leased_until = now()")  # as if its 15 s were over
    with running(town.settings, file, "connectors", "webhooks"):
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "another one sends it")
    release.set()
    assert [got.id for got in receiver.got] == [receiver.got[0].id] * 2
    assert [row[0] for row in town.rows("select attempt from delivery_attempt order by 1")] == [1, 2]


def test_two_processes_share_the_work_and_keep_the_order(town: Town, receiver: Receiver) -> None:
    behaviours = [200, 200, 500, 200, None, 200]

    def unreliable(got: Got) -> None:
        status = behaviours[len(receiver.got) % len(behaviours)]
        if status is None:
            got.hang_up()
        else:
            got.answer(status)

    receiver.behave = unreliable
    town.add("authority", receiver.url)
    with sending(town.settings, processes=2):
        for level in (1, 2, 3, 4):
            for number in range(12):
                town.find(f"station-{number}", level)
        for number in range(12):
            town.clear(f"station-{number}")
        eventually(lambda: town.rows("select 1 from delivery where state = 'waiting'") == [], "nothing waits any more")
    order: dict[str, list[int]] = defaultdict(list)
    for got in receiver.alerts:
        order[got.data["subject"]].append(got.data["revision"])
    assert len(order) == 12
    for attempted in order.values():
        assert attempted == sorted(attempted)
        assert attempted[-1] == 5
    last = town.rows("select distinct state from delivery where revision = 5")
    assert last == [("delivered",)]
    assert len(town.rows("select distinct sender from delivery_attempt")) == 2


def test_that_an_endpoint_cannot_be_reached_is_told_to_the_others(
    town: Town, receiver: Receiver, another: Receiver
) -> None:
    town.add("broken", receiver.url)
    town.add("operators", another.url, domains=("platform",))
    with connect(town.database.dsn("streams"), autocommit=True) as streams, sending(town.settings):
        town.owner.execute("update endpoint set failing_since = now() - interval '3 minutes' where name = 'broken'")
        judge_endpoints(streams, datetime.now(UTC), ZoneInfo("Asia/Shanghai"))
        eventually(lambda: [got.data["kind"] for got in another.alerts] == ["endpoint_failing"], "it is told")
        endpoints.put_state(town.owner, "broken", "removed")
        judge_endpoints(streams, datetime.now(UTC), ZoneInfo("Asia/Shanghai"))
        eventually(lambda: [got.data["change"] for got in another.alerts] == ["raised", "ended"], "and that it is over")
    assert another.alerts[0].data["subject"] == "broken"


def test_the_database_goes_away_while_a_message_is_under_way(town: Town, receiver: Receiver) -> None:
    """Its connections are cut: what was delivered is recorded all the same, what was not is sent."""

    def cut(got: Got) -> None:
        if len(receiver.got) == 1:
            with psycopg.connect(admin_dsn(town.settings, town.database.name)) as admin:
                cuts.extend(
                    admin.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where usename = 'citysense_connectors' and datname = current_database()"
                    ).fetchall()
                )
        got.answer(200)

    cuts: list[object] = []
    receiver.behave = cut
    town.add("authority", receiver.url)
    with sending(town.settings):
        alert = town.find()
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "it is recorded")
        town.find("liantang-1")
        eventually(lambda: len(receiver.got) == 2, "and what follows is sent")
    assert len(cuts) >= 2
    assert len({got.id for got in receiver.got}) == 2
