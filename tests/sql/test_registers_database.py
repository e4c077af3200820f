"""Does the register of the real database read back as it was loaded, in versions, and wait where people decide?"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

from demo import registers
from schemas.registers import ParkingRegister
from schemas.settings import Parking
from sql.connect import Connection, connect
from sql.registers import load, read_database, read_register
from sql.registers.database import QUERIES, read_holds
from sql.registers.load import Loaded, decide, unregistered
from sql.registers.tables import TABLES
from tests.conftest import Database
from tests.sql.test_registers import AT, BOX, FILES, LATER, edited, encoded

pytestmark = pytest.mark.stack

LIMITS = Parking()


_EMPTY = """
truncate subdistrict, operator, source_terms, lot, lot_source, pool, price, share_window, calendar_day, capacity_hold,
    parking_series cascade;
update register_version set version = 0 where register = 'parking';
"""


@pytest.fixture
def database(module_database: Database) -> Database:
    """An empty register; a database of its own for each test would cost two seconds each."""
    with connect(module_database.dsn("owner"), autocommit=True) as connection:
        connection.execute(_EMPTY)
    return module_database


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("owner"), autocommit=True) as connection:
        yield connection


def loaded(connection: Connection, files: dict[str, bytes], at: datetime, *, dry_run: bool = False) -> Loaded:
    register, problems = read_register(files, at=at, box=BOX, known=read_database(connection))
    assert problems == []
    return load(connection, register, at=at, limits=LIMITS, dry_run=dry_run)


def capacities(connection: Connection, lot_id: str = "lh-1") -> list[tuple[int, int | None]]:
    pools = [p for p in read_database(connection).pools if (p.lot_id, p.pool) == (lot_id, "public")]
    return [(pool.version, pool.capacity) for pool in pools]


def test_the_district_is_read_back_as_it_was_loaded(owner: Connection) -> None:
    given, _ = read_register(registers.files(), at=AT, box=BOX)
    assert loaded(owner, registers.files(), AT).version == 1
    kept = read_database(owner)
    assert kept.version == 1
    for table in TABLES:
        assert sorted(table.rows(kept), key=table.key_of) == sorted(table.rows(given), key=table.key_of)
    assert loaded(owner, registers.files(), LATER).version is None
    assert read_database(owner) == kept


def test_a_worker_reads_the_register_with_its_own_role(owner: Connection, database: Database) -> None:
    loaded(owner, encoded(FILES), AT)
    for role in ("streams", "feed"):
        with connect(database.dsn(role)) as connection:
            assert read_database(connection) == read_database(owner)


def test_a_change_adds_a_version_and_closes_the_old_one(owner: Connection) -> None:
    loaded(owner, encoded(FILES), AT)
    before = read_database(owner)
    assert loaded(owner, encoded(edited("lots.csv", "嘉宾停车场", "嘉宾路停车场")), LATER).version == 2
    after = read_database(owner)
    old, new = (lot for lot in after.lots if lot.lot_id == "lh-1")
    assert old == msgspec.structs.replace(before.lots[0], valid_to=LATER)
    assert (new.version, new.name_zh, new.valid_from, new.valid_to) == (2, "嘉宾路停车场", LATER, None)
    assert after.pools == before.pools


def test_a_dry_run_writes_nothing(owner: Connection) -> None:
    assert loaded(owner, encoded(FILES), AT, dry_run=True).plan.changes_register
    assert read_database(owner) == ParkingRegister()


def test_a_load_that_fails_leaves_nothing(owner: Connection) -> None:
    register, _ = read_register(encoded(FILES), at=AT)
    broken = msgspec.structs.replace(register, subdistricts=())
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        load(owner, broken, at=AT, limits=LIMITS)
    assert read_database(owner) == ParkingRegister()


def test_a_held_capacity_is_confirmed(owner: Connection) -> None:
    loaded(owner, encoded(FILES), AT)
    jumped = encoded(edited("pools.csv", ",200,", ",400,"))
    assert len(loaded(owner, jumped, LATER).plan.holds) == 1
    (hold,) = read_holds(owner, all_states=False)
    assert (hold.capacity_old, hold.capacity_new, hold.reason, hold.row["lot_id"]) == (200, 400, "jump", "lh-1")
    assert capacities(owner) == [(1, 200)]
    assert loaded(owner, jumped, LATER).plan.still_held == 1
    at = LATER + timedelta(hours=1)
    (done,) = decide(owner, [hold.hold_id], confirm=True, at=at, by="Li")
    assert done.done
    assert capacities(owner) == [(1, 200), (2, 400)]
    assert read_database(owner).version == 2
    assert read_holds(owner, all_states=False) == []
    assert not decide(owner, [hold.hold_id], confirm=True, at=at, by="Li")[0].done
    assert loaded(owner, jumped, at + timedelta(days=1)).version is None


def test_a_held_capacity_is_rejected_and_not_asked_again(owner: Connection) -> None:
    loaded(owner, encoded(FILES), AT)
    placeholder = encoded(edited("pools.csv", ",200,", ",9999,"))
    loaded(owner, placeholder, LATER)
    (hold,) = read_holds(owner, all_states=False)
    assert decide(owner, [hold.hold_id], confirm=False, at=LATER, by="Li")[0].done
    again = loaded(owner, placeholder, LATER + timedelta(days=1))
    assert (again.plan.rejected_before, again.plan.holds, again.version) == (1, [], None)
    assert capacities(owner) == [(1, 200)]
    assert decide(owner, [hold.hold_id], confirm=True, at=LATER + timedelta(days=2), by="Li")[0].done
    assert capacities(owner) == [(1, 200), (2, 9999)]


def test_a_newer_row_replaces_the_one_that_waits(owner: Connection) -> None:
    loaded(owner, encoded(FILES), AT)
    loaded(owner, encoded(edited("pools.csv", ",200,", ",400,")), LATER)
    loaded(owner, encoded(edited("pools.csv", ",200,", ",500,")), LATER)
    assert [hold.capacity_new for hold in read_holds(owner, all_states=False)] == [500]
    loaded(owner, encoded(FILES), LATER)
    assert read_holds(owner, all_states=False) == []


def test_nobody_knows_this_hold(owner: Connection) -> None:
    (decision,) = decide(owner, [4711], confirm=True, at=AT, by="Li")
    assert (decision.done, decision.detail) == (False, "there is no such hold")


def test_series_that_no_lot_claims_are_listed(owner: Connection) -> None:
    loaded(owner, encoded(FILES), AT)
    for ref in ("P1", "P9"):
        owner.execute(
            "insert into parking_series (source, ref, pool, first_seen) values ('op-jst', %s, 'public', %s)", (ref, AT)
        )
    assert [row[:4] for row in unregistered(owner)] == [("op-jst", "P9", "public", AT)]


def test_windows_that_came_before_their_lot_get_it(owner: Connection) -> None:
    owner.execute(
        """insert into share_window (window_id, version, source, ref, spaces, start, "end", valid_from, received_at)
           values ('B1:x', 1, 'op-jst', 'P1', 1, '08:00', '18:00', %s, %s)""",
        (AT, AT),
    )
    loaded(owner, encoded(FILES), AT)
    assert {window.lot_id for window in read_database(owner).share_windows} == {"lh-1"}


def test_the_command_line_loads_reports_and_decides(database: Database, tmp_path: Path) -> None:
    for name, data in encoded(edited("pools.csv", ",200,", ",9999,")).items():
        (tmp_path / name).write_bytes(data)

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "sql.registers", *arguments],
            env={**database.settings.environ, "CITYSENSE_SETTINGS": str(settings), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    settings = tmp_path / "settings.toml"
    settings.write_text(f'[database]\nname = "{database.name}"\n')
    code, text = run("load", str(tmp_path))
    assert code == 0, text
    assert "the register is now version 1" in text
    code, text = run("held")
    assert "9999" in text
    hold_id = re.search(r"│\s*(\d+)\s*│\s*lh-1", text)
    assert hold_id, text
    code, text = run("confirm", hold_id[1], "--by", "Li")
    assert (code, "is 9999" in text) == (0, True), text
    (tmp_path / "pools.csv").write_text(FILES["pools.csv"].replace("lh-2", "lh-7"))
    code, text = run("load", str(tmp_path))
    assert code == 1
    assert "lots.csv" in text
    assert run("unregistered") == (0, "every series that reports belongs to a lot or a station\n")


def test_every_query_fits_the_schema(owner: Connection) -> None:
    for name in QUERIES.available_queries:
        text = re.sub(r"%\(\w+\)s", "null", getattr(QUERIES, name).sql)
        owner.execute(f"explain {text}")
