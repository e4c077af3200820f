"""From a socket to the log: what is accepted is in Kafka or on the disk, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from connectors.parking import ymzh
from connectors.routes import plug
from connectors.run import run
from connectors.spool import Allowance, Spool
from schemas import settings as tables
from schemas.parking import Observation
from schemas.settings import Settings, Source
from schemas.source import Health, Reject
from schemas.topics import PARKING_OBSERVATIONS, REJECTS, SOURCES_HEALTH
from tests.conftest import Database
from tests.connectors import log
from tests.connectors.clocks import until
from tests.connectors.servers import Asked, Feed

SECRET = "shared"


def hdb(parks: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"items": [{"timestamp": "2026-11-24T12:00:00+08:00", "carpark_data": parks}]})


def park(number: str, free: str = "7", **fields: Any) -> dict[str, Any]:
    info = {"total_lots": "100", "lot_type": "C", "lots_available": free, **fields}
    return {"carpark_number": number, "update_datetime": "2026-11-24T12:00:00", "carpark_info": [info]}


def polled(feed: Feed, **fields: Any) -> Source:
    table = {
        "name": "singapore",
        "decoder": "hdb",
        "transport": "http_poll",
        "url": feed.url,
        "time_zone": "Asia/Singapore",
        "allow_private_address": True,
        "cadence_s": 0.5,
    }
    return msgspec.convert({**table, **fields}, Source)


PUSHED = msgspec.convert({"name": "garages", "decoder": "ymzh", "transport": "http_push", "secret": "ymzh"}, Source)


def message(free: Any, **more: Any) -> bytes:
    stamp = str(time.time_ns() // 1_000_000)
    data = {"TotalSpaces": 100, "RemainingSpaces": free, **more}
    body = {"ParkKey": "p-1", "TimeStamp": stamp, "Nonce": str(free), "Sign": "", "Data": data}
    return msgspec.json.encode({**body, "Sign": ymzh.sign(msgspec.json.encode(body), SECRET)})


def running(settings: Settings, spool: Path, work: Callable[[], Awaitable[None]], *sources: Source) -> None:
    """A connector with these sources while `work` is done; stopped in order afterwards."""

    async def all_of_it() -> None:
        stop = asyncio.Event()
        routes = plug(msgspec.structs.replace(settings, sources=sources), [], lambda name: SECRET)
        connector = asyncio.create_task(run(settings, routes, spool, stop))
        working = asyncio.ensure_future(work())
        async with asyncio.timeout(60):
            await asyncio.wait({connector, working}, return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            await connector
            await working

    asyncio.run(all_of_it())


@pytest.mark.stack
def test_a_minute_goes_through_with_its_rejects_and_its_health(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    long = "x" * 40_000
    parks = [park("A1"), park("A2", "0"), park("A3", "seven"), park("A4", long)]

    async def work() -> None:
        await until(lambda: len(log.rows(kafka, REJECTS)) >= 2 and bool(log.rows(kafka, SOURCES_HEALTH)))

    with Feed(lambda asked: asked.answer(hdb(parks))).serving() as feed:
        running(database.settings, tmp_path, work, polled(feed, cadence_s=60.0))
    observations: list[Observation] = log.rows(kafka, PARKING_OBSERVATIONS)
    assert sorted((row.ref, row.free) for row in observations) == [("A1", 7), ("A2", 0)]
    rejects: list[Reject] = log.rows(kafka, REJECTS)
    assert [reject.reason for reject in rejects] == ["bad_number", "bad_number"]
    short, cut = sorted(rejects, key=lambda reject: len(reject.raw))
    assert short.raw_sha256 is None
    with psycopg.connect(database.dsn("connectors")) as connection:
        stored = connection.execute(
            "select source, body from raw_payload where sha256 = %s", (cut.raw_sha256,)
        ).fetchall()
    assert [(source, zlib.decompress(body)) for source, body in stored] == [("singapore", hdb(parks))]
    health: list[Health] = log.rows(kafka, SOURCES_HEALTH)
    assert sum(report.rows for report in health) == 2
    assert sum(report.rejects for report in health) == 2
    assert health[-1].last_success_at is not None
    assert health[-1].newest_observed_at == datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    for topic in (PARKING_OBSERVATIONS, REJECTS, SOURCES_HEALTH):
        for records in log.batches(kafka, topic).values():
            assert "tick.v1" in {record.schema for record in records}


@pytest.mark.stack
def test_without_a_database_a_long_reject_goes_on_with_its_beginning_and_says_so(
    kafka: Settings, tmp_path: Path
) -> None:
    nowhere = msgspec.structs.replace(kafka, database=tables.Database(name="no_such_database"))

    async def work() -> None:
        await until(lambda: bool(log.rows(kafka, REJECTS)))

    with Feed(lambda asked: asked.answer(hdb([park("A1"), park("A4", "x" * 40_000)]))).serving() as feed:
        running(nowhere, tmp_path, work, polled(feed, cadence_s=60.0))
    (reject,) = log.rows(kafka, REJECTS)
    assert reject.raw_sha256 is None
    assert "only the beginning of the payload is kept" in reject.detail
    assert [row.ref for row in log.rows(kafka, PARKING_OBSERVATIONS)] == ["A1"]


@pytest.mark.stack
def test_a_push_is_answered_when_it_is_in_kafka(kafka: Settings, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{kafka.ports.push}/push/garages"

    async def work() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            answers = [await _post(client, url, message(free)) for free in (3, "many")]
            assert [answer.json()["code"] for answer in answers] == [200, 200]
            assert {row.free for row in log.rows(kafka, PARKING_OBSERVATIONS)} == {3}
            assert [reject.reason for reject in log.rows(kafka, REJECTS)] == ["bad_number"]
            assert (await _post(client, url, b'{"plate": "\xe7\xb2\xa4B12345"}')).status_code == 401
            await until(lambda: len(log.rows(kafka, REJECTS)) == 2)
            assert "B12345" not in str(log.rows(kafka, REJECTS))

    running(kafka, tmp_path, work, PUSHED)


@pytest.mark.stack
def test_pushes_side_by_side_do_not_wait_for_each_other(kafka: Settings, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{kafka.ports.push}/push/garages"

    async def work() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            await _post(client, url, message(0))
            bodies = [message(free) for free in range(1, 51)]
            before = time.monotonic()
            answers = await asyncio.gather(*(client.post(url, content=body) for body in bodies))
            assert {answer.status_code for answer in answers} == {200}
            assert time.monotonic() - before < 5  # one after the other it would be 5 s of linger alone
            await until(lambda: {row.free for row in log.rows(kafka, PARKING_OBSERVATIONS)} == set(range(51)))

    running(kafka, tmp_path, work, PUSHED)


LONELY = Settings(
    stack=tables.Stack(ports=tables.Ports(push=28090, connectors_metrics=28122)),
    kafka=tables.Kafka(bootstrap="127.0.0.1:1"),
    database=tables.Database(host="127.0.0.1", port=1),
    connectors=tables.Connectors(push_confirm_timeout_s=1.0, stop_timeout_s=2.0),
    publisher=tables.Publisher(tick_s=0.5),
)


def test_without_kafka_a_push_is_503_in_seconds_and_later_at_once(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{LONELY.ports.push}/push/garages"

    async def work() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            before = time.monotonic()
            answer = await _post(client, url, message(3))
            assert answer.status_code == 503
            assert answer.json()["code"] == 500
            assert time.monotonic() - before < 4

            while (await client.get(f"http://127.0.0.1:{LONELY.ports.push}/health")).status_code != 503:
                pass
            before = time.monotonic()
            assert (await _post(client, url, message(4))).status_code == 503
            assert time.monotonic() - before < 1

    before = time.monotonic()
    running(LONELY, tmp_path, work, PUSHED)
    assert time.monotonic() - before < 30


def test_without_kafka_minutes_go_to_the_spool_until_it_is_full(tmp_path: Path) -> None:
    free = iter(range(10_000))
    limited = msgspec.structs.replace(
        LONELY, connectors=msgspec.structs.replace(LONELY.connectors, spool_limit_bytes=1_500)
    )

    def waiting() -> int:
        return sum(path.stat().st_size for path in tmp_path.glob("singapore/*.seg"))

    async def work() -> None:
        await until(lambda: waiting() > 1_200, 40)
        asked = len(feed.asked)
        await until(lambda: len(feed.asked) > asked + 2)

    with Feed(lambda asked: asked.answer(hdb([park("A1", str(next(free)))]))).serving() as feed:
        running(limited, tmp_path, work, polled(feed))
    spool = Spool(tmp_path, "singapore", Allowance(10**9))
    found: list[int | None] = []
    while not spool.is_empty:
        found += [row.free for row in spool.first() if isinstance(row, Observation)]
        spool.published()
    assert found == list(range(len(found)))  # the oldest, without a gap
    assert len(found) >= 3


async def _post(client: httpx.AsyncClient, url: str, body: bytes) -> httpx.Response:
    deadline = time.monotonic() + 20
    while True:
        try:
            return await client.post(url, content=body)
        except httpx.ConnectError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


TABLE = """
[stack.ports]
push = 28091
connectors_metrics = 28123
[kafka]
bootstrap = "{bootstrap}"
[database]
host = "127.0.0.1"
port = 1
[connectors]
spool_dir = "{spool}"
stop_timeout_s = 5.0
[publisher]
tick_s = 1.0
[[source]]
name = "singapore"
decoder = "hdb"
transport = "http_poll"
url = "{url}"
time_zone = "Asia/Singapore"
allow_private_address = true
cadence_s = 0.5
"""


@contextlib.contextmanager
def connector(folder: Path, bootstrap: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`connectors run` as a process of its own."""
    file = folder / "citysense.toml"
    file.write_text(TABLE.format(bootstrap=bootstrap, spool=folder / "spool", url=url))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CITYSENSE_")}
    environ["CITYSENSE_SETTINGS"] = str(file)
    with (folder / "log").open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "connectors", "run"], env=environ, stderr=output)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.mark.stack
