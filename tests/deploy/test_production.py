"""Do the files for production name every process and every setting that the local stack has?"""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local import broker, database
from deploy.local.credentials import ADMIN, ROLES, environment, environment_of, password_variable
from deploy.local.places import CHECKOUT, Places
from deploy.processes import ALL, PLATFORM, Process
from schemas.settings import Settings, parse

SYSTEMD = CHECKOUT / "deploy" / "systemd"
WHERE = Places(root=Path("/nowhere"), instance=Path("/nowhere/main"), as_root=False)
# What is otherwise by nature: addresses, folders, sizes, and how many replicas.
KAFKA_OTHERWISE = {
    "node.id",
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "log.dirs",
    "num.network.threads",
    "num.io.threads",
}
POSTGRES_OTHERWISE = {
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "max_connections",
    "shared_buffers",
    "max_wal_size",
    "min_wal_size",
    "huge_pages",
    "log_checkpoints",
    "log_autovacuum_min_duration",
    "max_logical_replication_workers",
    "cluster_name",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHECKOUT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def wanted_kafka() -> dict[str, str]:
    """The local broker's settings, with the replication of production."""
    settings = parse("", {"CITYSENSE_INSTANCE": "chaos"})  # three brokers
    return {key: value for key, value in broker.properties(WHERE, settings, 1).items() if key not in KAFKA_OTHERWISE}


def variables_of(process: Process) -> set[str]:
    """The CITYSENSE_ variables that the local stack gives a process."""
    every = environment(Settings(), {"CITYSENSE_SETTINGS": "x"})
    every |= {password_variable(role): "x" for role in (*ROLES, ADMIN)} | {"CITYSENSE_SECRET_KEY": "x"}
    return set(environment_of(process.role, process.holds_secrets, every, holds_key=process.holds_key))


def test_compose_runs_every_process_and_no_other(compose: dict[str, Any]) -> None:
    platform = {name for name in compose["services"] if not name.startswith("kafka-")} - {"timescaledb", "setup"}
    assert platform == {process.name for process in ALL}
    for process in ALL:
        command = compose["services"][process.name]["command"]
        assert command == ["python", "-m", process.module, *process.arguments]


def test_compose_gives_each_process_the_variables_it_has_here(compose: dict[str, Any]) -> None:
    for process in ALL:
        assert set(compose["services"][process.name]["environment"]) == variables_of(process), process.name


def test_compose_sets_up_with_every_role_there_is(compose: dict[str, Any]) -> None:
    given = {name for name in compose["services"]["setup"]["environment"] if "PASSWORD" in name}
    assert given == {password_variable(role) for role in (*ROLES, ADMIN)}
    example = (CHECKOUT / "deploy" / "compose.env.example").read_text(encoding="utf-8")
    assert given <= {line.partition("=")[0] for line in example.splitlines()}


def test_compose_has_three_brokers_that_are_set_like_the_local_one(compose: dict[str, Any]) -> None:
    for node in (1, 2, 3):
        found = compose["services"][f"kafka-{node}"]["environment"]
        assert found["KAFKA_NODE_ID"] == str(node)
        for key, value in wanted_kafka().items():
            assert found.get(f"KAFKA_{key.upper().replace('.', '_')}") == value, key
        for key in KAFKA_OTHERWISE:
            assert f"KAFKA_{key.upper().replace('.', '_')}" in found, key


def test_compose_sets_the_database_like_the_local_one(compose: dict[str, Any]) -> None:
    words = compose["services"]["timescaledb"]["command"][1:]
    check_postgres(dict(word.removeprefix("--").split("=", 1) for word in words))


def check_postgres(found: dict[str, str]) -> None:
    for key, value in database.configuration(Settings()).items():
        assert key in found, key
        if key not in POSTGRES_OTHERWISE:
            assert found[key] == value, key


def test_the_images_are_the_versions_that_are_tested_here(compose: dict[str, Any]) -> None:
    pom = (CHECKOUT / "deploy" / "local" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    image = compose["services"]["kafka-1"]["image"]
    assert f"<version>{image.partition(':')[2]}</version>" in pom
    assert "-pg17-oss" in compose["services"]["timescaledb"]["image"]


def unit(name: str) -> tuple[configparser.SectionProxy, dict[str, str], list[str]]:
    """The service section of a unit, its Environment= variables, and its EnvironmentFile= files."""
    text = (SYSTEMD / f"citysense-{name}.service").read_text(encoding="utf-8")
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    lines = [line.partition("=") for line in text.splitlines()]
    variables = dict(value.split("=", 1) for key, _, value in lines if key == "Environment")
    return parser["Service"], variables, [value for key, _, value in lines if key == "EnvironmentFile"]


def test_systemd_has_a_unit_for_every_process() -> None:
    units = {path.stem.removeprefix("citysense-") for path in SYSTEMD.glob("*.service")}
    assert units == {process.name for process in ALL} | {"kafka"}
    target = (SYSTEMD / "citysense.target").read_text(encoding="utf-8")
    for process in PLATFORM:
        assert f"citysense-{process.name}.service" in target


def test_systemd_runs_each_process_with_its_own_secrets_alone() -> None:
    for process in ALL:
        service, variables, files = unit(process.name)
        command = " ".join((process.module, *process.arguments))
        assert service["ExecStart"].endswith(f"python -m {command}")
        assert service["User"] == "citysense"
        plain = {name for name in variables_of(process) if "PASSWORD" not in name and "SECRET" not in name}
        assert plain <= set(variables)
        wanted = [process.role] if process.role else []
        wanted += ["secrets"] if process.holds_secrets else ["key"] if process.holds_key else []
        assert files == [f"/etc/citysense/{name}.env" for name in wanted]


def test_systemd_sets_kafka_and_the_database_like_the_local_ones() -> None:
    kafka = assignments(SYSTEMD / "kafka.properties")
    assert set(kafka) >= KAFKA_OTHERWISE
    for key, value in wanted_kafka().items():
        assert kafka.get(key) == value, key
    check_postgres(assignments(SYSTEMD / "postgresql-citysense.conf"))


def assignments(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {
        key.strip(): value.strip().removeprefix("'").removesuffix("'")
        for key, value in (x.split("=", 1) for x in lines)
    }


def test_the_settings_of_production_are_valid_and_replicate() -> None:
    text = (CHECKOUT / "deploy" / "production.toml").read_text(encoding="utf-8")
    settings = parse(text)
    assert (settings.replication, settings.min_insync_replicas) == (3, 2)
    assert len(settings.bootstrap.split(",")) == 3
    assert not settings.local_kafka
    assert not settings.local_database
