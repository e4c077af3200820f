"""Where is everything of the local stack, and who owns it?"""

from __future__ import annotations

import hashlib
import os
import pwd
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from schemas.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SYSTEM_STATE = Path("/var/lib/citysense")
SYSTEM_USER = "citysense"  # PostgreSQL refuses to run as root
SOCKET_PATH_LIMIT = 100  # a Unix socket's address is 108 bytes at most


class Places(msgspec.Struct, frozen=True):
    """The folders and files of one instance. Programs are shared by all instances."""

    root: Path
    instance: Path
    as_root: bool

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    @property
    def kafka_jars(self) -> Path:
        return self.programs / "kafka"

    @property
    def postgres_tree(self) -> Path:
        return self.programs / "postgres"

    @property
    def postgres_bin(self) -> Path:
        return self.postgres_tree / "usr/lib/postgresql/17/bin"

    @property
    def postgres_data(self) -> Path:
        return self.instance / "postgres"

    @property
    def mosquitto(self) -> Path:
        return self.instance / "mosquitto"

    @property
    def logs(self) -> Path:
        return self.instance / "logs"

    @property
    def spool(self) -> Path:
        return self.instance / "spool"

    @property
    def secrets(self) -> Path:
        return self.instance / "secrets.env"

    @property
    def supervisor_conf(self) -> Path:
        return self.instance / "supervisord.conf"

    @property
    def platform_conf(self) -> Path:
        return self.instance / "platform.conf"

    @property
    def supervisor_socket(self) -> Path:
        beside = self.instance / "supervisor.sock"
        if len(str(beside)) <= SOCKET_PATH_LIMIT:
            return beside
        short = hashlib.sha256(str(self.instance).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"citysense-{os.geteuid()}-{short}.sock"

    @property
    def supervisor_pid(self) -> Path:
        return self.instance / "supervisord.pid"

    def kafka_data(self, node: int) -> Path:
        return self.instance / ("kafka" if node == 1 else f"kafka-{node}")

    def kafka_properties(self, node: int) -> Path:
        return self.instance / f"kafka-{node}.properties"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    @property
    def service_user(self) -> dict[str, Any]:
        """What subprocess needs to run a program of the stack under its own user."""
        if not self.as_root:
            return {}
        entry = pwd.getpwnam(SYSTEM_USER)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def give_to_service(self, path: Path) -> None:
        if self.as_root:
            entry = pwd.getpwnam(SYSTEM_USER)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def places(settings: Settings) -> Places:
    """`.local` in the checkout; as root /var/lib/citysense; or what [stack] state_dir says."""
    as_root = os.geteuid() == 0
    if settings.stack.state_dir:
        root = Path(settings.stack.state_dir).expanduser().resolve()
    else:
        root = SYSTEM_STATE if as_root else CHECKOUT / ".local"
    return Places(root=root, instance=root / settings.instance, as_root=as_root)
