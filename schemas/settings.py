"""What can be set? One settings file, parsed into frozen records; one error names all that is wrong with it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.sections import (
    Connectors,
    Database,
    District,
    Feed,
    Kafka,
    Ops,
    Parking,
    Ports,
    Publisher,
    Retention,
    Source,
    Stack,
    Sweeps,
    Water,
    Webhooks,
    Worker,
)

__all__ = [
    "INSTANCES",
    "Connectors",
    "Database",
    "District",
    "Feed",
    "Kafka",
    "Ops",
    "Parking",
    "Ports",
    "Publisher",
    "Retention",
    "Settings",
    "SettingsError",
    "Source",
    "Stack",
    "Sweeps",
    "Water",
    "Webhooks",
    "Worker",
    "parse",
]

INSTANCES = ("main", "test", "chaos", "bench")  # each with its own ports, processes and data


class SettingsError(ValueError):
    """The settings cannot be used; the message has one line for each thing to mend."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    district: District = District()
    stack: Stack = Stack()
    kafka: Kafka = Kafka()
    database: Database = Database()
    publisher: Publisher = Publisher()
    connectors: Connectors = Connectors()
    worker: Worker = Worker()
    parking: Parking = Parking()
    water: Water = Water()
    sweeps: Sweeps = Sweeps()
    retention: Retention = Retention()
    feed: Feed = Feed()
    webhooks: Webhooks = Webhooks()
    ops: Ops = Ops()
    sources: tuple[Source, ...] = ()
    instance: str = "main"
    environ: dict[str, str] = {}

    @property
    def ports(self) -> Ports:
        """The ports of this instance: those of the file plus the instance's offset."""
        offset = self.stack.instance_port_offset[self.instance]
        moved = {name: getattr(self.stack.ports, name) + offset for name in Ports.__struct_fields__}
        return Ports(**moved)

    @property
    def local_kafka(self) -> bool:
        """Is Kafka ours to start? Only the main instance ever uses a cluster that the file names."""
        return not (self.instance == "main" and self.kafka.bootstrap)

    @property
    def local_database(self) -> bool:
        return not (self.instance == "main" and self.database.host)

    @property
    def local_mqtt(self) -> bool:
        """Is an MQTT broker ours to start? When a source over MQTT names none, the stack is told to, or it is chaos."""
        asked = any(one.enabled and one.transport == "mqtt" and not one.url for one in self.sources)
        return self.stack.mqtt or self.instance == "chaos" or asked

    @property
    def brokers(self) -> int:
        """How many brokers the local stack runs: three where they are going to be killed."""
        return 3 if self.instance == "chaos" else 1

    @property
    def bootstrap(self) -> str:
        if not self.local_kafka:
            return self.kafka.bootstrap
        ports = (self.ports.kafka, self.ports.kafka_2, self.ports.kafka_3)[: self.brokers]
        return ",".join(f"127.0.0.1:{port}" for port in ports)

    @property
    def replication(self) -> int:
        """Of the topics of this instance: what the file says, but as many as there are brokers in chaos."""
        return self.brokers if self.brokers > 1 else self.kafka.replication

    @property
    def min_insync_replicas(self) -> int:
        return self.brokers - 1 if self.brokers > 1 else self.kafka.min_insync_replicas

    @property
    def state_dir(self) -> str:
        """Where this instance keeps its files; the command puts it into the environment."""
        return self.environ.get("CITYSENSE_STATE_DIR", "")

    @property
    def spool_dir(self) -> str:
        return self.connectors.spool_dir or f"{self.state_dir or '.local/' + self.instance}/spool"

    @property
    def database_host(self) -> str:
        return "127.0.0.1" if self.local_database else self.database.host

    def dsn(self, role: str) -> str:
        """The connection of a role: owner, streams, connectors, feed, ops. Its password is in the environment."""
        port = self.ports.postgres if self.local_database else self.database.port
        password = self.environ.get(f"CITYSENSE_DB_PASSWORD_{role.upper()}", "")
        secret = f" password='{_quoted(password)}'" if password else ""
        return (
            f"host={self.database_host} port={port} dbname={self.database.name} user=citysense_{role}"
            f" sslmode={self.database.sslmode} application_name=citysense-{role}{secret}"
        )

    def source(self, name: str) -> Source:
        for source in self.sources:
            if source.name == name:
                return source
        raise SettingsError(f"there is no [[source]] named {name!r}; known: {', '.join(s.name for s in self.sources)}")


def parse(text: str, environ: Mapping[str, str] = {}) -> Settings:
    """The settings of a file's text. CITYSENSE_INSTANCE in the environment chooses ports and data.

    Raises SettingsError that names every table and field that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"not TOML: {error}") from error
    wrong: list[str] = []
    sources = _sources(document.pop("source", []), wrong)
    tables: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if field.name in ("sources", "instance", "environ"):
            continue
        raw = document.pop(field.name, {})
        tables[field.name] = _table(f"[{field.name}]", raw, field.type, wrong)
    wrong.extend(f"[{name}] is not a table of the settings" for name in document)
    instance = environ.get("CITYSENSE_INSTANCE", "main")
    if instance not in INSTANCES:
        wrong.append(f"CITYSENSE_INSTANCE={instance!r} is none of {', '.join(INSTANCES)}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    ours = {key: value for key, value in environ.items() if key.startswith("CITYSENSE_")}
    return Settings(sources=sources, instance=instance, environ=ours, **tables)


def _sources(raw: Any, wrong: list[str]) -> tuple[Source, ...]:
    if not isinstance(raw, list):
        wrong.append("source must be an array of tables: [[source]]")
        return ()
    found = []
    for index, item in enumerate(raw):
        label = item.get("name", f"number {index + 1}") if isinstance(item, dict) else f"number {index + 1}"
        source = _table(f"[[source]] {label}", item, Source, wrong)
        if source is not None:
            found.append(source)
    names = [source.name for source in found]
    wrong.extend(f"[[source]] {name}: the name stands twice" for name in sorted(set(names)) if names.count(name) > 1)
    return tuple(found)


def _table(label: str, raw: Any, table_type: Any, wrong: list[str]) -> Any:
    """The record of one table, or None with all its faults added to `wrong`."""
    try:
        return msgspec.convert(raw, table_type)
    except msgspec.ValidationError as whole:
        if not isinstance(raw, dict):
            wrong.append(f"{label}: {whole}")
            return None
    before = len(wrong)
    fields = {field.name: field for field in msgspec.structs.fields(table_type)}
    wrong.extend(f"{label} {name}: no such field" for name in raw if name not in fields)
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                wrong.append(f"{label} {name}: is missing")
            continue
        try:
            msgspec.convert(raw[name], field.type)
        except msgspec.ValidationError as error:
            wrong.append(f"{label} {name}: {error}")
    if len(wrong) == before:
        wrong.append(f"{label}: cannot be read")
    return None


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
