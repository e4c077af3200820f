"""What do connectors keep in the database? Long payloads of rejects, and incidents; none waits when it is away."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import zlib
from collections.abc import Callable
from datetime import datetime

import psycopg

from sql.connect import Connection, connect

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 30.0  # the ingest goes on without the database and looks again after so long
STATEMENT_TIMEOUT_MS = 5_000

_KEEP = """
insert into raw_payload (sha256, received_at, source, bytes, body) values (%s, %s, %s, %s, %s) on conflict do nothing
"""
_INCIDENT = "insert into stream_incident (kind, topic, detail) values (%s, %s, %s)"
_SECRET = "select ciphertext from secret where name = %s"  # noqa: S105 a query; row security shows our own rows only


class Database:
    """One connection of the role `connectors`, used by one thread at a time, made anew when it breaks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._away_until = 0.0

    async def keep_payload(self, payload: bytes, source: str, received_at: datetime) -> str | None:
        """The sha256 under which the payload is stored for 30 days, or None: the database is away."""
        digest = hashlib.sha256(payload).hexdigest()

        def keep(connection: Connection) -> None:
            body = zlib.compress(payload, 6)
            connection.execute(_KEEP, (digest, received_at, source, len(payload), body))

        return digest if await self._try(keep) else None

    async def record_incident(self, kind: str, topic: str, detail: str) -> bool:
        return await self._try(lambda connection: connection.execute(_INCIDENT, (kind, topic, detail)) and None)

    def ciphertext(self, name: str) -> bytes | None:
        """The stored secret of this name. Blocks; for the start of a process. Raises psycopg.Error."""
        with connect(self._dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS, autocommit=True) as connection:
            found = connection.execute(_SECRET, (name,)).fetchone()
        return None if found is None else bytes(found[0])

    async def close(self) -> None:
        async with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    async def _try(self, work: Callable[[Connection], object]) -> bool:
        async with self._turn:
            if time.monotonic() < self._away_until:
                return False
            try:
                await asyncio.to_thread(self._run, work)
            except psycopg.Error as error:
                log.warning("the database is away for connectors: %s", error)
                self._away_until = time.monotonic() + AGAIN_AFTER_S
                self._connection = None
                return False
            return True

    def _run(self, work: Callable[[Connection], object]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS, autocommit=True)
        work(self._connection)
