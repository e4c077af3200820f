"""What if supervisord itself was killed? Its children go on without it and hold the ports: they are ended first."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from deploy.local.places import Places
from deploy.local.progress import StackError
from deploy.processes import ALL

GONE_WITHIN_S = 60.0


def end_orphans(where: Places) -> list[int]:
    """End the processes of the instance that no supervisord watches; called only when none runs. Their pids.

    Raises StackError for one that stays.
    """
    found = {pid: stop for pid in _pids() if (stop := _stop_signal(where, pid))}
    for pid, stop in found.items():
        _send(pid, stop)
    deadline = time.monotonic() + GONE_WITHIN_S
    while alive := [pid for pid in found if _stop_signal(where, pid)]:
        if time.monotonic() > deadline:
            raise StackError(f"left over from an earlier run and not ending: process {', '.join(map(str, alive))}")
        time.sleep(0.1)
    return list(found)


def _stop_signal(where: Places, pid: int) -> signal.Signals | None:
    """How to end it when it is an orphan of the instance, else None."""
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
        if argv[-2:] == ["-D", str(where.postgres_data)]:
            return signal.SIGINT
        if argv[-2:-1] == ["kafka.Kafka"] and Path(argv[-1]).parent == where.instance:
            return signal.SIGTERM
        if argv[1:] == ["-c", str(where.mosquitto / "mosquitto.conf")]:
            return signal.SIGTERM
        if argv[1:] in ([["-m", one.module, *one.arguments] for one in ALL]) and _parent(pid) == 1:
            state = f"CITYSENSE_STATE_DIR={where.instance}".encode()
            return signal.SIGTERM if state in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") else None
    except OSError:  # it ended meanwhile, or it is another user's
        return None
    return None


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise StackError(f"process {pid} of an earlier run belongs to another user: end it, then try again") from error
