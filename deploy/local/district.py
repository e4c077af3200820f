"""What does the demo need before its processes start: sources that point at it, and the registers of the district."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deploy.local.credentials import environment, environment_of
from deploy.local.places import CHECKOUT, places
from deploy.local.progress import Progress, StackError
from schemas.settings import Settings
from sql.connect import SETTINGS_FILE

SETTINGS_VARIABLE = "CITYSENSE_SETTINGS"


def prepare(settings: Settings, progress: Progress) -> dict[str, str]:
    """The variables that make the platform a demo: its settings file, and the secrets of the simulated vendors.

    `python -m demo prepare FOLDER` writes sources.toml ([[source]] tables alone), registers/*.csv and secrets.env.
    """
    folder = places(settings).instance / "demo"
    folder.mkdir(exist_ok=True)
    with progress.step("The simulated district: sources and registers"):
        _run(settings, "", ["demo", "prepare", str(folder)])
        _run(settings, "owner", ["sql.registers", "load", str(folder / "registers")])
    settings_file = folder / SETTINGS_FILE
    given = Path(os.environ.get(SETTINGS_VARIABLE, CHECKOUT / SETTINGS_FILE))
    own = given.read_text(encoding="utf-8") if given != settings_file else ""
    sources = (folder / "sources.toml").read_text(encoding="utf-8")
    settings_file.write_text(f"{own}\n# The simulated district's sources.\n\n{sources}", encoding="utf-8")
    return {SETTINGS_VARIABLE: str(settings_file)} | _secrets(folder / "secrets.env")


def _secrets(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("CITYSENSE_SECRET_"))


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
