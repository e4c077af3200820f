"""The feed on a real socket over the real database: publishing, replicas, restarts, a database that goes away."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

import brotli
import httpx
import msgspec
import psycopg
import pytest
from psycopg import sql

from dashboards.feed.asked import snapshot_name
from dashboards.feed.files import ALL, LOT_STATUS
from deploy.local import database as local_database
from schemas.registers import ParkingRegister
from schemas.settings import Settings
from sql.connect import Connection, connect
from tests.conftest import Database
from tests.dashboards.feed.servers import Running, running, this_minute, until
from tests.dashboards.feed.tables import publish

pytestmark = pytest.mark.stack


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


def test_a_revision_of_the_newest_minute_is_served_and_its_snapshot_stays(
    database: Database, owner: Connection, whole: ParkingRegister
) -> None:
    minute = this_minute()
    publish(owner, whole, minute, seq=100)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        first = feed.get(LOT_STATUS)
        publish(owner, whole, minute, seq=101, seed=2, revision=2, after_s=20)
        until(lambda: feed.shows(minute, 2))
        second = feed.get(LOT_STATUS, if_none_match=first.headers["etag"])
        assert second.status_code == 200 and second.json()["content_seq"] == 101
        assert second.json()["last_updated"] == first.json()["last_updated"]
        assert second.headers["last-modified"] != first.headers["last-modified"]
        assert feed.get(f"/parking/v1/snapshots/{name_of(feed, minute)}").content == first.content


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
