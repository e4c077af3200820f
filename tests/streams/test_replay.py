"""`python -m streams replay`: recorded rows through the same minutes as in the city, without Kafka and database."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.minute import LotMinute
from schemas.parking import Kind, Observation
from schemas.registers import ParkingRegister, ShareWindowChange
from schemas.settings import District, Parking, Settings
from sql.connect import Connection, connect
from sql.registers import read_database
from streams.parking import minute_store
from streams.parking.availability import clamp
from streams.parking.latest import latest_of
from streams.parking.playback import Said, minutes, with_changes
from streams.parking.replay import replay
from streams.parking.replay_store import load_rows
from streams.replay import UsageError, read_lines
from streams.sweep_minutes import Minutes
from tests.conftest import Database
from tests.processes import ROOT, running, settings_file
from tests.streams.city import SOURCE, apply, found, health, readings, report

T0 = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
KINDS: tuple[Kind, ...] = ("observe", "observe", "correct", "void")
PAYLOADS = ROOT / "tests/payloads"


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def ask(lines: bytes, *options: str, settings: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "streams.replay", "parking", *options]
    return subprocess.run(command, input=lines, capture_output=True, cwd=ROOT, timeout=120, check=False)


def as_lines(rows: list[Any]) -> bytes:
    return b"".join(b'{"row":' + msgspec.json.encode(row) + b"}\n" for row in rows)


def lots_of(out: bytes) -> dict[str, dict[str, Any]]:
    return {lot["lot_id"]: lot for lot in map(json.loads, out.splitlines())}


def test_rows_become_what_the_feed_would_say() -> None:
    asked = ask(as_lines(readings(T0, 5, lots=[0, 3])), "--json")
    assert asked.returncode == 0, asked.stderr
    lots = lots_of(asked.stdout)
    assert {lot_id: (lot["status"], lot["available"], lot["capacity"]) for lot_id, lot in lots.items()} == {
        f"{SOURCE}/r0": ("open", 39, 50),
        f"{SOURCE}/r3": ("open", 36, 50),
    }
    assert lots[f"{SOURCE}/r0"]["observed_at"] == "2026-11-24T10:03:40+08:00"
    assert "state" not in lots[f"{SOURCE}/r0"]


def test_a_later_time_sees_older_counts_and_an_earlier_one_not_the_future() -> None:
    lines = as_lines(readings(T0, 5, lots=[0]))
    later = lots_of(ask(lines, "--json", "--at", "2026-11-24T10:30:00+08:00").stdout)
    assert (later[f"{SOURCE}/r0"]["status"], later[f"{SOURCE}/r0"]["available"]) == ("unknown", None)
    assert later[f"{SOURCE}/r0"]["last_known"]["available"] == 39
    earlier = lots_of(ask(lines, "--json", "--at", "2026-11-24T10:00:00+08:00").stdout)
    assert earlier[f"{SOURCE}/r0"]["available"] == 40


def test_a_table_for_people() -> None:
    asked = ask(as_lines(readings(T0, 1, lots=[0])))
    assert b"open" in asked.stdout
    assert b"1 lots: 1 open" in asked.stderr


@pytest.mark.parametrize(
    ("lines", "options", "says"),
    [
        (b"", (), b"no observations"),
        (b'{"row": {"source": "x"}}\n', (), b"line 1"),
        (b"not json\n", (), b"line 1"),
        (as_lines(readings(T0, 1)), ("--at", "yesterday"), b"--at"),
        (as_lines(readings(T0, 1)), ("--at", "2026-11-24T10:00:00"), b"say the zone"),
        (as_lines(readings(T0, 1)), ("--registers", "/nowhere"), b"no such directory"),
    ],
)
def test_what_cannot_be_done_says_what_to_mend(lines: bytes, options: tuple[str, ...], says: bytes) -> None:
    asked = ask(lines, *options)
    assert asked.returncode == 2
    assert says in asked.stderr


def test_decode_pipes_into_replay() -> None:
    payload = PAYLOADS / "hdb/normal/payload.json"
    decode = [sys.executable, "-m", "connectors", "decode", "hdb", str(payload)]
    decoded = subprocess.run(decode, capture_output=True, cwd=ROOT, timeout=60, check=True).stdout
    assert lots_of(ask(decoded, "--json").stdout)


def test_rejects_are_passed_over_and_bare_rows_are_rows() -> None:
    (row,) = readings(T0, 1, lots=[0])
    heard = read_lines([b'{"reject":{"reason":"x"}}', msgspec.json.encode(row), b"", as_lines([row]).strip()])
    assert (heard.rows, heard.rejects) == ([row, row], 1)
    with pytest.raises(UsageError, match="line 2"):
        read_lines([msgspec.json.encode(row), b"{"])


def test_share_windows_that_came_by_message_are_in_the_register() -> None:
    first = ShareWindowChange(
        source="njytb",
        ref="p1",
        window_id="w1",
        spaces=20,
        start="18:00",
        end="08:00",
        valid_from=T0,
        received_at=T0,
    )
    second = msgspec.structs.replace(first, spaces=10, received_at=at(1))
    lines = as_lines([first, *readings(T0, 1, lots=[0]), second])
    heard = read_lines(lines.splitlines())
    register = with_changes(ParkingRegister(), heard.changes)
    assert [(window.version, window.spaces) for window in register.share_windows] == [(1, 20), (2, 10)]


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_row_by_row_says_the_same_as_all_at_once(dice: random.Random, number: int) -> None:
    rows = [some_row(dice) for _ in range(number)]
    limits = Parking()
    said = Said()
    for place, row in enumerate(rows, 1):
        said.add(row, clamp(row, None, limits))
        assert said.newest() == latest_of([(one, clamp(one, None, limits)) for one in rows[:place]])


def some_row(dice: random.Random) -> Observation:
    observed_at, received_at = at(dice.randrange(5)), at(dice.randrange(5, 10))
    kind: Kind = dice.choice(KINDS)
    if kind == "observe":
        free = dice.randrange(10)
        return Observation(
            source="s", ref="r", free=free, capacity=50, observed_at=observed_at, received_at=received_at
        )
    free_or_none = dice.randrange(10) if kind == "correct" else None
    return Observation(
        source="s", ref="r", kind=kind, supersedes=observed_at, free=free_or_none, capacity=50, received_at=received_at
    )


def test_the_chain_ends_in_the_minute_that_replay_alone_computes() -> None:
    rows = readings(T0, 1)
    (only,) = minutes(rows, ParkingRegister(), T0, T0, Parking(), District())
    assert only == replay(rows, ParkingRegister(), T0, Parking(), District())


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("owner")) as owner:
        found(owner)
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


@pytest.mark.stack
def test_the_replay_says_what_the_sweeps_published(streams: Connection) -> None:
    """Gaps, corrections and voids; every lot of every minute is the same, with what it hands to the next one."""
    dice = random.Random(3)
    rows = [row for row in readings(T0, 40) if dice.random() > 0.2]
    about = [row for row in rows if dice.random() < 0.05]
    for row in about:
        kind: Kind = dice.choice(KINDS[2:])
        rows.append(
            Observation(
                source=row.source,
                ref=row.ref,
                kind=kind,
                supersedes=row.observed_at,
                free=dice.randrange(50) if kind == "correct" else None,
                capacity=50,
                received_at=row.received_at + timedelta(seconds=70),
            )
        )
    apply(streams, sorted(rows, key=lambda row: row.received_at), at(39.02))
    report(streams, health(T0, 40), at(39.02))
    sweep = Minutes(Settings())
    while sweep.compute_next(streams, at(39.1)) is not None:
        pass
    with streams.transaction():
        stored = load_rows(streams, T0 - timedelta(hours=1), at(39))
        register = read_database(streams)
    assert len(stored) == len([row for row in rows if row.received_at <= at(39)])
    played = list(minutes(stored, register, T0, at(39), Parking(), District()))
    for result in played:
        with streams.transaction():
            written = minute_store.run_at(streams, result.lots[0].minute)
            published = minute_store.load_lots(streams, written)
        assert as_stored(result.lots) == as_stored(published), result.lots[0].minute


def as_stored(lots: tuple[LotMinute, ...]) -> list[LotMinute]:
    return [msgspec.json.decode(msgspec.json.encode(lot), type=LotMinute) for lot in lots]


@pytest.mark.stack
def test_a_range_of_the_database_is_replayed(streams: Connection, database: Database, tmp_path: Path) -> None:
    apply(streams, readings(T0, 10), at(9.02))
    file = settings_file(database.settings, tmp_path)
    log = tmp_path / "out.log"
    options = ("--from", at(0).isoformat(), "--to", at(9).isoformat(), "--json")
    with running(database.settings, file, "streams.replay", "parking", *options, log=log) as process:
        assert process.wait(60) == 0, log.read_text()
    lots = lots_of(log.read_bytes())
    assert sorted(lots) == [f"lh-{number}" for number in range(6)]
    assert lots["lh-0"]["available"] == 37
