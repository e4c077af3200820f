"""What do tests that need the real Kafka and the real TimescaleDB stand on? The `test` instance of the local stack."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg import sql

from deploy.local import database as server
from deploy.local import topics
from deploy.local.places import places
from deploy.local.programs import locked
from deploy.local.progress import Silent
from deploy.local.stack import settings_of, up
from schemas.settings import Settings
from sql.migrate import MIGRATIONS, migrate


class Database(msgspec.Struct, frozen=True):
    """A database of one test: migrated, empty, gone afterwards."""

    settings: Settings

    @property
    def name(self) -> str:
        return self.settings.database.name

    def dsn(self, role: str) -> str:
        """Of owner, streams, connectors, feed or ops."""
        return self.settings.dsn(role)


def pytest_configure() -> None:
    """Tests see nothing of the machine's own CitySense, and the instance `test` alone."""
    for name in [one for one in os.environ if one.startswith("CITYSENSE_")]:
        del os.environ[name]
    os.environ["CITYSENSE_INSTANCE"] = "test"


@pytest.fixture(scope="session")
def stack() -> Settings:
    """Kafka with its topics and TimescaleDB of the instance `test`, started when they are not up. They stay up."""
    settings = up(settings_of("test"), Silent())
    _drop_leftovers(settings)
    return settings


@pytest.fixture
def database(stack: Settings) -> Iterator[Database]:
    """A database for one test."""
    yield from clone(stack)


@pytest.fixture(scope="module")
def module_database(stack: Settings) -> Iterator[Database]:
    """A database for all tests of a module."""
    yield from clone(stack)


@pytest.fixture
def kafka(stack: Settings) -> Iterator[Settings]:
    """Empty topics with new ids and no consumer groups; no other test run uses Kafka meanwhile."""
    with locked(places(stack).instance / "kafka.lock"):
        topics.fresh_topics(stack)
        yield stack


_clones = 0


def clone(settings: Settings) -> Iterator[Database]:
    """A migrated database of its own, gone when the iterator is closed."""
    global _clones
    _clones += 1
    name = f"t_{os.getpid()}_{_clones}"
    template = _template(settings)
    with psycopg.connect(server.admin_dsn(settings, "postgres"), autocommit=True) as connection:
        server.create_database(connection, name, template)
        try:
            yield Database(
                msgspec.structs.replace(settings, database=msgspec.structs.replace(settings.database, name=name))
            )
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _template(settings: Settings) -> str:
    """A migrated database that nobody connects to, made once for each state of sql/migrations."""
    text = b"".join(path.read_bytes() for path in sorted(Path(MIGRATIONS).glob("*.sql")))
    name = f"template_{hashlib.sha256(text).hexdigest()[:16]}"
    with (
        locked(places(settings).instance / "template.lock"),
        psycopg.connect(server.admin_dsn(settings, "postgres"), autocommit=True) as connection,
    ):
        if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            return name
        making = f"{name}_making"
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(making)))
        server.create_database(connection, making)
        server.add_extension(settings, making)
        owner = psycopg.conninfo.make_conninfo(settings.dsn("owner"), dbname=making)
        migrate(owner)
        connection.execute(
            sql.SQL("alter database {} rename to {}").format(sql.Identifier(making), sql.Identifier(name))
        )
    return name


def _drop_leftovers(settings: Settings) -> None:
    """The databases of test runs that were killed."""
    with psycopg.connect(server.admin_dsn(settings, "postgres"), autocommit=True) as connection:
        for (name,) in connection.execute("select datname from pg_database where datname like 't\\_%'").fetchall():
            pid = re.fullmatch(r"t_(\d+)_\d+", name)
            if pid and not Path(f"/proc/{pid[1]}").exists():
                connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
