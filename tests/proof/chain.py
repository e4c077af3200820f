"""The platform as its users run it: sources on sockets, connectors, Kafka, worker, sweeps, feed. One for all proofs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from schemas.settings import Settings
from sql.connect import connect
from tests.connectors.servers import Asked, Feed
from tests.processes import ROOT, running
from tests.proof.lots import Message, Supply

SECRET = "shared-with-every-vendor"
_ROWS = """
select distinct on (s.source, s.ref, s.pool) s.source, s.ref, s.pool, o.free, o.occupied, o.available,
    o.capacity_used, o.overflow, o.source_status, o.flags, o.observed_at, o.received_at, o.mode, o.time_basis
from parking_series as s join parking_observation as o using (series_id)
where s.source = any(%s) order by s.source, s.ref, s.pool, o.at desc
"""
_FIRST_HEARD = """
select s.source, min(o.received_at) from parking_series as s join parking_observation as o using (series_id) group by 1
"""
_LETTERS = """
select letter_id, source, reason, detail, raw, state, received_at, kafka_offset, row_index from dead_letter
where source = any(%s) order by letter_id
"""


class Chain:
    """What a person at its outside sees: the feed, the push server, and the database through ops' eyes."""

    def __init__(self, settings: Settings, folder: Path, supplies: Sequence[Supply], feed: Feed) -> None:
        self.folder = folder
        self.supplies = {supply.name: supply for supply in supplies}
        self.feed_port, self.push_port = free_port(), free_port()
        names = {secret_variable(supply.name): SECRET for supply in supplies}
        self.settings = msgspec.structs.replace(settings, environ={**settings.environ, **names})
        self.dsn = settings.dsn("owner")
        self.served = feed
        self.file = self.write_settings("city", supplies, self.push_port)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.pushed_at = self.replayed_at = datetime.now(UTC)  # when pushes were answered, when a reject was replayed

    def write_settings(self, name: str, supplies: Sequence[Supply], push_port: int, **limits: Any) -> Path:
        """A settings file of this city with these sources."""
        moved = self.settings.stack.instance_port_offset[self.settings.instance]
        limits = {"spool_dir": str(self.folder / f"{name}-spool")} | limits
        text = (
            f'[database]\nname = "{self.settings.database.name}"\n[kafka]\ngroup = "{self.settings.database.name}"\n'
            f"[stack.ports]\npush = {push_port - moved}\n"
            + "".join(f"{metrics}_metrics = {free_port() - moved}\n" for metrics in ("sweeps", "connectors"))
            + "[district]\nbbox = [-180.0, -90.0, 180.0, 90.0]\n"  # the lots of these proofs are all over the world
            + "[publisher]\ntick_s = 1.0\n[feed]\nrequests_per_minute = 0\n"
            + "[connectors]\n"
            + _fields(limits)
            + "".join(f"\n[[source]]\n{_fields(self._table(supply))}" for supply in supplies)
        )
        path = self.folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def _table(self, supply: Supply) -> dict[str, Any]:
        table: dict[str, Any] = {
            "name": supply.name,
            "decoder": supply.decoder,
            "time_zone": supply.zone,
            "licence": "CC0-1.0",
            "attribution": f"the source {supply.name} of the proofs",
        }
        if supply.document is None:
            return table | {"transport": "http_push", "secret": supply.name} | dict(supply.table)
        polled = {
            "transport": "http_poll",
            "url": f"{self.served.url}/{supply.name}",
            "allow_private_address": True,
            "offset_s": 25.0,
        }
        told = dict(supply.table)
        if told.get("refs"):
            polled["url"] = f"{polled['url']}/{{ref}}"
        return table | polled | told

    @contextlib.contextmanager
    def start(self, name: str, *arguments: str, file: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
        log = self.folder / f"{name}.log"
        with running(self.settings, file or self.file, *arguments, log=log) as process:
            self.processes[name] = process
            yield process

    def call(self, *arguments: str, given: bytes = b"", status: int = 0) -> str:
        """The standard output of a command that a person types; its exit status is looked at."""
        environ = {**os.environ, **self.settings.environ, "CITYSENSE_SETTINGS": str(self.file)}
        environ |= {"CITYSENSE_INSTANCE": self.settings.instance, "COLUMNS": "250", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", *arguments], input=given, capture_output=True, env=environ, cwd=ROOT
        )
        told = done.stdout.decode() + done.stderr.decode()
        assert done.returncode == status, f"{' '.join(arguments)}: exit {done.returncode}\n{told[-3000:]}"
        return done.stdout.decode()

    def get(self, path: str) -> Any:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.feed_port}/parking/v1/{path}", timeout=20)
        except httpx.ConnectError:  # it does not listen yet
            return None
        return answer.json() if answer.status_code == 200 else None

    def push(self, source: str, message: Message, port: int = 0) -> httpx.Response:
        url = f"http://127.0.0.1:{port or self.push_port}/push/{source}"
        return httpx.post(url, content=message.body, headers=dict(message.headers), timeout=60)

    def lots_at(self, at: datetime) -> dict[str, Any]:
        """The lots of the first minute of the feed that knows all that was received until `at`, by id."""

        def is_known() -> bool:
            quality = self.get("quality.json")
            data = None if quality is None else quality["data"]
            return data is not None and datetime.fromisoformat(data["minute"]) >= at and not data["is_late"]

        self.eventually(is_known, f"a minute of the feed after {at.isoformat()}", 240)
        return {lot["lot_id"]: lot for lot in self.get("lot_status.json")["data"]["lots"]}

    def rows(self, *sources: str) -> dict[tuple[str, str, str], dict[str, Any]]:
        """The newest observation of every series, by source, ref and pool."""
        names = (
            "source", "ref", "pool", "free", "occupied", "available", "capacity", "overflow", "status", "flags",
            "observed_at", "received_at", "mode", "basis",
        )  # fmt: skip
        found = [dict(zip(names, row, strict=True)) for row in self.ask(_ROWS, list(sources))]
        return {(row["source"], row["ref"], row["pool"]): row for row in found}

    def first_heard(self) -> dict[str, datetime]:
        """When the first row of each source was received."""
        return dict(self.ask(_FIRST_HEARD))

    def letters(self, *sources: str) -> list[dict[str, Any]]:
        names = ("id", "source", "reason", "detail", "raw", "state", "received_at", "offset", "index")
        return [dict(zip(names, row, strict=True)) for row in self.ask(_LETTERS, list(sources))]

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with connect(self.dsn) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def eventually(self, holds: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
        """Wait until it holds while every process lives; the logs of all are told when it does not."""
        deadline = time.monotonic() + seconds
        while not holds():
            gone = [name for name, process in self.processes.items() if process.poll() is not None]
            if gone or time.monotonic() > deadline:
                logs = {path.name: path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.log")}
                raise AssertionError(f"{f'{gone} ended' if gone else f'not within {seconds:.0f} s'}: {what}\n{logs}")
            time.sleep(0.1)


def answering(supplies: Sequence[Supply]) -> Feed:
    """One server for all polled sources: /<source>[/<ref>]."""
    documents = {supply.name: supply.document for supply in supplies if supply.document is not None}

    def answer(asked: Asked) -> None:
        name = asked.path.strip("/").partition("?")[0].partition("/")[0]
        asked.answer(documents[name](datetime.now(UTC), asked.path))

    return Feed(answer)


def resident_kb(process: subprocess.Popen[bytes], field: str = "VmRSS") -> int:
    """Memory of a process by the kernel's account: VmRSS now, VmHWM the most that it was."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{field}:"))


def secret_variable(source: str) -> str:
    return "CITYSENSE_SECRET_" + source.upper().replace("-", "_")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ago(at: datetime, **span: float) -> datetime:
    return at - timedelta(**span)


def _fields(table: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_toml(value)}\n" for name, value in table.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(one)}" for name, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
