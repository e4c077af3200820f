"""Settings: one file, one error that names everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import INSTANCES, SettingsError, parse

ROOT = Path(__file__).parent.parent.parent


def test_nothing_set_is_a_working_district() -> None:
    settings = parse("")
    assert settings.district.code == "440303"
    assert settings.bootstrap == "127.0.0.1:19092"


def test_the_file_of_the_project_is_sound() -> None:
    settings = parse((ROOT / "citysense.toml").read_text(encoding="utf-8"))
    assert [source.name for source in settings.sources if source.enabled] == []
    assert {"hdb", "hongkong", "parkapi-v3"} <= {source.decoder for source in settings.sources}


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = """
    [feed]
    bind = 3
    burst = "many"
    colour = "red"
    [nonsense]
    [[source]]
    name = "A B"
    transport = "pigeon"
    """
    with pytest.raises(SettingsError) as caught:
        parse(text)
    said = str(caught.value)
    for place in (
        "[feed] bind",
        "[feed] burst",
        "[feed] colour",
        "[nonsense]",
        "A B name",
        "A B decoder",
        "A B transport",
    ):
        assert place in said


def test_two_sources_of_one_name_are_refused() -> None:
    one = '[[source]]\nname = "op"\ndecoder = "lpr"\ntransport = "http_push"\n'
    with pytest.raises(SettingsError, match="twice"):
        parse(one + one)


def test_what_is_not_toml_is_said_to_be_none() -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        parse("[feed")


def test_no_two_instances_share_a_port() -> None:
    ports = [port for name in INSTANCES for port in _ports(name)]
    assert len(ports) == len(set(ports))


def _ports(instance: str) -> list[int]:
    ports = parse("", {"CITYSENSE_INSTANCE": instance}).ports
    return [getattr(ports, name) for name in ports.__struct_fields__]


def test_an_instance_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="CITYSENSE_INSTANCE"):
        parse("", {"CITYSENSE_INSTANCE": "prod"})


def test_a_password_goes_into_the_connection_quoted() -> None:
    settings = parse("", {"CITYSENSE_DB_PASSWORD_FEED": "it's"})
    assert r"password='it\'s'" in settings.dsn("feed")
    assert "password" not in settings.dsn("ops")
