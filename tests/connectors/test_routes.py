"""A source that cannot run is refused with its name and the field to mend; secrets come from the environment first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from connectors.__main__ import app
from connectors.credentials import KEY, NoSecret, secret_of
from connectors.formats import DECODERS
from connectors.routes import RouteError, Vendor, faults_of, plug, state_of
from schemas.settings import Settings, Source

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
POLL = {"name": "sg", "decoder": "hdb", "transport": "http_poll", "url": "https://x.example/"}
PUSH = {"name": "gates", "decoder": "ymzh", "transport": "http_push", "secret": "ymzh"}


def source(base: dict[str, Any], **fields: Any) -> Source:
    return msgspec.convert({**base, **fields}, Source)


def settings(*sources: Source) -> Settings:
    return Settings(sources=sources)


def no_secret(name: str) -> str:
    raise NoSecret(f"there is no {name}")


@pytest.mark.parametrize("good", [POLL, PUSH, {**PUSH, "decoder": "njytb", "topic": "registers.changes"}])
def test_a_good_source_has_no_faults(good: dict[str, Any]) -> None:
    assert faults_of(source(good)) == []
    (route,) = plug(settings(source(good)), [], lambda name: "s3cret")
    assert route.decode is DECODERS[route.source.decoder]


@pytest.mark.parametrize(
    ("base", "fields", "field"),
    [
        (POLL, {"decoder": "hbd"}, "decoder"),
        (POLL, {"topic": "rejects"}, "topic"),
        (PUSH, {"decoder": "njytb"}, "topic"),
        (POLL, {"time_zone": "Asia/Shenzhen"}, "time_zone"),
        (POLL, {"url": ""}, "url"),
        (POLL, {"url": "file:///etc/passwd"}, "url"),
        (POLL, {"refs": ["a"]}, "refs"),
        (POLL, {"url": "https://x.example/{ref}"}, "refs"),
        (POLL, {"page_param": "$skip"}, "page_size"),
        (POLL, {"url": "http://x/{ref}", "refs": ["a"] * 400, "requests_per_s": 5.0}, "cadence_s"),
        (POLL, {"auth": "header", "secret": "s"}, "auth_header"),
        (POLL, {"auth": "header", "auth_header": "X-Key"}, "secret"),
        (POLL, {"auth": "md5", "secret": "s"}, "auth"),
        (PUSH, {"secret": ""}, "secret"),
        (PUSH, {"decoder": "hdb"}, "auth"),
        (PUSH, {"decoder": "hdb", "auth": "hmac_sha256"}, "auth_header"),
    ],
)
def test_a_fault_names_its_source_and_field(base: dict[str, Any], fields: dict[str, Any], field: str) -> None:
    faulty = source(base, **fields)
    with pytest.raises(RouteError, match=rf"^\[\[source\]\] {faulty.name} {field}: "):
        plug(settings(faulty), [], lambda name: "s3cret")
    assert field in state_of(faulty, lambda name: "s3cret")


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(RouteError) as error:
        plug(settings(source(POLL, url=""), source(PUSH)), [], no_secret)
    assert str(error.value).splitlines() == [
        "[[source]] sg url: must begin with http:// or https://",
        "[[source]] gates secret: there is no ymzh",
    ]


def test_only_enabled_sources_run_unless_they_are_named() -> None:
    board = settings(source(POLL, enabled=False), source(PUSH))
    assert [route.source.name for route in plug(board, [], lambda name: "s")] == ["gates"]
    assert [route.source.name for route in plug(board, ["sg"], lambda name: "s")] == ["sg"]
    with pytest.raises(RouteError, match="no \\[\\[source\\]\\] named 'nobody'"):
        plug(board, ["nobody"], lambda name: "s")


def test_a_polls_secret_goes_into_its_header() -> None:
    keyed = source(POLL, auth="header", auth_header="Authorization: apikey {secret}", secret="tfnsw")
    assert plug(settings(keyed), [], lambda name: "s3cret")[0].headers == {"Authorization": "apikey s3cret"}


@pytest.mark.parametrize(
    ("given", "verdict"), [("", "missing_signature"), ("guessed", "bad_signature"), ("right", None)]
)
def test_a_push_with_an_hmac_of_its_body(given: str, verdict: str | None) -> None:
    signed = source(PUSH, decoder="hdb", auth="hmac_sha256", auth_header="X-Signature: sha256={secret}")
    vendor = Vendor(push=None, source=signed, secret="key", window_s=300)
    digest = "a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032"  # HMAC-SHA256 of {} with key
    headers = {"": {}, "guessed": {"x-signature": "sha256=00"}, "right": {"x-signature": f"SHA256={digest.upper()}"}}
    assert vendor.verify(b"{}", headers[given], NOON) == verdict


def test_secrets_come_from_the_environment_first() -> None:
    key = Fernet.generate_key()
    stored = {"ymzh": Fernet(key).encrypt(b"of the table")}
    environ = {KEY: key.decode(), "CITYSENSE_SECRET_YMZH": "of the environment"}
    assert secret_of("ymzh", environ, stored.get) == "of the environment"
    assert secret_of("ymzh", {KEY: key.decode()}, stored.get) == "of the table"


def away(name: str) -> bytes | None:
    raise psycopg.OperationalError("connection refused")


@pytest.mark.parametrize(
    ("name", "environ", "why"),
    [
        ("two-words", {}, "neither CITYSENSE_SECRET_TWO_WORDS nor CITYSENSE_SECRET_KEY"),
        ("key", {KEY: "x"}, "the name of the key itself"),
        ("a", {KEY: "x"}, "cannot be read"),
    ],
)
def test_why_there_is_no_secret(name: str, environ: dict[str, str], why: str) -> None:
    with pytest.raises(NoSecret, match=why):
        secret_of(name, environ, away)


def test_a_secret_of_another_key_is_no_secret() -> None:
    ciphertext = Fernet(Fernet.generate_key()).encrypt(b"x")
    with pytest.raises(NoSecret, match="not encrypted with this") as error:
        secret_of("a", {KEY: Fernet.generate_key().decode()}, lambda name: ciphertext)
    assert ciphertext.decode() not in str(error.value)


def test_list_shows_every_source_and_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "citysense.toml"
    file.write_text(TABLES)
    monkeypatch.setenv("CITYSENSE_SETTINGS", str(file))
    listed = CliRunner().invoke(app, ["list"])
    assert listed.exit_code == 0
    lines = {line.split()[1]: line for line in listed.output.splitlines() if line.startswith("│")}
    assert "ready" in lines["singapore"]
    assert "off" in lines["hongkong"]
    assert "CITYSENSE_SECRET_GATES" in lines["gates"]


TABLES = """
[[source]]
name = "singapore"
decoder = "hdb"
transport = "http_poll"
url = "https://x.example/"

[[source]]
name = "hongkong"
decoder = "hongkong"
transport = "http_poll"
url = "https://y.example/"
enabled = false

[[source]]
name = "gates"
decoder = "ymzh"
transport = "http_push"
secret = "gates"
"""
