"""Does the authority take only what is signed, once, and acknowledge what it was told, until it is answered?"""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from standardwebhooks import Webhook

from demo.water.authority import OFFICER, PATH, Authority, signature
from schemas.alerts import Acknowledgement
from schemas.signatures import headers as signed_headers
from schemas.signatures import verify
from tests.connectors.clocks import until
from tests.connectors.water.stations import free_port
from tests.demo.water.loops import in_a_loop

NOW = datetime(2026, 11, 24, 2, 0, 7, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
ALERT = "5f3c9b4e-9b1a-5c6e-8d7f-0a1b2c3d4e5f"


def event(revision: int = 1, change: str = "raised", url: str = "http://127.0.0.1:9/acknowledge") -> bytes:
    data = {
        "alert_id": ALERT,
        "revision": revision,
        "change": change,
        "level": 4,
        "colour": "red",
        "sentence_zh": "布吉河草埔站水位超过红色线",
        "acknowledge_url": url,
    }
    return json.dumps({"specversion": "1.0", "type": f"citysense.alert.{change}", "data": data}).encode()


def headers(body: bytes, secret: str = SECRET, message_id: str = "m1", at: datetime = NOW) -> dict[str, str]:
    return signed_headers(message_id, at, [secret], body)


def authority(**more: Any) -> Authority:
    return Authority([SECRET], now=lambda: NOW, looks_s=(0.0, 0.0), **more)


def test_the_vector_of_standard_webhooks() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    told = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert told == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@in_a_loop
async def test_only_what_is_signed_is_taken_and_only_once() -> None:
    receiver, body = authority(), event(change="ended")
    good = headers(body)
    assert receiver.answer("POST", PATH, {}, body) == 401
    assert receiver.answer("POST", PATH, good, body + b" ") == 401
    assert receiver.answer("POST", PATH, headers(body, OLD), body) == 401
    assert receiver.answer("POST", PATH, headers(body, at=NOW - timedelta(minutes=6)), body) == 401
    assert receiver.answer("POST", "/", good, body) == 404
    assert receiver.answer("GET", PATH, good, body) == 405
    assert receiver.answer("POST", PATH, good, body) == 204
    assert receiver.answer("POST", PATH, good, body) == 204
    assert (receiver.taken, receiver.repeated, receiver.refused) == (1, 1, 4)


@in_a_loop
async def test_one_of_two_signatures_is_enough_while_a_secret_is_replaced() -> None:
    body = event(change="ended")
    assert authority().answer("POST", PATH, signed_headers("m1", NOW, [OLD, SECRET], body), body) == 204


@in_a_loop
async def test_an_older_revision_after_a_newer_one_changes_nothing() -> None:
    receiver = authority()
    for revision, message_id in ((3, "m3"), (2, "m2")):
        body = event(revision, "ended")
        assert receiver.answer("POST", PATH, headers(body, message_id=message_id), body) == 204
    assert receiver.newest[ALERT]["revision"] == 3


@in_a_loop
async def test_a_heartbeat_that_stays_away_is_silence() -> None:
    clock = [NOW]
    receiver = Authority([SECRET], now=lambda: clock[0])
    body = json.dumps({"type": "citysense.heartbeat", "data": {"active": 0}}).encode()
    assert not receiver.is_silent()
    assert receiver.answer("POST", PATH, headers(body), body) == 204
    clock[0] += timedelta(minutes=4)
    assert receiver.is_silent()


class Centre:
    """An operations centre that is away for the first requests, and verifies as the library of PyPI does."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.heard: list[Acknowledgement] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        given = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = 503 if self.away > 0 else 201
        self.away -= 1
        if status == 201:
            said = Webhook(SECRET).verify(body, given)
            verify(given, [SECRET], body, datetime.now(UTC))
            self.heard.append(Acknowledgement(**said))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("away", [0, 1])
@in_a_loop
async def test_it_acknowledges_over_real_sockets_until_it_is_answered(away: int) -> None:
    centre, receiver = Centre(away), Authority([SECRET], looks_s=(0.0, 0.0))
    ports = free_port(), free_port()
    apps: list[Any] = [centre, receiver]
    servers = [
        uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
        for app, port in zip(apps, ports, strict=True)
    ]
    tasks = [asyncio.ensure_future(server.serve()) for server in servers]
    await until(lambda: all(server.started for server in servers))
    async with httpx.AsyncClient(trust_env=False) as client:
        for revision in (1, 2):
            body = event(revision, "raised" if revision == 1 else "updated", f"http://127.0.0.1:{ports[0]}/a")
            told = headers(body, message_id=f"m{revision}", at=datetime.now(UTC))
            answer = await client.post(f"http://127.0.0.1:{ports[1]}{PATH}", content=body, headers=told)
            assert answer.status_code == 204
    await until(lambda: receiver.acknowledged == 1)
    await receiver.settled()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)
    assert [one.by for one in centre.heard] == [OFFICER]  # once for both revisions
