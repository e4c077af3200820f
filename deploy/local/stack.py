"""How do Kafka and TimescaleDB come up and go away on this machine? `up` and `down`; all the rest is steps of these."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable

import msgspec
import psycopg
from kafka.errors import KafkaError

from deploy.local import broker, database, mosquitto, supervision
from deploy.local.credentials import ensure_credentials, environment, with_environment
from deploy.local.machine import MOSQUITTO, install_missing
from deploy.local.orphans import end_orphans
from deploy.local.places import SYSTEM_STATE, SYSTEM_USER, Places, places
from deploy.local.ports import require_free
from deploy.local.programs import install_programs, locked
from deploy.local.progress import Progress, Silent, StackError
from deploy.local.topics import admin, ensure_topics
from deploy.processes import stack_names
from schemas.settings import Settings
from sql.connect import read_settings
from sql.migrate import migrate

__all__ = ["down", "environment", "settings_of", "up"]

READY_WITHIN_S = 90.0


def settings_of(instance: str) -> Settings:
    """The settings of another instance than the one in the environment."""
    return with_environment(read_settings({**os.environ, "CITYSENSE_INSTANCE": instance}))


def up(settings: Settings, progress: Progress | None = None) -> Settings:
    """Kafka with its topics and TimescaleDB with its schema are there; what runs already is left alone.

    Returns the settings with the passwords of the instance in their environment.
    Raises StackError that says which step failed and what to do.
    """
    show = progress or Silent()
    where = places(settings)
    os.umask(0o022)
    _make_folders(where)
    if "mosquitto" in supervision.states(where):  # a demo asked for it
        settings = msgspec.structs.replace(settings, stack=msgspec.structs.replace(settings.stack, mqtt=True))
    with locked(where.instance / "lock"):
        install_programs(where, show, kafka=settings.local_kafka, postgres=settings.local_database)
        credentials = ensure_credentials(where)
        ready = with_environment(settings)
        names = stack_names(settings)
        if settings.local_mqtt:
            install_missing((MOSQUITTO,), show)
        if names:
            _prepare(where, ready, credentials, show)
            supervision.ensure_supervisor(where, ready)
            _start(where, ready, names, show)
        else:
            supervision.ensure_supervisor(where, ready)
        if settings.local_database:
            database.provision(ready)
        ensure_schema(ready, show)
    return ready


def ensure_schema(settings: Settings, progress: Progress) -> None:
    """Topics and migrations of this release, on the local stack or on one that citysense.toml names."""
    with progress.step("Topics"):
        try:
            ensure_topics(settings)
        except KafkaError as error:
            raise StackError(f"Kafka at {settings.bootstrap} does not answer: {error}") from error
    with progress.step("Schema of the database"):
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # yoyo prints the rows of every select
                migrate(settings.dsn("owner"))
        except psycopg.OperationalError as error:
            raise StackError(f"the database at {settings.database_host} refused the owner: {error}") from error


def down(settings: Settings, progress: Progress | None = None, *, wipe: bool = False) -> None:
    """Stop everything of the instance, the platform first. `wipe` removes its data too, never the programs."""
    show = progress or Silent()
    where = places(settings)
    if not where.instance.exists():
        return
    with locked(where.instance / "lock"):
        known = supervision.states(where)
        beneath = [name for name in known if name in ("postgres", "mosquitto") or name.startswith("kafka")]
        above = [name for name in known if name not in beneath]
        if any(known[name].pid for name in above):
            with show.step("Stopping the platform"):
                supervision.stop(where, above)
        if any(known[name].pid for name in beneath):
            with show.step("Stopping Kafka and TimescaleDB"):
                supervision.stop(where, beneath)
        if supervision.is_alive(where):
            supervision.shut_down(where)
        else:
            end_orphans(where)
        if wipe:
            with show.step(f"Removing {where.instance}"):
                where.supervisor_socket.unlink(missing_ok=True)
                shutil.rmtree(where.instance)


def _make_folders(where: Places) -> None:
    if where.as_root:
        _ensure_user()
    try:
        where.logs.mkdir(parents=True, exist_ok=True)
        where.spool.mkdir(exist_ok=True)
    except PermissionError as error:
        raise StackError(
            f"{error.filename} cannot be made: run as its owner, or set [stack] state_dir in citysense.toml"
        ) from error


def _ensure_user() -> None:
    known = subprocess.run(["id", "-u", SYSTEM_USER], capture_output=True, check=False)
    if known.returncode == 0:
        return
    argv = ["useradd", "--system", "--home-dir", str(SYSTEM_STATE), "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    if made.returncode:
        raise StackError(f"the system user {SYSTEM_USER} could not be made: {made.stderr.strip()}")


def _prepare(where: Places, settings: Settings, credentials: dict[str, str], show: Progress) -> None:
    if settings.local_database:
        if not (where.postgres_data / "PG_VERSION").exists():
            with show.step("TimescaleDB: making an empty database (once)"):
                database.initialise(where, credentials)
        database.write_configuration(where, settings)
    if settings.local_mqtt:
        mosquitto.prepare(where, settings)
    if settings.local_kafka:
        fresh = not (where.kafka_data(1) / "meta.properties").exists()
        if fresh:
            with show.step("Kafka: formatting an empty log (once)"):
                for node in range(1, settings.brokers + 1):
                    broker.prepare(where, settings, node)
        else:
            for node in range(1, settings.brokers + 1):
                broker.prepare(where, settings, node)


def _start(where: Places, settings: Settings, names: tuple[str, ...], show: Progress) -> None:
    known = supervision.states(where)
    waiting = [name for name in names if not known[name].is_running]
    for name in waiting:
        if known[name].pid == 0:
            for port in _ports_of(settings, name):
                require_free(port, name)
        supervision.start(where, name)
    checks = dict.fromkeys(names, _kafka_answers) | {"postgres": _postgres_answers, "mosquitto": _mosquitto_answers}
    for name in sorted(names, reverse=True):  # postgres is ready first
        if name in waiting:
            with show.step(f"Starting {'TimescaleDB' if name == 'postgres' else name}"):
                _wait_until_ready(where, settings, name, checks[name])
        else:
            _wait_until_ready(where, settings, name, checks[name])


def _ports_of(settings: Settings, name: str) -> tuple[int, ...]:
    if name == "postgres":
        return (settings.ports.postgres,)
    if name == "mosquitto":
        return (settings.ports.mqtt,)
    return broker.ports_of(settings, int(name.partition("-")[2] or 1))


def _wait_until_ready(where: Places, settings: Settings, name: str, answers: Callable[[Settings], str]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while why := answers(settings):
        state = supervision.states(where)[name]
        if state.state == "FATAL" or time.monotonic() > deadline:
            log = where.log(name)
            raise StackError(f"{name} is not ready ({why}). The end of its log {log}:\n{supervision.tail(log)}")
        time.sleep(0.1)


def _postgres_answers(settings: Settings) -> str:
    try:
        psycopg.connect(database.admin_dsn(settings, "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return str(error).strip()
    return ""


def _mosquitto_answers(settings: Settings) -> str:
    try:
        socket.create_connection(("127.0.0.1", settings.ports.mqtt), timeout=1).close()
    except OSError as error:
        return str(error)
    return ""


def _kafka_answers(settings: Settings) -> str:
    for address in settings.bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError as error:
            return f"{address}: {error}"
    try:
        with admin(settings) as client:
            found = len(client.describe_cluster()["brokers"])
    except (KafkaError, OSError) as error:
        return repr(error)
    return "" if found >= settings.brokers else f"{found} of {settings.brokers} brokers"
