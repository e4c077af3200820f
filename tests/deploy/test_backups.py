"""Does a database that was written to a file come back from it, hypertables and fences included?"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from deploy.local import backups
from deploy.local.progress import StackError
from tests.conftest import Database

pytestmark = pytest.mark.stack

FENCE = (
    "insert into stream_fence (topic, partition, topic_id, next_offset) values ('parking.observations', 0, 'log-1', {})"
)
PAYLOAD = "insert into raw_payload (sha256, received_at, source, bytes, body) values ('{}', now(), 'basel', 3, 'abc')"
TABLES = "select count(*) from timescaledb_information.hypertables"


def one(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_restoring_puts_the_fences_back_where_they_were(database: Database, tmp_path: Path) -> None:
    owner = database.dsn("owner")
    hypertables = one(owner, TABLES)
    one(owner, FENCE.format(41))
    one(owner, PAYLOAD.format("a"))
    backups.write(database.settings, tmp_path / "monday.dump")
    one(owner, "update stream_fence set next_offset = 99")
    one(owner, PAYLOAD.format("b"))

    backups.read(database.settings, tmp_path / "monday.dump")

    assert one(owner, "select next_offset from stream_fence") == 41
    assert one(owner, "select string_agg(sha256, ',') from raw_payload") == "a"
    assert one(owner, TABLES) == hypertables
    assert isinstance(hypertables, int)
    assert hypertables >= 3


def test_a_restored_hypertable_takes_rows_and_roles_keep_their_rights(database: Database, tmp_path: Path) -> None:
    backups.write(database.settings, tmp_path / "empty.dump")
    backups.read(database.settings, tmp_path / "empty.dump")
    owner = database.dsn("owner")
    one(owner, "create table probe (at timestamptz not null, value integer)")
    one(owner, "select create_hypertable('probe', 'at')")
    one(owner, "insert into probe values ('2026-01-05T08:00Z', 0), ('2026-03-05T08:00Z', 1)")
    assert one(owner, "select count(*) from probe") == 2
    assert one(owner, "select count(*) from show_chunks('probe')") == 2
    assert one(database.dsn("streams"), "select count(*) from stream_fence") == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        one(database.dsn("feed"), "delete from stream_fence")


def test_a_file_that_is_no_backup_leaves_the_database_as_it_was(database: Database, tmp_path: Path) -> None:
    one(database.dsn("owner"), FENCE.format(7))
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8\xff not a dump")
    with pytest.raises(StackError, match="pg_restore failed"):
        backups.read(database.settings, tmp_path / "holiday.jpg")
    assert one(database.dsn("owner"), "select next_offset from stream_fence") == 7
    names = "select count(*) from pg_database where datname like '%restoring' or datname like '%before'"
    assert one(database.dsn("owner"), names) == 0


def test_a_backup_is_readable_by_its_owner_alone_and_never_half_there(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "monday.dump"
    backups.write(database.settings, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
