"""An authority says that it has an alert in hand: over a real socket, signed, once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.webhooks import endpoints
from schemas.signatures import secret_of
from tests.conftest import Database
from tests.connectors.webhooks.receivers import Receiver
from tests.connectors.webhooks.senders import Town, key_of, sending
from tests.dashboards.ops.serving import SAID, acknowledge, serving
from tests.processes import eventually

pytestmark = pytest.mark.stack


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    made = Town(database)
    yield made
    made.close()


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    """The operations centre, on a port of its own."""
    with serving(database.settings) as address:
        yield address


def test_the_first_acknowledgement_counts_and_repeats_are_told_so(town: Town, url: str) -> None:
    secret = town.add("authority", "https://authority.example/in")
    alert = town.find()
    first = acknowledge(url, alert.alert_id, secret)
    assert first.status_code == 201, first.text
    assert first.json()["acknowledged_by"] == SAID["by"]
    assert first.json()["raised_at"] == "2023-09-07T14:00:00Z"
    assert first.json()["delivered_at"] is None  # nobody has sent it yet
    again = acknowledge(url, alert.alert_id, secret, {"by": "王工"})
    assert again.status_code == 200
    assert again.json() == first.json()
    [(topic, schema, who, why, body, published)] = town.rows(
        "select topic, schema, who, why, body, published_at from action"
    )
    assert (topic, schema, who, why, published) == (
        "water.readings",
        "alert.acknowledged.v1",
        SAID["by"],
        SAID["note"],
        None,
    )
    assert (body["alert_id"], body["endpoint"], body["revision"]) == (str(alert.alert_id), "authority", 1)


def test_where_it_is_acknowledged_is_in_the_message(town: Town, url: str) -> None:
    with Receiver().serving() as receiver, sending(town.settings):
        secret = town.add("authority", receiver.url)
        alert = town.find()
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "it is delivered")
        where = httpx.URL(receiver.got[0].data["acknowledge_url"])
        assert (where.path, where.params["endpoint"]) == (f"/alerts/{alert.alert_id}/acknowledgements", "authority")
        answer = acknowledge(url, alert.alert_id, secret).json()
    times = [datetime.fromisoformat(answer[f"{name}_at"]) for name in ("raised", "delivered", "acknowledged")]
    assert times == sorted(times)
    # an act counts for the platform when it has come through the log
    assert town.rows("select delivered_at, acknowledged_at from alert_times") == [(times[1], None)]


def test_many_at_once_are_one(town: Town, url: str) -> None:
    secret = town.add("authority", "https://authority.example/in")
    alert = town.find()
    with ThreadPoolExecutor(12) as people:
        found = list(people.map(lambda n: acknowledge(url, alert.alert_id, secret, {"by": f"officer {n}"}), range(24)))
    assert sorted(one.status_code for one in found) == [200] * 23 + [201]
    assert len({one.json()["acknowledged_by"] for one in found}) == 1


def test_the_endpoint_need_not_be_named_and_either_secret_will_do(town: Town, url: str) -> None:
    town.add("another", "https://another.example/in")
    old = town.add("authority", "https://authority.example/in")
    new = endpoints.rotate(town.owner, "authority", key_of(town.settings), overlap_s=3600)
    alert = town.find()
    assert acknowledge(url, alert.alert_id, old, endpoint="").status_code == 201
    assert acknowledge(url, alert.alert_id, new).status_code == 200
    endpoints.rotate(town.owner, "authority", key_of(town.settings), overlap_s=0)
    assert acknowledge(url, alert.alert_id, old).status_code == 401


def test_who_is_not_believed(town: Town, url: str) -> None:
    secret = town.add("authority", "https://authority.example/in")
    stranger = secret_of(b"s" * 32)
    other = town.add("another", "https://another.example/in", domains=("parking",))
    alert = town.find()
    now = datetime.now(UTC)
    refusals = {
        "a stranger": acknowledge(url, alert.alert_id, stranger),
        "a stranger to all": acknowledge(url, alert.alert_id, stranger, endpoint=""),
        "an endpoint that is none": acknowledge(url, alert.alert_id, secret, endpoint="nobody"),
        "a name that is none": acknowledge(url, alert.alert_id, secret, endpoint="a\x00b"),
        "another's secret": acknowledge(url, alert.alert_id, other),
        "too late": acknowledge(url, alert.alert_id, secret, at=now - timedelta(minutes=6)),
        "too early": acknowledge(url, alert.alert_id, secret, at=now + timedelta(minutes=6)),
        "another body": acknowledge(url, alert.alert_id, secret, body=b'{"by":"me"}'),
    }
    assert {name: one.status_code for name, one in refusals.items()} == dict.fromkeys(refusals, 401)
    assert httpx.post(f"{url}/alerts/{alert.alert_id}/acknowledgements", json=SAID).status_code == 401
    for answer in refusals.values():
        assert answer.headers["content-type"] == "application/problem+json"
    # signed well, but it never heard of this alert, or there is no such alert
    assert acknowledge(url, alert.alert_id, other, endpoint="another").status_code == 404
    assert acknowledge(url, uuid.uuid4(), secret).status_code == 404
    assert town.rows("select count(*) from action") == [(0,)]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 400),
        ({"by": ""}, 400),
        ({"by": "x" * 129}, 400),
        ({"by": "me", "note": "x" * 1001}, 400),
        ({"by": "me", "revision": 0}, 400),
        ([], 400),
        ("x" * 17_000, 413),
        ({"by": "me", "unknown": 1}, 201),  # of a later version
        ({"by": "nul \x00 in it"}, 400),
        ({"by": "me", "note": "nul \x00 in it"}, 400),
        ({"by": "me", "note": "two\nlines"}, 201),
        ({"by": "me", "revision": 2**40}, 400),
    ],
)
def test_what_is_signed_but_no_acknowledgement(town: Town, url: str, said: Any, status: int) -> None:
    secret = town.add("authority", "https://authority.example/in")
    alert = town.find()
    assert acknowledge(url, alert.alert_id, secret, said).status_code == status


def test_an_exercise_is_acknowledged_like_an_alert(town: Town, url: str) -> None:
    secret = town.add("authority", "https://authority.example/in")
    endpoints.send_test(town.owner, "authority", "exercise", 4, datetime.now(UTC))
    [(alert_id,)] = town.rows("select alert_id from delivery where kind = 'exercise'")
    answer = acknowledge(url, alert_id, secret)
    assert (answer.status_code, answer.json()["raised_at"]) == (201, None)


def test_health_and_what_is_not_there(url: str) -> None:
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{url}/nothing").status_code == 404
    assert httpx.post(f"{url}/alerts/no-uuid/acknowledgements").status_code == 404
    described = httpx.get(f"{url}/schema/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for path in ("/schema", "/schema/redoc", "/schema/swagger"):  # nothing that loads scripts from elsewhere
        assert "<script" not in httpx.get(f"{url}{path}").text