def test_a_kill_between_the_spool_and_kafka_loses_nothing_and_keeps_the_order(kafka: Settings, tmp_path: Path) -> None:
    served: list[int] = []

    def answer(asked: Asked) -> None:
        served.append(len(served))
        asked.answer(hdb([park("A1", str(served[-1]))]))

    def spooled() -> int:
        return sum(path.stat().st_size for path in tmp_path.glob("spool/singapore/*.seg"))

    def in_kafka() -> list[int]:
        return [row.free for row in log.rows(kafka, PARKING_OBSERVATIONS)]

    def soon(condition: Callable[[], bool]) -> None:
        asyncio.run(until(condition, 40))

    with Feed(answer).serving() as feed:
        with connector(tmp_path, "127.0.0.1:1", feed.url) as process:
            soon(lambda: len(served) >= 8 and spooled() > 0)
            process.send_signal(signal.SIGKILL)
        accepted = served[-2]  # the last one may not be on the disk yet: it was not accepted
        with connector(tmp_path, kafka.bootstrap, feed.url) as process:
            soon(lambda: bool(in_kafka()))
            process.send_signal(signal.SIGKILL)  # in the middle of the spool, or just behind it
        with connector(tmp_path, kafka.bootstrap, feed.url) as process:
            restarted = len(served)
            soon(lambda: spooled() == 0 and bool(in_kafka()) and in_kafka()[-1] > restarted)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    found = in_kafka()
    assert set(range(accepted + 1)) <= set(found)
    times = [row.received_at for row in log.rows(kafka, PARKING_OBSERVATIONS)]
    for sooner, later in zip(range(len(found)), range(1, len(found)), strict=False):
        repeated = found[later] in found[:later]
        assert repeated or (found[sooner] < found[later] and times[sooner] <= times[later])
    _clock_never_passes_rows(kafka)


def _clock_never_passes_rows(settings: Settings) -> None:
    """No row for the first time in the log stands behind a tick that is later than it."""
    for records in log.batches(settings, PARKING_OBSERVATIONS).values():
        clock = datetime(2015, 1, 1, tzinfo=UTC)
        seen: set[bytes] = set()
        for record in records:
            for row in record.rows:
                if record.schema == "tick.v1":
                    clock = max(clock, row.received_at)
                elif (name := msgspec.json.encode(row)) not in seen:
                    seen.add(name)
                    assert row.received_at >= clock
