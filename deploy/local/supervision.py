"""How are the processes started, watched and stopped? One supervisord for each instance."""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

import msgspec
from supervisor.xmlrpc import SupervisorTransport

from deploy.local import broker, mosquitto
from deploy.local.credentials import environment, environment_of
from deploy.local.orphans import end_orphans
from deploy.local.places import CHECKOUT, SYSTEM_USER, Places
from deploy.local.progress import StackError
from deploy.processes import ALL, Overlay, stack_names
from schemas.settings import Settings

PYTHON = Path(sys.prefix) / "bin" / "python"
BAD_NAME, ALREADY_STARTED, NOT_RUNNING_FAULT = 10, 60, 70


class State(msgspec.Struct, frozen=True):
    """What supervisord knows of one process."""

    name: str
    state: str
    pid: int
    seconds: int
    description: str

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"


def configuration(where: Places, settings: Settings) -> str:
    """supervisord.conf of an instance: Kafka and PostgreSQL; the platform's part is in a file of its own.

    Nothing starts by itself: the order is that of the command.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    head = {
        "unix_http_server": {"file": str(where.supervisor_socket), "chmod": "0700"},
        "supervisord": {
            "logfile": str(where.log("supervisord")),
            "logfile_maxbytes": "5MB",
            "logfile_backups": "1",
            "pidfile": str(where.supervisor_pid),
            "childlogdir": str(where.logs),
            "minfds": str(files),
            "umask": "022",
        }
        | ({"user": "root"} if where.as_root else {}),
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "include": {"files": str(where.platform_conf)},
    }
    return _written(head | _stack_programs(where, settings))


def platform_configuration(where: Places, settings: Settings, overlay: Overlay) -> str:
    """The part of the platform's processes."""
    every = environment(settings) | dict(overlay.variables)
    sections = {}
    for process in ALL:
        argv = [str(PYTHON), "-m", process.module, *process.arguments, *overlay.arguments.get(process.name, ())]
        given = environment_of(process.role, process.holds_secrets, every, holds_key=process.holds_key)
        given["PYTHONUNBUFFERED"] = "1"
        sections[f"program:{process.name}"] = _program(where, process.name, argv) | {
            "directory": str(CHECKOUT),
            "environment": ",".join(f"{key}={_quoted(key, value)}" for key, value in sorted(given.items())),
            "stopwaitsecs": "30",
            "stopasgroup": "true",
            "killasgroup": "true",
        }
    return _written(sections)


def _written(sections: dict[str, dict[str, str]]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key}={value.replace('%', '%%')}\n" for key, value in values.items())
        for name, values in sections.items()
    )


def _stack_programs(where: Places, settings: Settings) -> dict[str, dict[str, str]]:
    user = {"user": SYSTEM_USER} if where.as_root else {}
    sections = {}
    for name in stack_names(settings):
        if name == "postgres":
            argv = [str(where.postgres_bin / "postgres"), "-D", str(where.postgres_data)]
            stop = {"stopsignal": "INT", "stopwaitsecs": "60"}  # a fast shutdown
        elif name == "mosquitto":
            argv = mosquitto.command(where)
            stop = {"stopsignal": "TERM", "stopwaitsecs": "30"}  # it writes what waits
        else:
            argv = broker.command(where, settings, int(name.partition("-")[2] or 1))
            stop = {"stopsignal": "TERM", "stopwaitsecs": "60"}
        sections[f"program:{name}"] = _program(where, name, argv) | {"directory": "/"} | user | stop
    return sections


def _program(where: Places, name: str, argv: list[str]) -> dict[str, str]:
    return {
        "command": shlex.join(argv),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "1",
        "startretries": "1000",
        "stdout_logfile": str(where.log(name)),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "2",
        "redirect_stderr": "true",
    }


def _quoted(key: str, value: str) -> str:
    """As supervisord reads it: in quotes, with no way to escape one."""
    quote = "'" if '"' in value else '"'
    if quote in value or "\n" in value:
        raise StackError(f"{key} holds both kinds of quotes or a line break, which supervisord cannot pass on")
    return f"{quote}{value}{quote}"


def proxy(where: Places) -> Any:
    """supervisord's own interface; any call raises OSError when it is not running."""
    transport = SupervisorTransport("", "", f"unix://{where.supervisor_socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def is_alive(where: Places) -> bool:
    try:
        return bool(proxy(where).getState()["statecode"] == 1)
    except (OSError, xmlrpc.client.Error):
        return False


def states(where: Places) -> dict[str, State]:
    """Of all processes of the instance; empty when nothing runs."""
    try:
        known = proxy(where).getAllProcessInfo()
    except (OSError, xmlrpc.client.Error):
        return {}
    return {
        one["name"]: State(
            name=one["name"],
            state=one["statename"],
            pid=one["pid"],
            seconds=max(0, one["now"] - one["start"]) if one["pid"] else 0,
            description=one["description"],
        )
        for one in known
    }


def ensure_supervisor(where: Places, settings: Settings) -> None:
    """supervisord runs with the configuration of these settings; what has another one now is stopped, to start anew."""
    changed = _write_private(where.supervisor_conf, configuration(where, settings))
    if not where.platform_conf.exists():
        _write_private(where.platform_conf, "")
    if is_alive(where):
        if changed:
            _reread(where)
        return
    end_orphans(where)
    argv = [str(PYTHON), "-m", "supervisor.supervisord", "-c", str(where.supervisor_conf)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CITYSENSE_")}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env=plain)
    log = f"Log: {where.log('supervisord')}"
    if done.returncode:
        raise StackError(f"supervisord did not start:\n{(done.stderr or done.stdout).strip()}\n{log}")
    _until(lambda: is_alive(where), 15, f"supervisord does not answer. {log}")


def configure_platform(where: Places, settings: Settings, overlay: Overlay) -> None:
    """Give the platform's processes the configuration of this run; those with another one are stopped."""
    if _write_private(where.platform_conf, platform_configuration(where, settings, overlay)):
        _reread(where)


def _write_private(path: Path, text: str) -> bool:
    """Write a file that holds passwords; False when it says so already."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
    return True


def _reread(where: Places) -> None:
    server = proxy(where)
    added, changed, removed = server.reloadConfig()[0]
    for name in [*changed, *removed]:
        server.stopProcessGroup(name)
        server.removeProcessGroup(name)
    for name in [*added, *changed]:
        server.addProcessGroup(name)


def start(where: Places, name: str) -> None:
    """Nothing when it runs already."""
    try:
        proxy(where).startProcess(name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != ALREADY_STARTED:
            raise StackError(f"{name} did not start: {fault.faultString}. Log: {where.log(name)}") from fault


def stop(where: Places, names: list[str]) -> None:
    """All at once, then wait until all are gone."""
    server = proxy(where)
    for name in names:
        try:
            server.stopProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in (NOT_RUNNING_FAULT, BAD_NAME):
                raise StackError(f"{name} did not stop: {fault.faultString}") from fault
    _until(lambda: not any(_moving(where, name) for name in names), 75, f"still stopping: {', '.join(names)}")


def _moving(where: Places, name: str) -> bool:
    state = states(where).get(name)
    return state is not None and state.state not in ("STOPPED", "EXITED", "FATAL")


def shut_down(where: Places) -> None:
    pid = int(where.supervisor_pid.read_text()) if where.supervisor_pid.exists() else 0
    proxy(where).shutdown()
    _until(lambda: not is_alive(where) and not Path(f"/proc/{pid}").exists(), 30, "supervisord does not end")


def tail(path: Path, lines: int = 15) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _until(condition: Any, seconds: float, failure: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(failure)
        time.sleep(0.1)
