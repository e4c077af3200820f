"""How does a process reach the database? One place for connections, their limits and the settings file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from schemas.settings import Settings, SettingsError, parse

Connection = psycopg.Connection[tuple[Any, ...]]
SETTINGS_FILE = "citysense.toml"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the file that CITYSENSE_SETTINGS names, else of citysense.toml in the checkout.

    Raises SettingsError.
    """
    env = os.environ if environ is None else environ
    path = Path(env.get("CITYSENSE_SETTINGS", Path(__file__).parent.parent / SETTINGS_FILE))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. CITYSENSE_SETTINGS names another file.") from error
    return parse(text, env)


def connect(dsn: str, *, statement_timeout_ms: int = 30_000, autocommit: bool = False) -> Connection:
    """A connection that notices a dead peer, and holds locks for no longer than it must.

    Raises psycopg.OperationalError when the database is away.
    """
    connection = psycopg.connect(
        dsn,
        autocommit=autocommit,
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=20_000,
        options=(
            f"-c statement_timeout={statement_timeout_ms} -c lock_timeout=8000"
            " -c idle_in_transaction_session_timeout=30000 -c timezone=UTC"
        ),
        row_factory=tuple_row,
    )
    connection.prepare_threshold = 3
    return connection
