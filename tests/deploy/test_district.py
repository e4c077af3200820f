"""Does one command wire the simulated district to the platform: sources, registers, the authority and its secret?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.webhooks import endpoints
from demo.sources import secret_variable
from demo.water import sources
from demo.water.network import HJ212, LORA, SL651
from deploy.__main__ import app
from deploy.commands.run import _where_to_look
from deploy.local import authority, district, supervision
from deploy.local.credentials import environment_of
from deploy.local.district import Weather
from deploy.local.places import places
from deploy.local.progress import Silent
from deploy.processes import BY_NAME
from schemas.settings import Settings, parse
from sql.connect import connect
from tests.conftest import Database
from tests.connectors.webhooks.senders import key_of
from tests.processes import settings_file


@pytest.fixture
def settings(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Those of a platform whose files are the test's own."""
    stack = msgspec.structs.replace(database.settings.stack, state_dir=str(tmp_path))
    made = msgspec.structs.replace(database.settings, stack=stack)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CITYSENSE_SETTINGS", str(settings_file(made, tmp_path)))
    places(made).instance.mkdir()
    yield made


@pytest.mark.stack
def test_a_storm_is_wired_from_the_sensors_to_the_authority(settings: Settings) -> None:
    overlay = district.prepare(district.with_broker(settings), Silent(), Weather(storm=60))
    run, *options = overlay.arguments["district"]
    assert (run, options[:4], options[5:]) == ("run", ["--water", "--storm", "60", "--since"], ["--kept"])
    file = Path(overlay.variables["CITYSENSE_SETTINGS"])
    found = parse(file.read_text(encoding="utf-8"), {"CITYSENSE_INSTANCE": settings.instance})
    ports = sources.ports(settings.ports.demo)  # of this instance
    assert (found.source(SL651).port, found.source(HJ212).port) == (ports[SL651], ports[HJ212])
    assert found.source(LORA).transport == "mqtt" and found.local_mqtt
    assert all(source.enabled for source in found.sources)
    with connect(settings.dsn("owner"), autocommit=True) as owner:
        assert owner.execute("select kind, count(*) from station group by 1 order by 1").fetchall() == [
            ("pipe_node", 60), ("rain", 69), ("reservoir", 3), ("river", 21), ("underpass", 20)
        ]  # fmt: skip
        assert owner.execute("select url, domains, allowed::text[] from endpoint").fetchall() == [
            (f"http://127.0.0.1:{ports[sources.AUTHORITY]}/alerts", ["water"], ["127.0.0.0/8"])
        ]
    text = supervision.platform_configuration(places(settings), settings, overlay)
    assert "-m demo run --water --storm 60 --since" in text
    variable = secret_variable(sources.AUTHORITY)
    for name, process in BY_NAME.items():  # whoever sends alerts has it from the database, the district from its file
        given = environment_of(process.role, process.holds_secrets, overlay.variables, holds_key=process.holds_key)
        assert (variable in given) == (name in ("district", "connectors"))


@pytest.mark.stack
def test_loggers_tell_what_they_kept_unless_the_rain_of_the_last_hours_is_known(settings: Settings) -> None:
    def options() -> tuple[str, ...]:
        return district.prepare(settings, Silent(), Weather()).arguments["district"]

    with connect(settings.dsn("owner"), autocommit=True) as owner:
        series = owner.execute(
            "insert into water_series (source, station, element, first_seen) values (%s, 'a', 'rain_total_mm', now())"
            " returning series_id",
            (SL651,),
        ).fetchone()
        assert series is not None
        for told_h_ago, is_asked in ((3, True), (1, False)):
            owner.execute(
                "insert into water_reading (series_id, at, received_at, value, quality_source, flag, tests)"
                " select %s, at, at, 7.5, 2, 1, 0 from (select now() - %s * interval '1 hour' as at) as told",
                (*series, told_h_ago),
            )
            assert options()[:3:2] == ("run", "--since")
            assert ("--kept" in options()) == is_asked


@pytest.mark.stack
def test_the_authority_keeps_its_secret_as_long_as_it_signs(settings: Settings, tmp_path: Path) -> None:
    secrets, variable = tmp_path / "secrets.env", secret_variable(sources.AUTHORITY)
    authority.write_variables(secrets, {"CITYSENSE_SECRET_OTHER": "stays"})

    def introduced(as_now: Settings = settings) -> str:
        authority.introduce(as_now, secrets)
        known = authority.read_variables(secrets)
        assert known["CITYSENSE_SECRET_OTHER"] == "stays"
        assert secrets.stat().st_mode & 0o077 == 0
        return known[variable]

    first = introduced()
    assert introduced() == first
    with connect(settings.dsn("owner"), autocommit=True) as owner:
        endpoints.rotate(owner, sources.AUTHORITY, key_of(settings), 3600)
        assert introduced() == first  # both sign for an hour
        endpoints.rotate(owner, sources.AUTHORITY, key_of(settings), 0)
        second = introduced()
        assert second != first and introduced() == second
        secrets.unlink()
        authority.write_variables(secrets, {"CITYSENSE_SECRET_OTHER": "stays"})
        third = introduced()
        assert third != second  # nobody can say the one that was lost
        moved = msgspec.structs.replace(settings.stack.ports, demo=settings.stack.ports.demo + 10)
        stack = msgspec.structs.replace(settings.stack, ports=moved)
        assert introduced(msgspec.structs.replace(settings, stack=stack)) != third
        [(_, _, _, url, *_)] = endpoints.listed(owner)
        assert url == f"http://127.0.0.1:{settings.ports.demo + 13}/alerts"


def test_the_options_of_a_district() -> None:
    assert Weather(water=True, storm=None) == district.CALM
    assert not Settings().local_mqtt and district.with_broker(Settings()).local_mqtt
    said = "\n".join(_where_to_look(Settings(), Weather(storm=60)))
    for part in (
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8110/",
        "endpoint log demo-water-authority",
        "合成",
        "60",
        "6 min",
    ):
        assert part in said
    assert "合成" not in "\n".join(_where_to_look(Settings(), Weather()))
    assert "endpoint log" not in "\n".join(_where_to_look(Settings(), None))


@pytest.mark.parametrize(
    "words", [["demo", "60"], ["demo", "--storm", "0"], ["demo", "--storm", "--no-water"], ["demo", "--storm", "often"]]
)
def test_a_storm_that_makes_no_sense_is_refused_before_anything_starts(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2
