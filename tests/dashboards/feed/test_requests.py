"""What is asked beyond the prepared files: deltas, the stream, histories, dumps, arrivals; over a real socket."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from datetime import timedelta

import httpx
import msgspec
import pandas as pd
import pytest

from dashboards.feed.edition import Edition
from dashboards.feed.files import LOT_STATUS
from dashboards.feed.site import Site
from dashboards.feed.stream import Stream
from schemas.minute import LotMinute
from schemas.registers import ParkingRegister
from schemas.settings import Settings
from sql.connect import Connection
from tests.conftest import Database
from tests.dashboards.feed.conftest import LOTS
from tests.dashboards.feed.minutes import MINUTE, minute_run, register, snapshot
from tests.dashboards.feed.servers import running, this_minute, until
from tests.dashboards.feed.tables import insert_minute, publish

pytestmark = pytest.mark.stack


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


def test_a_client_that_takes_nothing_is_dropped_and_the_others_stay() -> None:
    site = Site(Settings(), {})
    stream = Stream(site.recent)
    site.listeners.append(stream.publish)
    deaf, good = stream.join("10.0.0.1"), stream.join("10.0.0.2")
    for number in range(8):
        found = snapshot(3, MINUTE + timedelta(minutes=number), seed=number, content_seq=number)
        site.publish(Edition(snapshot=found, register=register(3), files={}))
        if number:
            good.queue.get_nowait()
    assert stream.clients == {good} and stream.dropped == 1
    assert deaf.queue.get_nowait() is None


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
