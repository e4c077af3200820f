"""How do the platform's own processes come up, and how do they fare?"""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

import msgspec

from deploy.local import supervision
from deploy.local.places import Places, places
from deploy.local.ports import require_free
from deploy.local.programs import locked
from deploy.local.progress import Progress, StackError
from deploy.processes import BY_NAME, Overlay, Process, platform_names
from schemas.settings import Settings

READY_WITHIN_S = 60.0
DEATHS = 3  # a process that ends so often before it is ready will not get better
PAGE_BYTES = 4096


class Fare(msgspec.Struct, frozen=True, kw_only=True):
    """How one process of the instance fares."""

    name: str
    state: str
    health: str  # what it answers on its port; empty: it has none
    pid: int
    seconds: int
    rss_mb: float

    @property
    def is_well(self) -> bool:
        return self.state == "RUNNING" and self.health in ("", "ok")


def start(settings: Settings, progress: Progress, *, demo: bool, overlay: Overlay) -> None:
    """The platform runs with the configuration of this run, the district too in a demo.

    Raises StackError with the end of the log of the process that does not get ready.
    """
    where = places(settings)
    wanted = platform_names(demo)
    with locked(where.instance / "lock"):
        supervision.configure_platform(where, settings, overlay)
        known = supervision.states(where)
        strangers = [name for name in known if name in BY_NAME and name not in wanted and known[name].pid]
        if strangers:
            supervision.stop(where, strangers)
        waiting = [BY_NAME[name] for name in wanted if not _is_ready(where, settings, BY_NAME[name])]
        for process in waiting:
            if process.port and not known[process.name].pid:
                require_free(getattr(settings.ports, process.port), process.name)
        for process in waiting:  # side by side; each waits by itself for what it needs
            supervision.start(where, process.name)
        for process in waiting:
            with progress.step(f"Starting {process.name}: {process.what}"):
                _wait_until_ready(where, settings, process)


def start_again(settings: Settings, progress: Progress, names: list[str]) -> None:
    """Start those of the platform among the names, as they were configured last."""
    where = places(settings)
    with locked(where.instance / "lock"):
        for name in [one for one in platform_names(demo=True) if one in names]:
            with progress.step(f"Starting {name}"):
                supervision.start(where, name)
                _wait_until_ready(where, settings, BY_NAME[name])


def stop(settings: Settings, progress: Progress) -> None:
    """Stop the platform and the district; Kafka and TimescaleDB stay."""
    where = places(settings)
    with locked(where.instance / "lock"):
        running = [name for name, state in supervision.states(where).items() if name in BY_NAME and state.pid]
        if running:
            with progress.step(f"Stopping {', '.join(running)}"):
                supervision.stop(where, running)


def fares(settings: Settings) -> list[Fare]:
    """How all processes of the instance fare, what they stand on first; empty when nothing runs."""
    where = places(settings)
    found = []
    for name, state in supervision.states(where).items():
        process = BY_NAME.get(name)
        if process is not None and not state.pid and state.state == "STOPPED":
            continue  # not asked for
        health = health_of(settings, process) if process is not None and state.is_running else ""
        rss = resident_mb(state.pid) if state.pid else 0.0
        found.append(
            Fare(
                name=name, state=state.state, health=health, pid=state.pid, seconds=state.seconds, rss_mb=round(rss, 1)
            )
        )
    return sorted(found, key=lambda fare: (fare.name in BY_NAME, fare.name))


def health_of(settings: Settings, process: Process) -> str:
    """`ok`, or what is wrong; a process without a page for it is well when its port answers."""
    if not process.port:
        return ""
    connection = http.client.HTTPConnection("127.0.0.1", getattr(settings.ports, process.port), timeout=3)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        said = answer.read(PAGE_BYTES).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return "ok" if answer.status < 500 else f"HTTP {answer.status}: {said[:200]}"


def resident_mb(pid: int) -> float:
    """Memory of a process and its children, pages that several share counted once (PSS where the kernel tells)."""
    family, total = [pid], 0.0
    for one in family:
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
            family.extend(int(child) for child in children)
            total += _kilobytes(one) / 1024
        except OSError:
            continue
    return total


def _kilobytes(pid: int) -> int:
    for file, label in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(label):
                return int(line.split()[1])
    return 0


def _wait_until_ready(where: Places, settings: Settings, process: Process) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    lives: set[int] = set()
    while not _is_ready(where, settings, process):
        state = supervision.states(where)[process.name]
        lives |= {state.pid} - {0}
        if len(lives) > DEATHS or state.state == "FATAL" or time.monotonic() > deadline:
            log = where.log(process.name)
            raise StackError(f"{process.name} does not get ready. The end of its log {log}:\n{supervision.tail(log)}")
        time.sleep(0.1)


def _is_ready(where: Places, settings: Settings, process: Process) -> bool:
    if not supervision.states(where)[process.name].is_running:
        return False
    if not process.port:
        return True
    try:
        socket.create_connection(("127.0.0.1", getattr(settings.ports, process.port)), timeout=1).close()
    except OSError:
        return False
    return True
