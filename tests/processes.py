"""Processes of the platform for tests: started as supervision starts them, on the settings of one test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from schemas.settings import Settings

ROOT = Path(__file__).parent.parent


def settings_file(settings: Settings, folder: Path, extra: str = "") -> Path:
    """A settings file for processes of this test: its database, and a consumer group of its own."""
    name = settings.database.name
    path = folder / f"{name}.toml"
    tables = stack_table(settings)
    path.write_text(f'[database]\nname = "{name}"\n[kafka]\ngroup = "{name}"\n{tables}{extra}', encoding="utf-8")
    return path


def stack_table(settings: Settings, **ports: int) -> str:
    """[stack.ports] of the settings in force, some of them replaced: as the file has them, before the offset."""
    stack = settings.stack
    listed = {**msgspec.structs.asdict(stack.ports), **ports}
    lines = "".join(f"{name} = {port}\n" for name, port in listed.items())
    offsets = "".join(f"{name} = {offset}\n" for name, offset in stack.instance_port_offset.items())
    return f'[stack]\nstate_dir = "{stack.state_dir}"\n[stack.ports]\n{lines}[stack.instance_port_offset]\n{offsets}'


@contextmanager
def running(
    settings: Settings, file: Path, *arguments: str, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m ARGUMENTS` until the end of the block; then SIGTERM, and kill if that is not heard."""
    environ = {**os.environ, **settings.environ, "CITYSENSE_SETTINGS": str(file)}
    environ["CITYSENSE_INSTANCE"] = settings.instance
    output = (log or file.with_suffix(".log")).open("ab")
    with output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], seconds: float = 20.0) -> int:
    """Stop as supervision does; the exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until it holds, or fail saying what did not."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)
