"""What does the demo need before its processes start: sources that point at it, the registers, and who is told."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from demo.water.network import SL651
from deploy.local import authority
from deploy.local.credentials import environment, environment_of
from deploy.local.places import CHECKOUT, places
from deploy.local.progress import Progress, StackError
from deploy.processes import DISTRICT, Overlay
from schemas.settings import Settings
from sql.connect import SETTINGS_FILE, connect
from sql.named import named

SETTINGS_VARIABLE = "CITYSENSE_SETTINGS"
KNOWN_FOR = timedelta(hours=2)  # rain that was told since then need not be told again
_SQL = named("water")


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """Is there water in the district, and does a storm pass over it, so many times as fast as it would?"""

    water: bool = True
    storm: float | None = None


CALM = Weather()


def with_broker(settings: Settings) -> Settings:
    """The settings of a stack that the district's sensors can speak to: over MQTT too."""
    return msgspec.structs.replace(settings, stack=msgspec.structs.replace(settings.stack, mqtt=True))


def prepare(settings: Settings, progress: Progress, weather: Weather = CALM) -> Overlay:
    """What makes the platform a demo: its settings file, the secrets of the simulated vendors, and the weather.

    A storm passes from now on; a district that is started again by itself goes on where the storm is by then.
    Where the database knows nothing of the last two hours of rain, loggers first send what they kept of them.
    `python -m demo prepare FOLDER` writes sources.toml ([[source]] tables alone), registers/*.csv and secrets.env.
    """
    folder = places(settings).instance / "demo"
    folder.mkdir(exist_ok=True)
    options = _options(weather, datetime.now(UTC))
    with progress.step("The simulated district: sources and registers"):
        _run(settings, "", ["demo", "prepare", str(folder), *options])
        _run(settings, "owner", ["sql.registers", "load", str(folder / "registers")])
        if weather.water:
            authority.introduce(settings, folder / "secrets.env")
            if not _is_rain_known(settings):
                options += ("--kept",)
    settings_file = folder / SETTINGS_FILE
    given = Path(os.environ.get(SETTINGS_VARIABLE, CHECKOUT / SETTINGS_FILE))
    own = given.read_text(encoding="utf-8") if given != settings_file else ""
    sources = (folder / "sources.toml").read_text(encoding="utf-8")
    settings_file.write_text(f"{own}\n# The simulated district's sources.\n\n{sources}", encoding="utf-8")
    return Overlay(
        variables={SETTINGS_VARIABLE: str(settings_file)} | authority.read_variables(folder / "secrets.env"),
        arguments={DISTRICT.name: ("run", *options)},
    )


def _options(weather: Weather, now: datetime) -> tuple[str, ...]:
    if not weather.water:
        return ()
    storm = () if weather.storm is None else ("--storm", f"{weather.storm:g}")
    return "--water", *storm, "--since", now.isoformat(timespec="seconds")


def _is_rain_known(settings: Settings) -> bool:
    """Whether a demo ran lately: then the database has the counts of its gauges."""
    with connect(settings.dsn("owner"), autocommit=True) as connection:
        since = datetime.now(UTC) - KNOWN_FOR
        return bool(_SQL.is_element_heard(connection, source=SL651, element="rain_total_mm", since=since))


def _run(settings: Settings, role: str, arguments: list[str]) -> None:
    every = environment(settings)
    rest = {name: value for name, value in os.environ.items() if not name.startswith("CITYSENSE_")}
    environ = rest | environment_of(role, False, every) | {"PYTHONPATH": str(CHECKOUT)}
    argv = [sys.executable, "-P", "-m", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise StackError(
            f"python -m {' '.join(arguments)} failed:\n{said}\n"
            "Data that an older release of the demo left are in the way? `./citysense down --wipe` removes them."
        )
