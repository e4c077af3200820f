"""Which passwords does the local stack have, and which process is given which?"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

import msgspec
from cryptography.fernet import Fernet

from deploy.local.places import Places, places
from deploy.local.progress import StackError
from schemas.settings import Settings

ROLES = ("owner", "streams", "connectors", "feed", "ops")
ADMIN = "admin"  # the superuser: extensions, backups; no process of the platform has its password
SECRET_KEY = "CITYSENSE_SECRET_KEY"  # noqa: S105 the name of a variable


def password_variable(role: str) -> str:
    return f"CITYSENSE_DB_PASSWORD_{role.upper()}"


def ensure_credentials(where: Places) -> dict[str, str]:
    """Those of the instance, made at the first start into a file that only its owner reads."""
    kept = read_credentials(where)
    wanted = [password_variable(role) for role in (*ROLES, ADMIN)]
    missing = [name for name in wanted if name not in kept]
    if not missing and SECRET_KEY in kept:
        return kept
    made = kept | {name: secrets.token_urlsafe(24) for name in missing}
    made.setdefault(SECRET_KEY, Fernet.generate_key().decode())
    text = "".join(f"{name}={value}\n" for name, value in made.items())
    partial = where.secrets.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(where.secrets)
    return made


def read_credentials(where: Places) -> dict[str, str]:
    try:
        text = where.secrets.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise StackError(f"{where.secrets} belongs to another user: run the command as the one who made it") from error
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def environment(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The CITYSENSE_ variables of this instance: those that are set, and over them those of the local database.

    A database that citysense.toml names has its passwords in the environment already.
    """
    where = places(settings)
    given = os.environ if environ is None else environ
    ours = {name: value for name, value in given.items() if name.startswith("CITYSENSE_")}
    if settings.local_database:
        ours |= read_credentials(where)
    ours["CITYSENSE_INSTANCE"] = settings.instance
    ours["CITYSENSE_STATE_DIR"] = str(where.instance)
    return ours


def with_environment(settings: Settings) -> Settings:
    """The same settings with the passwords in, so that settings.dsn(role) connects."""
    return msgspec.structs.replace(settings, environ=environment(settings))


def environment_of(
    role: str, holds_secrets: bool, every: Mapping[str, str], *, holds_key: bool = False
) -> dict[str, str]:
    """What one process is given: its own role's password; vendors' secrets and their key only where it needs them."""
    passwords = {password_variable(one) for one in (*ROLES, ADMIN)}
    mine = {}
    for name, value in every.items():
        if name in passwords:
            if role and name == password_variable(role):
                mine[name] = value
        elif name.startswith("CITYSENSE_SECRET_"):
            if holds_secrets or (holds_key and name == SECRET_KEY):
                mine[name] = value
        else:
            mine[name] = value
    return mine
