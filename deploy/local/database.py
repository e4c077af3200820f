"""How is the local TimescaleDB made and provided with its roles?"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.credentials import ADMIN, ROLES, password_variable
from deploy.local.places import Places
from deploy.local.progress import StackError
from schemas.settings import Settings

HBA = Path(__file__).resolve().parent / "postgres" / "pg_hba.conf"


def initialise(where: Places, credentials: dict[str, str]) -> None:
    """An empty cluster with checksums and the superuser's password; nothing when it is there already."""
    data = where.postgres_data
    if (data / "PG_VERSION").exists():
        return
    if data.exists():
        shutil.rmtree(data)  # an initdb that was stopped half way
    making = data.with_name("postgres.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    where.give_to_service(making)
    with tempfile.NamedTemporaryFile("w", prefix="citysense-", encoding="utf-8") as password_file:
        password_file.write(credentials[password_variable(ADMIN)] + "\n")
        password_file.flush()
        where.give_to_service(Path(password_file.name))
        argv = [
            str(where.postgres_bin / "initdb"),
            f"--pgdata={making}",
            f"--username=citysense_{ADMIN}",
            f"--pwfile={password_file.name}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", **where.service_user)
    if done.returncode:
        raise StackError(f"initdb failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    making.rename(data)


def configuration(settings: Settings) -> dict[str, str]:
    """What postgresql.conf says. `deploy/compose.yaml` and `deploy/systemd/` say the same, each with its own sizes."""
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(settings.ports.postgres),
        "unix_socket_directories": "",
        "max_connections": "100" if settings.instance == "test" else "80",
        "shared_buffers": f"{settings.stack.postgres_shared_buffers_mb}MB",
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "timescaledb.max_background_workers": "0",  # they run policies, which the Apache edition does not have
        "max_worker_processes": "8",
        "max_logical_replication_workers": "0",
        "max_locks_per_transaction": "256",  # a query over 90 days of chunks locks each of them
        "jit": "off",
        "password_encryption": "scram-sha-256",
        "max_wal_size": "1GB",
        "min_wal_size": "80MB",
        "wal_compression": "lz4",
        "checkpoint_timeout": "10min",
        "huge_pages": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "log_line_prefix": "%m %u@%d ",
        "log_lock_waits": "on",
        "idle_in_transaction_session_timeout": "10min",
        "cluster_name": f"citysense-{settings.instance}",
    }


def write_configuration(where: Places, settings: Settings) -> None:
    """postgresql.conf and pg_hba.conf, written at every start: the settings file is what counts."""
    lines = "".join(f"{key} = '{value}'\n" for key, value in configuration(settings).items())
    text = f"# Written by ./citysense at every start.\n{lines}"
    for name, content in (("postgresql.conf", text), ("pg_hba.conf", HBA.read_text(encoding="utf-8"))):
        path = where.postgres_data / name
        path.write_text(content, encoding="utf-8")
        where.give_to_service(path)


def provision(settings: Settings) -> None:
    """Roles with their passwords, the database and its extension: made where they are missing."""
    name = settings.database.name
    with psycopg.connect(admin_dsn(settings, "postgres"), autocommit=True, connect_timeout=5) as connection:
        for role in ROLES:
            user = sql.Identifier(f"citysense_{role}")
            known = connection.execute("select 1 from pg_roles where rolname = %s", (f"citysense_{role}",)).fetchone()
            if not known:
                connection.execute(sql.SQL("create role {} login").format(user))
            password = settings.environ[password_variable(role)]
            connection.execute(sql.SQL("alter role {} password {}").format(user, sql.Literal(password)))
        if not connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            create_database(connection, name)
    add_extension(settings, name)


def create_database(connection: psycopg.Connection, name: str, template: str = "template0") -> None:
    statement = sql.SQL("create database {} owner citysense_owner template {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def add_extension(settings: Settings, name: str) -> None:
    with psycopg.connect(admin_dsn(settings, name), autocommit=True, connect_timeout=5) as connection:
        connection.execute("create extension if not exists timescaledb")


def admin_dsn(settings: Settings, database: str) -> str:
    """The superuser's connection to a database of the local server."""
    return psycopg.conninfo.make_conninfo(settings.dsn(ADMIN), dbname=database)
