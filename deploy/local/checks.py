"""Is everything there that the platform stands on? Each check that fails says what to do."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import psycopg
import yoyo
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from deploy.local import platform, supervision, topics
from deploy.local.credentials import ROLES, password_variable
from deploy.local.machine import FOR_PAGE, FOR_STACK, JAVA_AT_LEAST, is_there, java_version
from deploy.local.places import CHECKOUT, places
from deploy.local.ports import is_free
from deploy.local.progress import StackError
from deploy.processes import ALL
from schemas.settings import Settings
from schemas.topics import TOPICS
from sql.migrate import MIGRATIONS

PYTHON_AT_LEAST = (3, 11)
FREE_GB_AT_LEAST = 2.0
CLOCK_LATE_S = 30.0  # the tick comes every 5 s
LAG_RECORDS = 1000
START = "./citysense up  or  ./citysense demo  starts it;  ./citysense logs NAME  tells why it does not"


class Check(msgspec.Struct, frozen=True):
    """One finding: what was looked at, how it is, and what to do when that is wrong."""

    name: str
    passed: bool
    found: str
    remedy: str = ""


def run_all(settings: Settings) -> Iterator[Check]:
    yield from _machine(settings)
    yield from _ports(settings)
    yield from _processes(settings)
    yield from _guarded("Kafka", _kafka, settings)
    yield from _guarded("database", _database, settings)
    yield from _guarded("streams", _streams, settings)


def _guarded(name: str, checks: Callable[[Settings], Iterator[Check]], settings: Settings) -> Iterator[Check]:
    """The checks of something that may be away."""
    try:
        yield from checks(settings)
    except (KafkaError, psycopg.Error, OSError, StackError) as error:
        yield Check(name, False, str(error).strip() or repr(error), START)


def _machine(settings: Settings) -> Iterator[Check]:
    version = sys.version_info
    yield Check(
        "Python",
        version >= PYTHON_AT_LEAST,
        ".".join(map(str, version[:3])),
        "install 3.11 or newer, set CITYSENSE_PYTHON to it and remove .venv",
    )
    if settings.local_kafka:
        java = java_version()
        remedy = f"as root: apt-get install default-jre-headless (Kafka needs {JAVA_AT_LEAST} or newer)"
        yield Check("Java", java >= JAVA_AT_LEAST, str(java or "none"), remedy)
    for need in (*FOR_STACK[1:], *FOR_PAGE):
        there = is_there(need)
        yield Check(need.program, there, need.what_for, f"as root: apt-get install {need.package}")
    yield Check(
        "crc32c",
        importlib.util.find_spec("crc32c") is not None,
        "the checksum of Kafka records, in C",
        "producing is 24 times slower without it: rm .venv/.made-from, then any ./citysense command",
    )
    where = places(settings)
    free = shutil.disk_usage(where.root if where.root.exists() else CHECKOUT).free / 1e9
    yield Check("disk", free >= FREE_GB_AT_LEAST, f"{free:.1f} GB free for {where.root}", "make room, or set state_dir")
    if not (settings.local_database and settings.local_kafka):
        missing = [name for name in map(password_variable, ROLES) if not settings.environ.get(name)]
        remedy = "set them: the database that citysense.toml names has its passwords in the environment"
        yield Check("passwords", not missing, f"missing: {', '.join(missing)}" if missing else "all set", remedy)


def _ports(settings: Settings) -> Iterator[Check]:
    """A port is ours when a process of the instance runs that uses it, else it must be free."""
    known = supervision.states(places(settings))
    taken = []
    for process in ALL:
        if not process.port or (process.name in known and known[process.name].pid):
            continue
        port = getattr(settings.ports, process.port)
        if not is_free(port):
            taken.append(f"{port} ({process.name})")
    remedy = "end the other program (`ss -ltnp` names it), or choose other ports in citysense.toml [stack.ports]"
    yield Check("ports", not taken, f"taken by others: {', '.join(taken)}" if taken else "free or ours", remedy)


def _processes(settings: Settings) -> Iterator[Check]:
    found = platform.fares(settings)
    if not found:
        yield Check("processes", False, "nothing runs", START)
    for fare in found:
        words = f"{fare.state.lower()} {fare.health}".strip()
        yield Check(f"process {fare.name}", fare.is_well, words, f"./citysense logs {fare.name}")


def _kafka(settings: Settings) -> Iterator[Check]:
    with topics.admin(settings) as client:
        brokers = len(client.describe_cluster()["brokers"])
    enough = brokers >= settings.replication
    yield Check(
        "Kafka", enough, f"{brokers} broker(s) at {settings.bootstrap}", "fewer brokers than replicas: start them"
    )
    wrong = topics.faults(settings)
    yield Check("topics", not wrong, "; ".join(wrong) or f"all {len(TOPICS)} as they must be", "see what it says")


def _database(settings: Settings) -> Iterator[Check]:
    with psycopg.connect(settings.dsn("ops"), connect_timeout=5) as connection:
        version = connection.info.server_version // 10_000
        found = connection.execute("select extversion from pg_extension where extname = 'timescaledb'").fetchone()
        applied = {name for (name,) in connection.execute("select migration_id from _yoyo_migration")}
    yield Check("PostgreSQL", version >= 15, str(version), "15 or newer is needed")
    yield Check("TimescaleDB", found is not None, found[0] if found else "none", "create extension timescaledb")
    waiting = [one.id for one in yoyo.read_migrations(str(MIGRATIONS)) if one.id not in applied]
    yield Check("migrations", not waiting, ", ".join(waiting) or f"{len(applied)} applied", "./citysense migrate")


def _streams(settings: Settings) -> Iterator[Check]:
    with psycopg.connect(settings.dsn("ops"), connect_timeout=5) as connection:
        fences = connection.execute("select topic, partition, next_offset, clock from stream_fence").fetchall()
        stopped = connection.execute(
            "select topic, detail from stream_incident where closed_at is null and kind in ('stopped', 'poison_stop')"
        ).fetchall()
        open_letters = connection.execute("select count(*) from dead_letter where state = 'open'").fetchone()
    remedy = "look: ./citysense deadletter list; mend; then ./citysense deadletter resume TOPIC"
    yield Check("stopped topics", not stopped, "; ".join(f"{t}: {d}" for t, d in stopped) or "none", remedy)
    letters = open_letters[0] if open_letters else 0
    yield Check("dead letters", True, f"{letters} open (./citysense deadletter list)" if letters else "none open")
    now = datetime.now(UTC)
    clocks = [clock for *_, clock in fences if clock is not None]
    late = (now - min(clocks)).total_seconds() if clocks else None
    words = "nothing was applied yet" if late is None else f"the slowest partition is {late:.0f} s behind this clock"
    remedy = "./citysense status: worker and connectors must run; a clock of this machine that is wrong looks the same"
    yield Check("clock of the log", late is not None and -5 <= late <= CLOCK_LATE_S, words, remedy)
    lag = _lag(settings, {(topic, partition): offset for topic, partition, offset, _ in fences})
    yield Check(
        "lag", lag <= LAG_RECORDS, f"{lag} records to apply", "./citysense logs worker; more workers share the work"
    )


def _lag(settings: Settings, fences: dict[tuple[str, int], int]) -> int:
    ends = {TopicPartition(t.name, p): OffsetSpec.LATEST for t in TOPICS for p in range(t.partitions)}
    with topics.admin(settings) as client:
        found = client.list_partition_offsets(ends)
    return sum(max(0, end.offset - fences.get((where.topic, where.partition), 0)) for where, end in found.items())
