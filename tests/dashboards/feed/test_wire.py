"""Requests as the wire may bring them: pipelined, in single bytes, without end, too many."""

from __future__ import annotations

import re
import socket

import httpx
import msgspec
import pytest

from dashboards.feed import front
from dashboards.feed.files import LOT_STATUS
from schemas.registers import ParkingRegister
from sql.connect import Connection
from tests.conftest import Database
from tests.dashboards.feed.servers import Running, running, this_minute, until
from tests.dashboards.feed.tables import publish

pytestmark = pytest.mark.stack


def test_more_requests_than_one_client_may_send(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    limited = msgspec.structs.replace(
        database.settings,
        feed=msgspec.structs.replace(database.settings.feed, requests_per_minute=60, burst=5),
    )
    with running(limited, unlimited=False) as feed, httpx.Client(base_url=feed.url) as client:
        until(lambda: feed.shows(minute))
        statuses = [client.get(LOT_STATUS).status_code for _ in range(8)]
        assert statuses[:5] == [200] * 5 and 429 in statuses[5:]
        refused = client.get(LOT_STATUS)
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert refused.json()["advice"]


def exchange(feed: Running, request: bytes) -> bytes:
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", feed.port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_requests_as_the_wire_may_bring_them(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        get = b"GET /parking/v1/versions.json HTTP/1.1\r\nHost: feed\r\n\r\n"
        last = b"GET /parking/v1/versions.json HTTP/1.1\r\nHost: feed\r\nConnection: close\r\n\r\n"
        assert exchange(feed, get * 20 + last).count(b"HTTP/1.1 200 OK") == 21
        mixed = b"GET /nothing HTTP/1.1\r\nHost: feed\r\n\r\n"
        answers = exchange(feed, get + mixed + get + mixed + last)
        order = re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)
        assert order == [b"200", b"404", b"200", b"404", b"200"]
        with socket.create_connection(("127.0.0.1", feed.port), timeout=10) as slow:
            for byte in last:
                slow.sendall(bytes([byte]))
            assert slow.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert exchange(feed, b"GET /parking/v1/versions.json HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        assert exchange(feed, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
        header = b"GET / HTTP/1.1\r\nHost: feed\r\nX: " + b"x" * 10_000
        with socket.create_connection(("127.0.0.1", feed.port), timeout=10) as long:
            long.sendall(header)
            with pytest.raises(OSError):  # reset or broken pipe: it stopped listening
                for _ in range(2000):
                    long.sendall(b"y" * 10_000)
        posted = exchange(feed, b"POST / HTTP/1.1\r\nHost: feed\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        assert posted.startswith(b"HTTP/1.1 405") and b"Allow: GET, HEAD, OPTIONS" in posted
        asked = exchange(feed, b"OPTIONS /parking/v1/x HTTP/1.1\r\nHost: feed\r\nConnection: close\r\n\r\n")
        assert asked.startswith(b"HTTP/1.1 204") and b"Access-Control-Allow-Methods" in asked
        assert feed.get("/parking/v1/lot%5Fstatus.json").status_code == 200
        upgrade = b"GET /parking/v1/versions.json HTTP/1.1\r\nHost: feed\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        assert exchange(feed, upgrade).startswith(b"HTTP/1.1 200 OK")


def test_what_is_inside_is_hidden_from_those_a_proxy_asks_for(database: Database, owner: Connection) -> None:
    with running(database.settings) as feed:
        assert b"citysense_feed_stream_clients" in feed.get("/metrics").content
        for path in ("/metrics", "/health"):
            assert feed.get(path, x_forwarded_for="198.51.100.7").status_code == 404


def test_half_a_request_and_a_reader_that_does_not_read_are_ended(
    database: Database, owner: Connection, whole: ParkingRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("WATCH_S", 0.1), ("REQUEST_TIMEOUT_S", 0.3), ("STALLED_WRITE_S", 0.3)):
        monkeypatch.setattr(front, name, seconds)
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        assert exchange(feed, b"GET / HTTP/1.1\r\nHost: fe").startswith(b"HTTP/1.1 408")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", feed.port))
            deaf.sendall(b"GET /parking/v1/lot_status.json HTTP/1.1\r\nHost: feed\r\n\r\n" * 500)
            connections = feed.uvicorn.server_state.connections
            until(lambda: len(connections) == 1)
            until(lambda: len(connections) == 0)
