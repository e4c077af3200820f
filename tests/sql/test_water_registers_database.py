"""Does the water register of the real database read back as it was loaded, by the roles that need it, in versions?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from schemas.water_registers import WaterRegister
from sql.connect import Connection, connect
from sql.registers import load_water, read_water, read_water_files, whole_tables
from sql.registers.database import QUERIES
from sql.registers.load import Loaded, unregistered_water
from sql.registers.water_tables import WATER
from tests.conftest import Database
from tests.sql.test_water_registers import AT, BOX, FILES, LATER, edited, encoded

pytestmark = pytest.mark.stack

_EMPTY = """
truncate basin, station, sensor_height, threshold, pipe_node, pipe_edge, neighbour, rain_weight, water_series,
    water_reading cascade;
update register_version set version = 0 where register = 'water';
"""


@pytest.fixture
def database(module_database: Database) -> Database:
    with connect(module_database.dsn("owner"), autocommit=True) as connection:
        connection.execute(_EMPTY)
    return module_database


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("owner"), autocommit=True) as connection:
        yield connection


def loaded(connection: Connection, files: dict[str, str], at: datetime, *, dry_run: bool = False) -> Loaded:
    given = encoded(files)
    register, problems = read_water_files(given, at=at, box=BOX, known=read_water(connection))
    assert problems == []
    return load_water(connection, register, whole=whole_tables(given, problems), dry_run=dry_run)


def test_it_is_read_back_as_it_was_loaded(owner: Connection, database: Database) -> None:
    given, _ = read_water_files(encoded(FILES), at=AT, box=BOX)
    assert loaded(owner, FILES, AT).version == 1
    kept = read_water(owner)
    for table in WATER.tables:
        assert sorted(table.rows(kept), key=table.key_of) == sorted(table.rows(given), key=table.key_of)
    assert loaded(owner, FILES, LATER).version is None
    for role in ("streams", "connectors", "ops"):
        with connect(database.dsn(role)) as connection:
            assert read_water(connection) == kept


def test_a_threshold_that_changes_is_a_new_version(owner: Connection) -> None:
    loaded(owner, FILES, AT)
    assert loaded(owner, edited("thresholds.csv", "red,13.5", "red,13.8"), LATER).version == 2
    old, new = [each for each in read_water(owner).thresholds if each.level == "red"]
    assert (old.version, old.on, old.valid_to) == (1, 13.5, LATER)
    assert (new.version, new.on, new.valid_from, new.valid_to) == (2, 13.8, LATER, None)


def test_what_a_whole_file_no_longer_says_goes(owner: Connection) -> None:
    loaded(owner, FILES, AT)
    assert loaded(owner, edited("neighbours.csv", "w-1,w-4,rain\n", ""), LATER).version == 2
    assert [(each.station_id, each.neighbour_id) for each in read_water(owner).neighbours] == [
        ("w-1", "w-2"),
        ("w-2", "w-1"),
    ]


def test_a_dry_run_and_a_load_that_fails_leave_nothing(owner: Connection) -> None:
    assert loaded(owner, FILES, AT, dry_run=True).plan.changes_register
    assert read_water(owner) == WaterRegister()
    register, _ = read_water_files(encoded(FILES), at=AT)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        load_water(owner, WaterRegister(stations=register.stations, basins=register.basins[:1]))
    assert read_water(owner) == WaterRegister()


def test_parking_and_water_have_versions_of_their_own(owner: Connection) -> None:
    before = QUERIES.version(owner, register="parking")
    loaded(owner, FILES, AT)
    assert (QUERIES.version(owner, register="parking"), QUERIES.version(owner, register="water")) == (before, 1)


def test_what_reports_and_is_no_station_is_listed(owner: Connection, database: Database) -> None:
    loaded(owner, FILES, AT)
    with connect(database.dsn("streams"), autocommit=True) as streams:
        for station in ("0000440301", "0000440399"):
            streams.execute(
                """with series as (insert into water_series (source, station, element, first_seen)
                   values ('sl', %s, 'level_m', %s) returning series_id)
                   insert into water_reading (series_id, at, received_at, value, quality_source, flag, tests)
                   select series_id, %s, %s, 10.5, 2, 1, 0 from series""",
                (station, AT, AT, AT),
            )
    assert unregistered_water(owner) == [("sl", "0000440399", "level_m", AT, AT, 10.5)]


def test_streams_may_judge_a_reading_again_but_not_change_it(owner: Connection, database: Database) -> None:
    with connect(database.dsn("streams"), autocommit=True) as streams:
        streams.execute("update water_reading set flag = 4, tests = 6")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            streams.execute("update water_reading set value = 0")
        assert streams.execute("select water_tests(70::smallint)").fetchone() == (
            ["rate_of_change", "spike", "source"],
        )


def test_streams_write_what_they_compute_and_old_chunks_go(database: Database) -> None:
    with connect(database.dsn("streams"), autocommit=True) as streams:
        streams.execute("insert into rain_sum values ('rg-001', false, %s, 3, null, 1, null)", (AT,))
        streams.execute("insert into water_state values (7, '\\x80', %s) on conflict do nothing", (AT,))
        for table in ("water_reading", "water_rollup", "rain_sum"):
            assert streams.execute("select drop_old_chunks(%s, %s, 9)", (table, AT - timedelta(days=900))).fetchone()
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            streams.execute("select drop_old_chunks('station', %s, 9)", (AT,))


def test_the_command_loads_whichever_files_are_there(database: Database, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[database]\nname = "{database.name}"\n')
    environ = {**database.settings.environ, "CITYSENSE_SETTINGS": str(settings), "COLUMNS": "200"}

    def run() -> tuple[int, str]:
        argv = [sys.executable, "-m", "sql.registers", "load", str(tmp_path)]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace("440303009", ""), encoding="utf-8")
    code, said = run()
    assert code == 0, said
    assert "water: the register is now version 1" in said
    assert "parking" not in said
    (tmp_path / "edges.csv").write_text("edge_id,upstream,downstream\ne-1,n-1,n-5\n", encoding="utf-8")
    code, said = run()
    assert (code, "n-5" in said) == (1, True), said
