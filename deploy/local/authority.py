"""Is the simulated water authority told of alerts, and does it know the secret that signs them?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from connectors.webhooks import endpoints
from connectors.webhooks.endpoints import Draft
from demo.sources import secret_variable
from demo.water.authority import PATH
from demo.water.sources import AUTHORITY, ports
from deploy.local.credentials import SECRET_KEY
from schemas.settings import Settings
from sql.connect import Connection, connect
from sql.named import named

VARIABLE = secret_variable(AUTHORITY)
NETWORK = "127.0.0.0/8"  # it is on this machine, which no endpoint is without being allowed to
_OPS = named("ops")


def introduce(settings: Settings, secrets: Path) -> None:
    """Its endpoint is there, for alerts of water, and its secret stands in the district's file of secrets."""
    known = read_variables(secrets)
    secret = _secret(settings, known.get(VARIABLE, ""))
    if known.get(VARIABLE) != secret:
        write_variables(secrets, known | {VARIABLE: secret})


def _secret(settings: Settings, kept: str) -> str:
    """`kept` where it still signs; a new one where nobody knows it any more, or the endpoint is new."""
    url = f"http://127.0.0.1:{ports(settings.ports.demo)[AUTHORITY]}{PATH}"
    key = Fernet(settings.environ[SECRET_KEY].encode())
    with connect(settings.dsn("owner"), autocommit=True) as connection:
        urls = {row[0]: row[3] for row in endpoints.listed(connection)}
        if AUTHORITY in urls and urls[AUTHORITY] != url:  # the demo has other ports now
            endpoints.put_state(connection, AUTHORITY, "removed")
            del urls[AUTHORITY]
        if AUTHORITY not in urls:
            draft = Draft(name=AUTHORITY, url=url, domains=("water",), allowed=(NETWORK,))
            return endpoints.add(connection, draft, key, "demo")
        if kept and kept in _signing(connection, key):
            return kept
        return endpoints.rotate(connection, AUTHORITY, key, 0.0)


def _signing(connection: Connection, key: Fernet) -> set[str]:
    """The secrets of the endpoint that sign now; none where another key encrypted them."""
    try:
        return {
            key.decrypt(bytes(one)).decode()
            for _, _, ciphertexts in _OPS.signers(connection, name=AUTHORITY)
            for one in ciphertexts
        }
    except InvalidToken:
        return set()


def read_variables(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("CITYSENSE_SECRET_"))


def write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """Only its owner reads it."""
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"{name}={value}\n" for name, value in variables.items()))
    partial.replace(path)
