"""Does the broker of the local stack come up beside Kafka and TimescaleDB, and keep what nobody has acknowledged?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.local import supervision
from deploy.local.machine import MOSQUITTO, is_there
from deploy.local.places import places
from deploy.local.stack import up
from schemas.settings import Settings

pytestmark = pytest.mark.stack


@pytest.fixture
def with_broker(kafka: Settings) -> Iterator[Settings]:
    """No other test run uses the stack meanwhile; afterwards it is as it was."""
    if not is_there(MOSQUITTO):
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    settings = msgspec.structs.replace(kafka, stack=msgspec.structs.replace(kafka.stack, mqtt=True))
    yield up(settings)
    up(kafka)


def _client(settings: Settings, got: threading.Event, acknowledge: bool) -> Any:
    """The subscriber `keeper`, connected and subscribed."""
    ready = threading.Event()
    client: Any = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="keeper", clean_session=False, manual_ack=True)
    client.on_connect = lambda client, *_: client.subscribe("t", 1)
    client.on_subscribe = lambda *_: ready.set()

    def on_message(client: Any, userdata: Any, message: Any) -> None:
        if acknowledge:
            client.ack(message.mid, message.qos)
        got.set()

    client.on_message = on_message
    client.connect("127.0.0.1", settings.ports.mqtt)
    client.loop_start()
    assert ready.wait(10)
    return client


def _leave(client: Any) -> None:
    client.disconnect()
    client.loop_stop()


def test_what_is_not_acknowledged_outlives_a_restart_of_the_broker(with_broker: Settings) -> None:
    where = places(with_broker)
    assert supervision.states(where)["mosquitto"].pid
    got = threading.Event()
    client = _client(with_broker, got, acknowledge=False)
    client.publish("t", b"7", 1).wait_for_publish(10)
    assert got.wait(10)
    _leave(client)
    supervision.stop(where, ["mosquitto"])
    up(with_broker)
    again = threading.Event()
    client = _client(with_broker, again, acknowledge=True)
    assert again.wait(10)
    _leave(client)
