"""What do all commands share: the settings, the screen, and handing over to another part of the platform."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console

from deploy.local.credentials import environment, environment_of
from deploy.local.places import CHECKOUT
from deploy.local.progress import Steps
from schemas.settings import Settings
from sql.connect import read_settings

screen = Console(highlight=False)
notes = Console(stderr=True, highlight=False)

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
PASS_HELP_ON: dict[str, Any] = {**PASS_ON, "help_option_names": []}  # --help reaches the command, see teach


def steps() -> Steps:
    return Steps(notes)


def settings_now() -> Settings:
    """The settings of the instance in the environment."""
    return read_settings()


def part_environment(settings: Settings, role: str = "", *, holds_secrets: bool = False) -> dict[str, str]:
    """The environment of a part of the platform that a command starts: one role's password, not all."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("CITYSENSE_")}
    return rest | environment_of(role, holds_secrets, environment(settings)) | {"PYTHONPATH": str(CHECKOUT)}


def part(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", module, *arguments]


def teach(context: typer.Context, *argv: str) -> None:
    """Where --help is asked for: this command's examples, then the options of the program that it hands over to."""
    if "--help" not in context.args:
        return
    print(context.get_help())
    hand_over([*argv, "--help"], part_environment(settings_now()))


def hand_over(argv: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Become that program: its output, its signals and its exit code are the command's."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(argv[0], list(argv), dict(environ))  # noqa: S606 a program of our own, without a shell
