"""./citysense storm, as an officer types it, on a database that a sweep has written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from schemas.storm import StormAnswer
from sql.connect import Connection, connect
from streams.water import storm_store
from tests.conftest import Database
from tests.dashboards.ops.test_storm import VIEW
from tests.processes import ROOT, settings_file

pytestmark = pytest.mark.stack


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("streams"), autocommit=True) as connection:
        yield connection


def storm(database: Database, folder: Path, *arguments: str) -> str:
    environ = {
        **os.environ,
        "CITYSENSE_SETTINGS": str(settings_file(database.settings, folder)),
        "CITYSENSE_INSTANCE": "test",
        "COLUMNS": "160",
    }
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "storm", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def show(streams: Connection, at: datetime) -> None:
    storm_store.put_view(streams, msgspec.structs.replace(VIEW, at=at))
    storm_store.put_progress(streams, at)


def test_before_anything_was_swept_it_says_that_nobody_knows(database: Database, tmp_path: Path) -> None:
    assert "Whether there is a storm is unknown" in storm(database, tmp_path)


def test_what_comes_who_is_blind_and_what_is_closed_in_two_languages(
    database: Database, streams: Connection, tmp_path: Path
) -> None:
    show(streams, datetime.now(UTC))
    english = storm(database, tmp_path)
    for words in ("A storm is on", "Cuizhu Road underpass", "the red alert stands (+110)", "Buji River 1", "orange"):
        assert words in english
    assert "never heard of" in english
    assert "This is old" not in english
    chinese = storm(database, tmp_path, "--lang", "zh")
    for words in ("暴雨进行中", "翠竹路下穿通道", "红色预警生效", "情况不明", "接下来的升级", "面雨量"):
        assert words in chinese


def test_a_view_that_is_old_says_so(database: Database, streams: Connection, tmp_path: Path) -> None:
    show(streams, datetime.now(UTC) - timedelta(minutes=9))
    assert "9 min ago" in storm(database, tmp_path)
    assert "现状未知" in storm(database, tmp_path, "--lang", "zh")


def test_as_json_it_is_the_answer_of_the_operations_centre(
    database: Database, streams: Connection, tmp_path: Path
) -> None:
    show(streams, datetime.now(UTC))
    found = msgspec.json.decode(storm(database, tmp_path, "--json"), type=StormAnswer)
    assert found.state == "storm" and not found.is_stale
    assert found.view is not None and found.view.close_first == VIEW.close_first
