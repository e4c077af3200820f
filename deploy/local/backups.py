"""How is the database written into one file, and put back from it?"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.credentials import ADMIN, password_variable
from deploy.local.database import add_extension, admin_dsn, create_database
from deploy.local.places import places
from deploy.local.progress import StackError
from schemas.settings import Settings


def write(settings: Settings, file: Path) -> None:
    """pg_dump in its custom format. The file appears when it is whole.

    Raises StackError with what pg_dump said.
    """
    partial = file.with_name(file.name + ".partial")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    role = ADMIN if settings.local_database else "owner"
    argv = [_program(settings, "pg_dump"), "--format=custom", f"--file={partial}", "--no-password"]
    try:
        _run(settings, [*argv, f"--dbname={_without_password(settings, role, settings.database.name)}"], role)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def read(settings: Settings, file: Path) -> None:
    """Restore beside the database, then take its place: when anything fails the old one is untouched.

    Raises StackError with what pg_restore said.
    """
    name = settings.database.name
    making, before = f"{name}_restoring", f"{name}_before"
    with psycopg.connect(admin_dsn(settings, "postgres"), autocommit=True) as connection:
        _drop(connection, making)
        create_database(connection, making)
        try:
            add_extension(settings, making)
            _fill(settings, file, making)
        except BaseException:
            _drop(connection, making)
            raise
        _drop(connection, before)
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
            (name,),
        )
        _rename(connection, name, before)
        _rename(connection, making, name)
        _drop(connection, before)


def _fill(settings: Settings, file: Path, name: str) -> None:
    """TimescaleDB's own order: its catalogue is filled as plain tables between these two calls."""
    with psycopg.connect(admin_dsn(settings, name), autocommit=True) as connection:
        connection.execute("select timescaledb_pre_restore()")
    argv = [_program(settings, "pg_restore"), "--exit-on-error", "--no-password"]
    _run(settings, [*argv, f"--dbname={_without_password(settings, ADMIN, name)}", str(file)], ADMIN)
    with psycopg.connect(admin_dsn(settings, name), autocommit=True) as connection:
        connection.execute("select timescaledb_post_restore()")
        connection.execute("analyze")


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _rename(connection: psycopg.Connection, old: str, new: str) -> None:
    connection.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new)))


def _program(settings: Settings, name: str) -> str:
    if settings.local_database:
        return str(places(settings).postgres_bin / name)
    found = shutil.which(name)
    if not found:
        raise StackError(
            f"{name} is not installed: apt-get install postgresql-client, of the server's version or newer"
        )
    return found


def _without_password(settings: Settings, role: str, name: str) -> str:
    """The connection as others may see it in the list of processes."""
    parts = psycopg.conninfo.conninfo_to_dict(settings.dsn(role))
    parts.pop("password", None)
    return psycopg.conninfo.make_conninfo("", **{**parts, "dbname": name})


def _run(settings: Settings, argv: list[str], role: str) -> None:
    environ = os.environ | {"PGPASSWORD": settings.environ.get(password_variable(role), "")}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
    if done.returncode:
        raise StackError(f"{Path(argv[0]).name} failed:\n{done.stderr.strip()[-2000:]}")
