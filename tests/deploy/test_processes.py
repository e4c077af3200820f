"""Is each process given what it needs, and no more?"""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from deploy.local import supervision
from deploy.local.credentials import ADMIN, ROLES, environment_of, password_variable
from deploy.local.places import Places
from deploy.local.progress import StackError
from deploy.processes import ALL, BY_NAME, Overlay, platform_names, stack_names
from schemas.settings import Ports, Settings, parse

EVERY = {password_variable(role): f"secret-of-{role}" for role in (*ROLES, ADMIN)} | {
    "CITYSENSE_SECRET_KEY": "key",
    "CITYSENSE_SECRET_YMZH": "vendor",
    "CITYSENSE_INSTANCE": "main",
}


def test_a_process_is_given_its_own_role_alone() -> None:
    for process in ALL:
        given = environment_of(process.role, process.holds_secrets, EVERY, holds_key=process.holds_key)
        passwords = {name for name in given if name.startswith("CITYSENSE_DB_PASSWORD_")}
        assert passwords == ({password_variable(process.role)} if process.role else set())
        assert ("CITYSENSE_SECRET_YMZH" in given) == process.holds_secrets
        assert ("CITYSENSE_SECRET_KEY" in given) == (process.holds_secrets or process.holds_key)
        assert given["CITYSENSE_INSTANCE"] == "main"


def test_no_process_may_change_the_schema() -> None:
    assert not {process.role for process in ALL} & {"owner", ADMIN}


def test_every_port_and_need_that_a_process_names_exists() -> None:
    for process in ALL:
        assert not process.port or process.port in Ports.__struct_fields__
        assert set(process.needs) <= {"kafka", "postgres"}


def test_the_district_is_up_before_the_connectors_ask_it() -> None:
    names = platform_names(demo=True)
    assert names.index("district") < names.index("connectors")
    assert "district" not in platform_names(demo=False)


def test_what_the_settings_name_is_not_started() -> None:
    named = parse('[kafka]\nbootstrap = "kafka.example:9092"\n[database]\nhost = "db.example"\n')
    assert stack_names(named) == ()
    assert stack_names(Settings()) == ("kafka", "postgres")
    assert stack_names(parse('[database]\nhost = "db.example"\n')) == ("kafka",)


def test_a_broker_runs_where_a_source_over_mqtt_names_none() -> None:
    source = """[[source]]\nname = "lora"\ndecoder = "chirpstack"\ntransport = "mqtt"\ntopics = ["a"]\n"""
    assert stack_names(parse(source)) == ("kafka", "postgres", "mosquitto")
    assert stack_names(parse("[stack]\nmqtt = true\n")) == ("kafka", "postgres", "mosquitto")
    for elsewhere in ('url = "mqtt://broker.example"\n', "enabled = false\n"):
        assert stack_names(parse(source + elsewhere)) == ("kafka", "postgres")


def test_other_instances_never_touch_what_the_settings_name() -> None:
    text = '[kafka]\nbootstrap = "kafka.example:9092"\n[database]\nhost = "db.example"\n'
    for instance in ("test", "chaos", "bench"):
        settings = parse(text, {"CITYSENSE_INSTANCE": instance})
        assert settings.bootstrap.startswith("127.0.0.1:")
        assert "host=127.0.0.1" in settings.dsn("streams")
        assert "postgres" in stack_names(settings)


def test_instances_share_no_port() -> None:
    seen: set[int] = set()
    for instance in ("main", "test", "chaos", "bench"):
        ports = parse("", {"CITYSENSE_INSTANCE": instance}).ports
        mine = {getattr(ports, name) for name in Ports.__struct_fields__}
        assert not mine & seen
        seen |= mine


def test_three_brokers_and_one_for_mqtt_where_they_are_killed() -> None:
    chaos = parse("", {"CITYSENSE_INSTANCE": "chaos"})
    assert stack_names(chaos) == ("kafka", "kafka-2", "kafka-3", "postgres", "mosquitto")
    assert (chaos.replication, chaos.min_insync_replicas) == (3, 2)
    assert len(chaos.bootstrap.split(",")) == 3


@pytest.fixture
def where(tmp_path: Path) -> Places:
    return Places(root=tmp_path, instance=tmp_path / "main", as_root=False)


def test_supervisord_reads_what_is_written_for_it(where: Places) -> None:
    settings = parse("", {"CITYSENSE_SECRET_ODD": "per%cent 'and' space, comma=equals"})
    odd = Overlay(variables={"CITYSENSE_SECRET_ODD": "per%cent 'a' b, c=d"}, arguments={"district": ("run", "--water")})
    text = supervision.platform_configuration(where, settings, odd)
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    assert set(parser.sections()) == {f"program:{name}" for name in BY_NAME}
    assert "\"per%%cent 'a' b, c=d\"" in parser["program:connectors"]["environment"]
    assert "ODD" not in parser["program:worker"]["environment"]
    assert parser["program:district"]["command"].endswith("-m demo run --water")
    for name in BY_NAME:
        assert parser[f"program:{name}"]["autorestart"] == "true"


def test_a_value_that_supervisord_cannot_carry_is_refused(where: Places) -> None:
    with pytest.raises(StackError, match="CITYSENSE_SECRET_ODD"):
        supervision.platform_configuration(
            where, Settings(), Overlay(variables={"CITYSENSE_SECRET_ODD": "both ' and \""})
        )
