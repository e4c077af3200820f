"""Do the simulated servers and clients behave as real ones on real sockets: validators, keys, pages, sending again?"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from connectors.formats import PUSHES
from demo import pushes, registers, sources
from demo.__main__ import prepare
from demo.clients import Vendor
from demo.district import lots_of
from demo.documents import PAGE, document
from demo.faults import reading
from demo.occupancy import minute_of
from demo.operators import BY_SOURCE, OPERATORS
from demo.servers import Servers, is_away
from schemas.settings import parse

NOON = datetime(2026, 11, 24, 4, 0, 7, tzinfo=UTC)
SECRETS = {sources.secret_variable(source): f"secret of {source}" for source in sources.sources_with_secrets()}


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of an app on a real socket."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture(scope="module")
def client(clock: Clock) -> Iterator[httpx.Client]:
    with served(Servers(SECRETS, clock)) as address, httpx.Client(base_url=address, trust_env=False) as found:
        yield found


def test_every_feed_of_the_settings_answers(client: httpx.Client) -> None:
    for source in parse(sources.toml(8100)).sources:
        if source.transport != "http_poll":
            continue
        path = source.url.partition("8100")[2].replace("{ref}", source.refs[0] if source.refs else "")
        key = {"AccountKey": SECRETS[sources.secret_variable(source.name)]} if source.secret else {}
        answer = client.get(path, params=source.params, headers=key)
        assert answer.status_code == 200, source.name
        assert answer.headers["etag"]
        kind = "xml" if source.decoder == "datex2" else "json"
        assert answer.headers["content-type"].startswith(f"application/{kind}")


def test_what_is_not_new_is_304_and_the_next_minute_is_new(client: httpx.Client, clock: Clock) -> None:
    path = BY_SOURCE["demo-hdb"].path
    first = client.get(path)
    assert first.content == document(BY_SOURCE["demo-hdb"], minute_of(clock.at))
    assert first.headers["content-encoding"] == "gzip"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    clock.at += timedelta(minutes=1)
    assert client.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 200
    clock.at -= timedelta(minutes=1)


def test_plain_and_gzip_have_validators_of_their_own(client: httpx.Client) -> None:
    path = BY_SOURCE["demo-datex2-v3"].path
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    packed = client.get(path)
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    assert plain.headers["etag"] != packed.headers["etag"]
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == packed.headers["etag"]


def test_pages_need_the_key_and_end_with_a_short_one(client: httpx.Client) -> None:
    path = BY_SOURCE["demo-lta"].path
    assert client.get(path).status_code == 401
    key = {"AccountKey": SECRETS["CITYSENSE_SECRET_DEMO_LTA"]}
    sizes = [
        len(json.loads(client.get(path, params={"$skip": str(skip)}, headers=key).content)["value"])
        for skip in (0, PAGE, 2 * PAGE, 3 * PAGE)
    ]
    assert sizes == [PAGE, PAGE, 2 * BY_SOURCE["demo-lta"].lots - 2 * PAGE, 0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nobody", 404),
        ("GET", "/npr/parkingdata/v2/dynamic/nobody", 404),
        ("GET", "/npr/parkingdata/v2/dynamic/../../../etc/passwd", 404),
        ("POST", "/ngsi/v2/entities", 405),
        ("GET", "/health", 200),
    ],
)
def test_other_requests(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert client.request(method, path).status_code == status


def test_a_server_is_away_for_two_minutes_now_and_then(client: httpx.Client, clock: Clock) -> None:
    begin = minute_of(NOON)
    away = {
        operator.source: [minute for minute in range(begin, begin + 2 * 1440) if is_away(operator, minute)]
        for operator in OPERATORS
    }
    assert any(away.values())
    for minutes in away.values():
        gaps = [b - a for a, b in zip(minutes[::2], minutes[1::2], strict=True)]
        assert set(gaps) <= {1}
    source = next(s for s, minutes in away.items() if minutes and BY_SOURCE[s].path and BY_SOURCE[s].decoder != "npr")
    before, clock.at = clock.at, datetime.fromtimestamp(away[source][0] * 60 + 3, UTC)
    answer = client.get(BY_SOURCE[source].path)
    clock.at = before
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


class Platform:
    """A push server that checks as the connectors do, and is unavailable at first."""

    def __init__(self, unavailable: int) -> None:
        self.unavailable = unavailable
        self.believed: list[bytes] = []
        self.verdicts: list[str | None] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        source = scope["path"].rpartition("/")[2]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        decoder = "njytb" if source == "demo-njytb" else BY_SOURCE[source].decoder
        secret = SECRETS[sources.secret_variable(source)]
        self.verdicts.append(PUSHES[decoder].verify(body, headers, secret, datetime.now(UTC), 300))
        status = 200
        if self.unavailable:
            self.unavailable -= 1
            status = 503
        else:
            self.believed.append(body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def vendor(source: str, address: str) -> AsyncIterator[Vendor]:
    found = Vendor(source, address, SECRETS[sources.secret_variable(source)])
    try:
        yield found
    finally:
        await found.close()


@pytest.mark.parametrize("source", [operator.source for operator in OPERATORS if operator.pushes])
def test_a_client_sends_again_until_it_is_taken(source: str) -> None:
    platform = Platform(unavailable=1)
    operator = BY_SOURCE[source]
    told = [reading(lot, minute_of(datetime.now(UTC))) for lot in lots_of(source)[:3]]

    async def deliver(address: str) -> Vendor:
        async with vendor(source, address) as one:
            for reading_ in told:

                def sign(at: datetime, reading_: Any = reading_) -> pushes.Push:
                    return pushes.message(operator.decoder, reading_, one.secret, at)

                one.send(sign, timedelta(minutes=1))
            async with asyncio.timeout(20):
                await one.drain()
            return one

    with served(platform) as address:
        done = asyncio.run(deliver(address))
    assert (done.sent, done.refused, done.given_up) == (3, 1, 0)
    assert platform.verdicts == [None] * 4
    assert len(platform.believed) == 3


def test_prepare_writes_what_the_platform_needs_and_keeps_its_secrets(tmp_path: Any) -> None:
    prepare(tmp_path, parse(""))
    kept = (tmp_path / "secrets.env").read_text()
    assert (tmp_path / "secrets.env").stat().st_mode & 0o077 == 0
    assert {line.partition("=")[0] for line in kept.splitlines()} == SECRETS.keys()
    prepare(tmp_path, parse(""))
    assert (tmp_path / "secrets.env").read_text() == kept
    assert {path.name for path in (tmp_path / "registers").iterdir()} == registers.files().keys()
    own = 'district = { code = "440303" }\n'
    assert parse(own + (tmp_path / "sources.toml").read_text()).source("demo-hdb").url.startswith("http://127.0.0.1")
