"""The sweeps as a process: one owner, another takes over, the database may go, and what cannot be stored is said."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sql.connect import Connection, connect
from streams.sweeps import LOCK
from tests.conftest import Database
from tests.processes import eventually, running, settings_file, stop
from tests.streams.city import apply, found, health, now_floor, readings, report, runs

pytestmark = pytest.mark.stack


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("owner")) as owner:
        found(owner)
    with connect(database.dsn("streams"), autocommit=True) as connection:
        yield connection


OWNERS = (
    "select pid from pg_locks where locktype = 'advisory' and granted and classid = %s"
    " and database = (select oid from pg_database where datname = current_database())"
)


def owners(connection: Connection) -> list[int]:
    return [pid for (pid,) in connection.execute(OWNERS, (LOCK[0],)).fetchall()]


def newest(connection: Connection) -> datetime | None:
    (found_newest,) = connection.execute("select max(minute) from parking_minute_run").fetchall()[0]
    assert found_newest is None or isinstance(found_newest, datetime)
    return found_newest


def log_until(connection: Connection, start: datetime, minute: int) -> None:
    """Ten minutes of log from `start` on, of which the clocks have passed `minute`."""
    until = start + timedelta(minutes=minute, seconds=1)
    apply(connection, [row for row in readings(start, 11) if row.received_at <= until], until)
    report(connection, [one for one in health(start, 11) if one.received_at <= until], until)


def each_once_in_order(connection: Connection) -> bool:
    minutes = [row[0] for row in runs(connection) if row[1] == 1]
    return minutes == [minutes[0] + timedelta(minutes=n) for n in range(len(minutes))]


def test_one_owner_and_the_second_takes_over_when_it_is_killed(
    streams: Connection, database: Database, tmp_path: Path
) -> None:
    start = now_floor() - timedelta(minutes=10)
    log_until(streams, start, 5)
    file = settings_file(database.settings, tmp_path)
    one_log, two_log = tmp_path / "one.log", tmp_path / "two.log"
    with (
        running(database.settings, file, "streams", "sweeps", log=one_log) as one,
        running(database.settings, file, "streams", "sweeps", log=two_log) as two,
    ):
        eventually(lambda: (newest(streams) or start) >= start + timedelta(minutes=5), "the owner computes")
        assert len(owners(streams)) == 1
        first, second = (one, two_log) if "owner of" in one_log.read_text() else (two, one_log)
        assert "owner of" not in second.read_text()
        first.send_signal(signal.SIGKILL)
        first.wait()
        eventually(lambda: "owner of" in second.read_text(), "the other takes over", 15)
        log_until(streams, start, 9)
        eventually(lambda: (newest(streams) or start) >= start + timedelta(minutes=9), "the minutes go on")
        survivor = two if first is one else one
        assert stop(survivor) == 0, "SIGTERM is obeyed"
    assert each_once_in_order(streams)


def test_an_owner_that_loses_the_database_comes_back(streams: Connection, database: Database, tmp_path: Path) -> None:
    start = now_floor() - timedelta(minutes=10)
    log_until(streams, start, 5)
    file = settings_file(database.settings, tmp_path)
    with running(database.settings, file, "streams", "sweeps") as process:
        eventually(lambda: (newest(streams) or start) >= start + timedelta(minutes=5), "the owner computes")
        (pid,) = owners(streams)
        streams.execute("select pg_terminate_backend(%s)", (pid,))
        log_until(streams, start, 9)
        eventually(lambda: (newest(streams) or start) >= start + timedelta(minutes=9), "it goes on")
        assert process.poll() is None
        assert owners(streams) != [pid]
    assert each_once_in_order(streams)


def test_a_minute_that_cannot_be_stored_is_an_incident_and_stops_the_sweeps(
    streams: Connection, database: Database, tmp_path: Path
) -> None:
    start = now_floor() - timedelta(minutes=10)
    log_until(streams, start, 5)
    file = settings_file(database.settings, tmp_path)
    with connect(database.dsn("owner"), autocommit=True) as owner:
        owner.execute("alter table parking_minute add constraint broken check (lot_id <> 'lh-3')")
        for _ in range(2):  # supervision starts it again
            with running(database.settings, file, "streams", "sweeps") as process:
                assert process.wait(60) != 0
        open_ones = "select topic, detail from stream_incident where kind = 'stopped' and closed_at is null"
        ((topic, detail),) = streams.execute(open_ones).fetchall()
        assert topic == "sweeps" and "broken" in detail
        owner.execute("alter table parking_minute drop constraint broken")
    with running(database.settings, file, "streams", "sweeps"):
        eventually(lambda: (newest(streams) or start) >= start + timedelta(minutes=5), "it goes on")
        eventually(lambda: not streams.execute(open_ones).fetchall(), "the incident is closed")
    assert each_once_in_order(streams)
