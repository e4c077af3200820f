"""The processes of a chaos run: workers and connectors started again whenever they die, as supervision does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from schemas.settings import Settings
from tests.chaos import water
from tests.chaos.load import SECRET
from tests.processes import ROOT, stack_table

AGAIN_AFTER_S = 1.0


class Member:
    """One process; `wanted` says whether it is to run."""

    def __init__(self, name: str, arguments: list[str], environ: dict[str, str], log: Path) -> None:
        self.name = name
        self.wanted = True
        self.starts = 0
        self._arguments, self._environ, self._log = arguments, environ, log
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def tend(self) -> None:
        """Start it when it should run and does not."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            self._process = None
            self._not_before = time.monotonic() + AGAIN_AFTER_S
        if self.wanted and time.monotonic() >= self._not_before:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", *self._arguments],
                    cwd=ROOT,
                    env=self._environ,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self.starts += 1

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def end(self, seconds: float = 15.0) -> None:
        self.wanted = False
        if self._process is None:
            return
        self.send(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def worker(settings: Settings, folder: Path, number: int) -> Member:
    return _member(
        settings, folder, f"worker-{number}", ["streams", "worker", "--metrics-port", "-1"], stack_table(settings)
    )


def connector(settings: Settings, folder: Path, number: int, port: int) -> Member:
    """A connector with sources of its own, on ports of its own: one that is pushed to, stations, and a broker's."""
    name = f"connector-{number}"
    base = port - settings.stack.instance_port_offset[settings.instance]
    ports = stack_table(settings, push=base, connectors_metrics=base + 1)
    extra = f"""{ports}
[connectors]
spool_dir = "{folder / name}-spool"
[[source]]
name = "op-{number}"
decoder = "lpr"
transport = "http_push"
auth = "hmac_sha256"
secret = "chaos"
{water.sources(settings, number)}"""
    return _member(settings, folder, name, ["connectors", "run"], extra)


def sender(settings: Settings, folder: Path, number: int) -> Member:
    """One of those who deliver alerts."""
    return _member(settings, folder, f"webhooks-{number}", ["connectors", "webhooks"], stack_table(settings))


def receiver(settings: Settings, folder: Path, port: int) -> Member:
    """Who is told."""
    return _member(settings, folder, "receiver", ["tests.chaos.receiver", str(port), str(folder)], "")


def _member(settings: Settings, folder: Path, name: str, arguments: list[str], extra: str) -> Member:
    file = folder / f"{name}.toml"
    file.write_text(f'[kafka]\ngroup = "chaos"\n{extra}', encoding="utf-8")
    environ = {**os.environ, **settings.environ, "CITYSENSE_INSTANCE": settings.instance}
    environ |= {"CITYSENSE_SETTINGS": str(file), "CITYSENSE_SECRET_CHAOS": SECRET, **water.environ()}
    return Member(name, arguments, environ, folder / f"{name}.log")
