"""Prove that it holds: test, bench, chaos. Each has an instance of its own, so a running demo is not disturbed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.shared import notes, part, part_environment, steps, teach
from deploy.local import supervision
from deploy.local.machine import (
    FOR_BENCH,
    FOR_STACK,
    FOR_TESTS,
    Need,
    install_missing,
    install_page_libraries,
)
from deploy.local.places import CHECKOUT, places
from deploy.local.progress import StackError
from deploy.local.stack import down, settings_of, up
from schemas.settings import Settings

Keep = Annotated[bool, typer.Option("--keep", help="Leave its Kafka and database up afterwards.")]


def test(context: typer.Context, keep: Keep = False) -> None:
    """Everything that must pass: ruff, mypy, and all tests against a Kafka and a TimescaleDB of their own.

    [bold]./citysense test[/]                          all (on 2 cores under 15 minutes)
    [bold]./citysense test tests/streams -k ledger[/]  what follows goes to pytest; style and types are left out
    [bold]./citysense test --keep -x[/]                the stack stays up for the next run
    """
    settings = settings_of("test")
    environ = part_environment(settings) | {"CITYSENSE_INSTANCE": "test"}
    found_running = supervision.is_alive(places(settings))
    if not context.args:
        _style_and_types(environ)
    _ready(settings, () if context.args else FOR_TESTS, fresh=not found_running)
    try:
        code = max(
            subprocess.run(part("pytest", *arguments), env=environ, check=False).returncode
            for arguments in ([context.args] if context.args else _runs())
        )
    finally:
        if not (keep or found_running):
            down(settings, steps(), wipe=True)
    raise typer.Exit(code)


def _runs() -> list[list[str]]:
    """Most tests wait for processes, so one more at a time than there are cores keeps these busy. Chaos runs alone."""
    side_by_side = ["-n", str(min(4, 1 + (os.cpu_count() or 1))), "--dist", "loadfile", "-m", "not chaos"]
    return [[*side_by_side, str(CHECKOUT)], ["-m", "chaos", str(CHECKOUT / "tests" / "chaos")]]


def _style_and_types(environ: dict[str, str]) -> None:
    """All three are run, so that a person sees all there is to mend.

    Raises StackError that names those that found something.
    """
    tools = Path(sys.executable).parent
    checks = {"ruff check": ["ruff", "check"], "ruff format": ["ruff", "format", "--check"], "mypy --strict": ["mypy"]}
    faulty = []
    for name, (tool, *rest) in checks.items():
        with steps().step(name):
            argv = [str(tools / tool), *rest, "."]
            done = subprocess.run(argv, env=environ, check=False, cwd=CHECKOUT, capture_output=True, text=True)
        if done.returncode:
            faulty.append(name)
            notes.print(done.stdout + done.stderr, markup=False, soft_wrap=True)
    if faulty:
        raise StackError(
            f"{', '.join(faulty)} found faults, see above; `ruff format .` mends the format. No test was run."
        )


def bench(context: typer.Context, keep: Keep = False) -> None:
    """Measure, each figure beside its reference in the same run.

    [bold]./citysense bench --json[/]      figures for programs
    [bold]./citysense bench --peers[/]     quixstreams and aiokafka on the same work, too
    """
    teach(context, *part("tests.bench"))
    _prove("bench", "tests.bench", context.args, FOR_BENCH, keep)


def chaos(context: typer.Context, keep: Keep = False) -> None:
    """Kill processes, brokers and the database under load, then count: lost 0, doubled 0, or exit code 1.

    [bold]./citysense chaos --seconds 300[/]
    """
    teach(context, *part("tests.chaos"))
    _prove("chaos", "tests.chaos", context.args, (), keep)


def _prove(instance: str, module: str, arguments: list[str], needs: tuple[Need, ...], keep: bool) -> None:
    settings = settings_of(instance)
    found_running = supervision.is_alive(places(settings))
    _ready(settings, needs, fresh=not found_running)
    every = part_environment(settings) | settings_of(instance).environ
    try:
        code = subprocess.run(part(module, *arguments), env=every, check=False, cwd=CHECKOUT).returncode
    finally:
        if not (keep or found_running):
            down(settings, steps(), wipe=True)
    raise typer.Exit(code)


def _ready(settings: Settings, needs: tuple[Need, ...], *, fresh: bool) -> None:
    """The instance is up; what an earlier run left is removed first, unless it is running."""
    show = steps()
    install_missing((*FOR_STACK, *needs), show)
    install_page_libraries(show)
    if fresh and places(settings).instance.exists():
        shutil.rmtree(places(settings).instance)
    if not fresh:
        notes.print(f"The instance {settings.instance!r} is up already: it is used, and left up.")
    up(settings, show)
