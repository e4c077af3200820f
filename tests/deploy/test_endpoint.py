"""./citysense endpoint, as a person types it, against a sending process and a receiver on real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import standardwebhooks

from streams.alerts import acts_store
from tests.conftest import Database
from tests.connectors.webhooks.receivers import Receiver
from tests.connectors.webhooks.senders import Town, sending
from tests.processes import ROOT, eventually, settings_file
from tests.streams.test_acts import act

pytestmark = pytest.mark.stack


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    made = Town(database)
    yield made
    made.close()


def endpoint(town: Town, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "CITYSENSE_SETTINGS": str(settings_file(town.settings, folder)),
        "CITYSENSE_INSTANCE": "test",
        "COLUMNS": "200",
        "TZ": "Asia/Shanghai",
    }
    return subprocess.run(
        [sys.executable, "-m", "deploy", "endpoint", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_life_of_an_endpoint(town: Town, tmp_path: Path) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        done = endpoint(town, tmp_path, *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    assert "Nobody is told" in said("list")
    with Receiver().serving() as receiver, sending(town.settings):
        refused = said("add", "authority", receiver.url, code=1)
        assert "https, unless" in refused
        secret = said("add", "authority", receiver.url, "--allow", "127.0.0.0/8", "--level", "yellow").strip()
        assert secret.startswith("whsec_")
        assert "already" in said("add", "authority", receiver.url, "--allow", "127.0.0.0/8", code=1)
        assert "answered 204" in said("test", "authority")
        event = standardwebhooks.Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
        assert event["type"] == "citysense.test.raised"
        said("test", "authority", "--exercise", "--level", "red")
        assert receiver.got[1].event["data"]["status"] == "exercise"

        alert = town.find(level=3)
        eventually(lambda: town.states(alert.alert_id) == [(1, "delivered")], "the alert is delivered")
        log = said("log", "authority")
        assert "is above its threshold" in log
        assert str(alert.alert_id) in log
        assert "delivered in" in log and "acknowledged" not in log
        acts_store.acknowledge(town.owner, [act(5, about=alert.alert_id)])
        assert "acknowledged 10:00:05" in said("log", "authority")

        new = said("rotate", "authority", "--overlap-h", "1").strip()
        said("test", "authority")
        for one in (secret, new):
            standardwebhooks.Webhook(one).verify(receiver.got[-1].body, receiver.got[-1].headers)

        assert said("replay", "authority", "--alert", str(alert.alert_id)).startswith("1 alert")
        eventually(lambda: [got.id for got in receiver.got].count(receiver.got[2].id) == 2, "it comes again")

        said("pause", "authority")
        assert "is paused" in said("test", "authority", code=1)
        town.find(level=4)
        said("resume", "authority")
        eventually(lambda: len(receiver.got) == 6, "what waited goes out")
        assert "authority" in said("list")
        said("remove", "authority")
        assert "Nobody is told" in said("list")
        assert "there is no endpoint" in said("log", "authority", code=1)
    assert secret not in log + said("list")
