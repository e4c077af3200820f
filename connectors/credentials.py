"""What is the secret that a vendor shares with us? From the environment first, else from table `secret`, encrypted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg
from cryptography.fernet import Fernet, InvalidToken

KEY = "CITYSENSE_SECRET_KEY"  # encrypts the rows of table secret


class NoSecret(Exception):
    """There is none of this name, or it cannot be read; the message never holds any of it."""


def variable_of(name: str) -> str:
    return "CITYSENSE_SECRET_" + name.upper().replace("-", "_")


def secret_of(name: str, environ: Mapping[str, str], stored: Callable[[str], bytes | None]) -> str:
    """The secret called `name`. `stored` reads the ciphertext of a name, or raises psycopg.Error. Raises NoSecret."""
    variable = variable_of(name)
    if variable == KEY:
        raise NoSecret(f"{name!r} is the name of the key itself; call the secret otherwise")
    if environ.get(variable):
        return environ[variable]
    if not environ.get(KEY):
        raise NoSecret(f"neither {variable} nor {KEY} (for table secret) is in the environment")
    try:
        ciphertext = stored(name)
    except psycopg.Error as error:
        raise NoSecret(f"{variable} is not in the environment and table secret cannot be read: {error}") from error
    if ciphertext is None:
        raise NoSecret(f"{variable} is not in the environment and table secret has no row {name!r}")
    try:
        return Fernet(environ[KEY].encode()).decrypt(ciphertext).decode()
    except (InvalidToken, ValueError) as error:
        raise NoSecret(f"the row {name!r} of table secret is not encrypted with this {KEY}") from error
