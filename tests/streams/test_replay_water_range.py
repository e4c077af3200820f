"""`replay water --from --to`: a range of the database says again what the platform said, or what it would have said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sql.connect import Connection, connect
from sql.registers import load_water
from streams.replay_range import range_of
from streams.water.rehearsal import FileError
from tests.conftest import Database
from tests.processes import ROOT, settings_file
from tests.streams.logs import new_fences
from tests.streams.water.river import T0, register
from tests.streams.water.test_readings import TOPIC, ledger, log_of, storm

ZONE = ZoneInfo("Asia/Shanghai")
EVENTS = """select e.alert_id, e.revision, e.level, e.at, (e.detail ->> 'observed_at')::timestamptz
    from alert_event as e join alert as a using (alert_id)
    where a.kind = 'flood' and e.change <> 'ended' order by e.at, e.alert_id, e.revision"""
HIGHER = """station,element,level,on,off,confirm,hold_min,source
dm,level_m,yellow,1.50,1.40,1,30,draft
dm,level_m,red,5.00,4.90,1,30,draft
"""


@pytest.fixture
def observer(database: Database) -> Iterator[Connection]:
    """The flood of a day went through the worker's own fold and stands in the database, with its alerts."""
    new_fences(database.dsn("owner"), TOPIC)
    with connect(database.dsn("owner"), autocommit=True) as connection:
        load_water(connection, register())
        ledger(database).apply(log_of(storm()))
        yield connection


def ask(database: Database, folder: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "streams.replay", "water", *options]
    settings = database.settings
    environ = {**os.environ, **settings.environ, "CITYSENSE_SETTINGS": str(settings_file(settings, folder))}
    return subprocess.run(command, capture_output=True, cwd=ROOT, env=environ, timeout=120, check=False)


