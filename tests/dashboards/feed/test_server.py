"""The feed on a real socket over the real database: publishing, replicas, restarts, a database that goes away."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta

import brotli
import httpx
import msgspec
import pandas as pd
import psycopg
import pytest
from psycopg import sql

from dashboards.feed.asked import snapshot_name
from dashboards.feed.files import ALL, LOT_STATUS
from deploy.local import database as local_database
from schemas.minute import LotMinute
from schemas.registers import ParkingRegister
from schemas.settings import Settings
from sql.connect import Connection, connect
from tests.conftest import Database
from tests.dashboards.feed.minutes import insert_minute, insert_register, minute_rows, minute_run, register
from tests.dashboards.feed.servers import Running, running, this_minute, until

pytestmark = pytest.mark.stack
LOTS = 16


@pytest.fixture
def whole() -> ParkingRegister:
    return register(LOTS)


@pytest.fixture
def owner(database: Database, whole: ParkingRegister) -> Iterator[Connection]:
    with connect(database.dsn("owner")) as connection:
        insert_register(connection, whole)
        yield connection


def publish(
    owner: Connection,
    whole: ParkingRegister,
    minute: datetime,
    *,
    seq: int = 100,
    seed: int = 1,
    revision: int = 1,
    after_s: float = 1.5,
) -> tuple[LotMinute, ...]:
    rows = minute_rows(whole, minute, seed=seed, revision=revision)
    insert_minute(owner, minute_run(rows, content_seq=seq, computed_after_s=after_s), rows)
    return rows


def name_of(feed: Running, minute: datetime) -> str:
    return snapshot_name(minute.astimezone(feed.application.watch.publisher.zone))


def test_a_feed_without_a_minute_says_so_and_then_publishes(
    database: Database, owner: Connection, whole: ParkingRegister
) -> None:
    with running(database.settings) as feed:
        early = feed.get(LOT_STATUS)
        assert early.status_code == 503 and early.headers["retry-after"] == "5"
        assert early.headers["content-type"] == "application/problem+json"
        assert feed.get("/health").json()["status"] == "starting"
        minute = this_minute()
        publish(owner, whole, minute)
        until(lambda: feed.shows(minute))
        found = feed.get(LOT_STATUS)
        assert found.status_code == 200
        assert datetime.fromisoformat(found.json()["last_updated"]) == minute
        assert feed.get("/health").json()["database"] == "up"


def test_every_file_in_every_encoding_with_its_conditions(
    database: Database, owner: Connection, whole: ParkingRegister
) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed, httpx.Client(base_url=feed.url) as client:
        until(lambda: feed.shows(minute))
        for file in ALL:
            plain = client.get(file.path, headers={"accept-encoding": "identity"})
            assert plain.status_code == 200 and plain.headers["content-type"] == file.media_type
            for encoding in ("gzip", "br"):
                raw = fetch(client, file.path, encoding)
                unpack = gzip.decompress if encoding == "gzip" else brotli.decompress
                assert raw.headers["content-encoding"] == encoding
                assert unpack(raw.content) == plain.content
                assert raw.headers["etag"] != plain.headers["etag"]
                tag = raw.headers["etag"]
                again = client.get(file.path, headers={"accept-encoding": encoding, "if-none-match": f'"x", W/{tag}'})
                assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
            head = client.head(file.path, headers={"accept-encoding": "identity"})
            assert head.headers["content-length"] == str(len(plain.content)) and head.content == b""
            since = client.get(file.path, headers={"if-modified-since": plain.headers["last-modified"]})
            assert since.status_code == 304


class Raw(msgspec.Struct, frozen=True):
    """An answer as it came, not unpacked."""

    headers: httpx.Headers
    content: bytes


def fetch(client: httpx.Client, path: str, encoding: str) -> Raw:
    with client.stream("GET", path, headers={"accept-encoding": encoding}) as response:
        return Raw(response.headers, b"".join(response.iter_raw()))


def test_replicas_serve_the_same_bytes(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    with running(database.settings) as one, running(database.settings) as two:
        publish(owner, whole, minute)
        until(lambda: one.shows(minute) and two.shows(minute))
        with httpx.Client(base_url=one.url) as first, httpx.Client(base_url=two.url) as second:
            for file in ALL:
                for encoding in ("identity", "gzip", "br"):
                    mine, other = fetch(first, file.path, encoding), fetch(second, file.path, encoding)
                    assert mine.content == other.content, (file.path, encoding)
                    for name in ("etag", "last-modified", "content-type"):
                        assert mine.headers[name] == other.headers[name]
    stored = owner.execute("select count(*), count(distinct (view, encoding)) from feed_snapshot").fetchone()
    assert stored == (2 * len(ALL), 2 * len(ALL))


def test_a_later_release_serves_what_an_earlier_one_stored(
    database: Database, owner: Connection, whole: ParkingRegister
) -> None:
    minute = this_minute()
    body = b'{"said": "by another release"}'
    owner.execute(
        "insert into feed_snapshot (minute, view, encoding, revision, etag, content_type, modified_at, body) values"
        " (%(m)s, 'lot_status.json', 'gzip', 1, '\"z-gz\"', 'application/json', %(m)s, %(gz)s),"
        " (%(m)s, 'lot_status.json', 'br', 1, '\"z-br\"', 'application/json', %(m)s, %(br)s)",
        {"m": minute, "gz": gzip.compress(body), "br": brotli.compress(body)},
    )
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        found = feed.get(LOT_STATUS)
        assert (found.content, found.headers["etag"]) == (body, '"z"')


def test_last_updated_never_goes_backward(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    earlier = minute - timedelta(minutes=5)
    publish(owner, whole, earlier, seq=95)
    publish(owner, whole, minute, seq=100)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        publish(owner, whole, earlier, seq=101, seed=2, revision=2, after_s=400)
        shown = feed.get(f"/parking/v1/snapshots/{name_of(feed, earlier)}?revision=2")
        assert shown.json()["content_seq"] == 101
        assert datetime.fromisoformat(feed.get(LOT_STATUS).json()["last_updated"]) == minute
    with running(database.settings) as restarted:
        until(lambda: restarted.shows(minute))
        assert datetime.fromisoformat(restarted.get(LOT_STATUS).json()["last_updated"]) == minute


def test_snapshots_stay_as_published_and_as_of_shows_corrections(
    database: Database, owner: Connection, whole: ParkingRegister
) -> None:
    minute = this_minute()
    earlier = minute - timedelta(minutes=5)
    publish(owner, whole, earlier, seq=95)
    publish(owner, whole, minute, seq=100)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        path = f"/parking/v1/snapshots/{name_of(feed, earlier)}"
        first = feed.get(path)
        assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
        publish(owner, whole, earlier, seq=101, seed=2, revision=2, after_s=400)
        assert feed.get(path).content == first.content
        before = (earlier + timedelta(seconds=60)).isoformat().replace("+", "%2B")
        after = (earlier + timedelta(seconds=600)).isoformat().replace("+", "%2B")
        assert feed.get(f"{path}?as_of={before}").json()["content_seq"] == 95
        corrected = feed.get(f"{path}?as_of={after}")
        assert corrected.json()["content_seq"] == 101 and "immutable" not in corrected.headers["cache-control"]
        assert corrected.headers["content-location"].endswith("?revision=2")
        assert feed.get(f"{path}?revision=3").status_code == 404
        assert feed.get(f"{path}?as_of=yesterday").status_code == 400


def test_the_database_goes_away_and_comes_back(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        before = feed.get(LOT_STATUS)
        with Shut(database.settings):
            until(lambda: feed.application.site.database_lost_at is not None)
            stale = feed.get(LOT_STATUS)
            assert stale.status_code == 200 and stale.content == before.content
            assert stale.headers["x-data-stale"] == "true" and stale.headers["etag"] == before.headers["etag"]
            assert stale.headers["x-stale-since"] and stale.headers["warning"].startswith("110")
            refused = feed.get("/parking/v1/lots/lh-0001/history")
            assert refused.status_code == 503 and "retry-after" in refused.headers
            assert feed.get("/health").json()["database"] == "away"
            with running(database.settings) as fresh:
                assert fresh.get(LOT_STATUS).status_code == 503
        until(lambda: feed.application.site.database_lost_at is None)
        with connect(database.dsn("owner")) as again:
            publish(again, whole, minute + timedelta(minutes=1), seq=101)
        until(lambda: feed.shows(minute + timedelta(minutes=1)))


class Shut:
    """Nobody gets into the database, and who is in is thrown out."""

    def __init__(self, settings: Settings) -> None:
        self.name = sql.Identifier(settings.database.name)
        self.text = settings.database.name
        self.dsn = local_database.admin_dsn(settings, "postgres")

    def __enter__(self) -> None:
        self._run(sql.SQL("alter database {} with allow_connections false").format(self.name))
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (self.text,)
            )

    def __exit__(self, *_: object) -> None:
        self._run(sql.SQL("alter database {} with allow_connections true").format(self.name))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)


def test_deltas_name_what_changed(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute() - timedelta(minutes=3)
    rows = publish(owner, whole, minute, seq=100)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        later = minute + timedelta(minutes=1)
        moved = tuple(
            msgspec.structs.replace(row, minute=later, **({"trend": "stable"} if row.lot_id == "lh-0002" else {}))
            for row in rows
        )
        insert_minute(owner, minute_run(moved, content_seq=101), moved)
        until(lambda: feed.shows(later))
        data = feed.get(f"{LOT_STATUS}?since_seq=100").json()["data"]
        assert (data["is_full"], [lot["lot_id"] for lot in data["lots"]]) == (False, ["lh-0002"])
        assert feed.get(f"{LOT_STATUS}?since_seq=101").json()["data"]["lots"] == []
        unknown = feed.get(f"{LOT_STATUS}?since_seq=7").json()["data"]
        assert unknown["is_full"] and len(unknown["lots"]) == LOTS
        assert feed.get(f"{LOT_STATUS}?since_seq=minus").status_code == 400
    with running(database.settings) as restarted:  # it knows of the past what the database knows
        until(lambda: restarted.shows(later))
        data = restarted.get(f"{LOT_STATUS}?since_seq=100").json()["data"]
        assert (data["is_full"], [lot["lot_id"] for lot in data["lots"]]) == (False, ["lh-0002"])


def read_event(lines: Iterator[str]) -> dict[str, str]:
    """The next event with data; comments and the retry line are passed over."""
    found: dict[str, str] = {}
    for line in lines:
        if line == "" and "data" in found:
            return found
        name, _, value = line.partition(": ")
        if name:
            found[name] = value
    raise AssertionError("the stream ended")


def test_the_stream_gives_all_then_changes_and_resumes(
    database: Database, owner: Connection, whole: ParkingRegister
) -> None:
    minute = this_minute() - timedelta(minutes=3)
    publish(owner, whole, minute, seq=100)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        with httpx.stream("GET", f"{feed.url}/parking/v1/stream", timeout=20) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = response.iter_lines()
            first = read_event(lines)
            assert first["event"] == "snapshot" and len(json.loads(first["data"])["data"]["lots"]) == LOTS
            publish(owner, whole, minute + timedelta(minutes=1), seq=101, seed=2)
            second = read_event(lines)
            assert second["event"] == "delta" and second["id"].startswith("101/")
        until(lambda: not feed.application.stream.clients)
        resumed = {"last-event-id": first["id"]}
        with httpx.stream("GET", f"{feed.url}/parking/v1/stream", headers=resumed, timeout=20) as response:
            again = read_event(response.iter_lines())
        assert again["event"] == "delta" and json.loads(again["data"])["data"] == json.loads(second["data"])["data"]


def test_clients_of_the_stream_are_bounded(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        waiting = [socket.create_connection(("127.0.0.1", feed.port)) for _ in range(10)]
        for each in waiting:
            each.sendall(b"GET /parking/v1/stream HTTP/1.1\r\nHost: feed\r\n\r\n")
        until(lambda: len(feed.application.stream.clients) == 10)
        assert feed.get("/parking/v1/stream").status_code == 503
        for each in waiting:
            each.close()
        until(lambda: not feed.application.stream.clients)


def test_history_shows_corrections_as_known(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute() - timedelta(minutes=30)
    rows: tuple[LotMinute, ...] = ()
    for number in range(3):
        rows = publish(owner, whole, minute + timedelta(minutes=number), seq=100 + number)
    last = rows[0]
    assert last.observed_at is not None and last.available is not None and last.capacity is not None
    series = owner.execute(
        "insert into parking_series (source, ref, pool, first_seen) values ('op-a', 'P1', 'public', %s)"
        " returning series_id",
        (minute,),
    ).fetchone()
    assert series is not None
    corrected_at = last.minute + timedelta(minutes=10)
    owner.execute(
        "insert into parking_revision (series_id, at, received_at, kind, digest, observation, available)"
        " values (%s, %s, %s, 'correct', '\\x00', '{}', 3)",
        (series[0], last.observed_at, corrected_at),
    )
    owner.commit()
    with running(database.settings) as feed:
        until(lambda: feed.shows(last.minute))
        query: dict[str, str] = {"from": minute.isoformat(), "to": (minute + timedelta(minutes=3)).isoformat()}
        path = f"{feed.url}/parking/v1/lots/lh-0001/history"
        points = httpx.get(path, params=query).json()["points"]
        assert len(points) == 3
        assert (points[2]["available"], points[2]["published_available"]) == (3, last.available)
        assert points[2]["correction"] == "correct"
        early = httpx.get(path, params={**query, "as_of": (corrected_at - timedelta(seconds=1)).isoformat()})
        assert early.json()["points"][2]["available"] == last.available
        buckets = httpx.get(path, params={**query, "resolution": "1h"}).json()["buckets"]
        assert sum(bucket["minutes"] for bucket in buckets) == 3
        too_long = {"from": "2026-01-01T00:00Z", "to": "2026-11-01T00:00Z"}
        assert httpx.get(path, params=too_long).status_code == 400
        assert httpx.get(f"{feed.url}/parking/v1/lots/none/history").status_code == 404


def test_dumps_of_days_that_are_over(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    yesterday = minute - timedelta(days=1)
    rows = publish(owner, whole, yesterday, seq=1)
    publish(owner, whole, yesterday + timedelta(minutes=1), seq=2)
    publish(owner, whole, minute, seq=100)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        zone = feed.application.watch.publisher.zone
        days = {at.astimezone(zone).date() for at in (yesterday, yesterday + timedelta(minutes=1))}
        day = min(days).isoformat()
        count = LOTS * (2 if len(days) == 1 else 1)
        table = feed.get(f"/parking/v1/dumps/{day}.csv")
        frame = pd.read_csv(io.BytesIO(table.content))
        assert len(frame) == count and table.headers["content-type"].startswith("text/csv")
        packed = feed.get(f"/parking/v1/dumps/{day}.csv", accept_encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip" and packed.content == table.content
        parquet = feed.get(f"/parking/v1/dumps/{day}.parquet")
        found = pd.read_parquet(io.BytesIO(parquet.content))
        assert list(found.columns) == list(frame.columns) and len(found) == count
        zero = next(row.lot_id for row in rows if row.available == 0)
        assert found[found.lot_id == zero].available.iloc[0] == 0
        unknown = next(row.lot_id for row in rows if row.available is None)
        assert pd.isna(found[found.lot_id == unknown].available.iloc[0])
        again = feed.get(f"/parking/v1/dumps/{day}.parquet", if_none_match=parquet.headers["etag"])
        assert again.status_code == 304
        today = minute.astimezone(zone).date().isoformat()
        assert feed.get(f"/parking/v1/dumps/{today}.csv").status_code == 404
        assert feed.get("/parking/v1/dumps/nonsense.csv").status_code == 404


def test_usability_at_arrival(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        arrival = (minute + timedelta(minutes=2)).astimezone(feed.application.watch.publisher.zone)
        path = f"/parking/v1/lots/usable?eta={arrival.isoformat()}&stay=PT1H"
        lots = {lot["lot_id"]: lot for lot in feed.get(path).json()["data"]["lots"]}
        assert len(lots) == LOTS
        assert lots["lh-0004"]["usable"] is False and lots["lh-0006"]["usable"] is None
        assert feed.get("/parking/v1/lots/usable").status_code == 400
        assert feed.get("/parking/v1/lots/usable?eta=soon").status_code == 400


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
