"""Brings the schema of a database to this release: applies sql/migrations in order, forward only."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import yoyo

from sql.connect import read_settings

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(dsn: str) -> list[str]:
    """Apply what is missing with the owner's DSN; the names of the migrations applied.

    Raises yoyo or psycopg errors with the statement that failed; what came before it stays applied.
    """
    backend = yoyo.get_backend(_url(dsn))
    with backend.lock():
        waiting = backend.to_apply(yoyo.read_migrations(str(MIGRATIONS)))
        names = [str(migration.id) for migration in waiting]
        backend.apply_migrations(waiting)
    backend.connection.close()
    return names


def _url(dsn: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    password = f":{quote(str(parts['password']), safe='')}" if parts.get("password") else ""
    host = f"{parts.get('host', '127.0.0.1')}:{parts.get('port', 5432)}"
    sslmode = f"?sslmode={parts['sslmode']}" if parts.get("sslmode") else ""
    return f"postgresql+psycopg://{parts['user']}{password}@{host}/{parts['dbname']}{sslmode}"


def main() -> None:
    applied = migrate(read_settings().dsn("owner"))
    sys.stdout.write(f"applied: {', '.join(applied)}\n" if applied else "the schema is up to date\n")


if __name__ == "__main__":
    main()