def rises(asked: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    assert asked.returncode == 0, asked.stderr.decode()
    return [json.loads(line) for line in asked.stdout.splitlines()]


def said_then(connection: Connection) -> list[tuple[str, int, int, datetime, datetime]]:
    """Every rise of level that the platform told: the alert, its revision, its level, when, and of when."""
    level: dict[str, int] = {}
    found = []
    for alert_id, revision, now, at, observed_at in connection.execute(EVENTS):
        if now > level.get(str(alert_id), 0):
            found.append((str(alert_id), revision, now, at, observed_at))
        level[str(alert_id)] = now
    return found


def highest_of(lines: list[dict[str, Any]]) -> list[tuple[str, int, int, datetime, datetime]]:
    """The same of a replay, where a rise over several levels is a line for each."""
    order = ["", "blue", "yellow", "orange", "red"]
    found: dict[tuple[str, int], tuple[str, int, int, datetime, datetime]] = {}
    for line in sorted(lines, key=lambda each: order.index(each["level"])):
        at, observed_at = (datetime.fromisoformat(line[name]) for name in ("raised_at", "observed_at"))
        key = (line["alert_id"], line["revision"])
        found[key] = (*key, order.index(line["level"]), at, observed_at)
    return sorted(found.values(), key=lambda each: (each[3], each[0], each[1]))


def hours(count: float) -> str:
    return (T0 + timedelta(hours=count)).isoformat()


@pytest.mark.stack
def test_the_same_thresholds_give_the_alerts_that_were_told(
    database: Database, observer: Connection, tmp_path: Path
) -> None:
    asked = ask(database, tmp_path, "--from", hours(0), "--to", hours(48), "--json")
    told = said_then(observer)
    assert len(told) > 4
    assert highest_of(rises(asked)) == told
    ended = {str(row[0]): row[1] for row in observer.execute("select alert_id, ended_at from alert")}
    for line in rises(asked):
        assert datetime.fromisoformat(line["ended_at"]) == ended[line["alert_id"]]
    assert b"warm-up: 2.0 days before --from" in asked.stderr
    assert b"dm flood red (on 2.5" in asked.stderr


@pytest.mark.stack
def test_a_range_that_begins_in_the_middle_of_an_alert_knows_it(
    database: Database, observer: Connection, tmp_path: Path
) -> None:
    told = said_then(observer)
    middle = told[1][3] + timedelta(seconds=1)
    asked = ask(database, tmp_path, "--from", middle.isoformat(), "--to", hours(48), "--json")
    assert highest_of(rises(asked)) == [each for each in told if each[3] >= middle]
    assert b"an alert stood at --from" in asked.stderr


@pytest.mark.stack
def test_other_thresholds_are_rehearsed_and_nothing_is_written(
    database: Database, observer: Connection, tmp_path: Path
) -> None:
    before = observer.execute("select count(*), max(at) from alert_event").fetchall()
    draft = tmp_path / "draft.csv"
    draft.write_text(HIGHER, encoding="utf-8")
    asked = ask(database, tmp_path, "--from", "2026-06-01", "--to", "2026-06-03", "--thresholds", str(draft))
    assert asked.returncode == 0, asked.stderr
    out = asked.stdout.decode()
    assert "2026-06-01 00:00 to 2026-06-03 00:00 (Asia/Shanghai)" in out
    assert "dm flood yellow (on 1.5, draft): 2 alerts, 0 flapped" in out
    assert "dm flood red (on 5, draft): 0 alerts, 0 flapped" in out
    assert b"--from 2026-06-01 names no zone: taken as 2026-06-01T00:00:00+08:00" in asked.stderr
    assert observer.execute("select count(*), max(at) from alert_event").fetchall() == before


@pytest.mark.stack
def test_a_register_of_files_replaces_that_of_the_database(
    database: Database, observer: Connection, tmp_path: Path
) -> None:
    files = tmp_path / "registers"
    files.mkdir()
    (files / "stations.csv").write_text(
        "station_id,source,station,name_zh,name_en,kind,lat,lon,range_high,rate_limit_per_min\n"
        "gate,s,dm,闸,Gate,river,22.55,114.12,8,0.2\n", encoding="utf-8",
    )  # fmt: skip
    (files / "thresholds.csv").write_text(
        "station_id,hazard,element,level,on,off,source\ngate,flood,level_m,orange,2,1.9,plan\n", encoding="utf-8"
    )
    asked = ask(
        database, tmp_path, "--from", hours(0), "--to", hours(48), "--registers", str(files), "--json"
    )  # fmt: skip
    assert {(line["station"], line["level"]) for line in rises(asked)} == {("gate", "orange")}


@pytest.mark.stack
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--from", "2026-06-02", "--to", "2026-06-01"), b"is not after --from"),
        (("--from", "last June", "--to", "2026-06-01"), b"write it as 2026-06-01"),
        (("--from", "2026-06-01"), b"needs --from and --to"),
        (("river.csv", "--from", "2026-06-01", "--to", "2026-06-02"), b"not both"),
        (("--from", "2026-06-01", "--to", "2026-06-03", "--at-most", "10"), b"more than 10 readings"),
    ],
)
def test_what_cannot_be_asked_says_what_to_mend(
    database: Database, observer: Connection, tmp_path: Path, options: tuple[str, ...], says: bytes
) -> None:
    asked = ask(database, tmp_path, *options)
    assert asked.returncode == 2
    assert says in asked.stderr and asked.stdout == b""


def test_a_time_without_a_zone_is_the_districts_and_is_said_so() -> None:
    said: list[str] = []
    asked = range_of("2026-06-01", "2026-07-01T00:00Z", ZONE, said.append)
    assert asked.since == datetime(2026, 6, 1, tzinfo=ZONE)
    (line,) = said
    assert "2026-06-01T00:00:00+08:00" in line
    with pytest.raises(FileError, match="--to"):
        range_of("2026-06-01", "soon", ZONE, said.append)
