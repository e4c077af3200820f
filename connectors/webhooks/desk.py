"""How do many loops use the database without waiting for each other? A few threads, each with its connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sql.connect import Connection, connect

THREADS = 4
STATEMENT_TIMEOUT_MS = 5_000

T = TypeVar("T")


class Desk:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="desk")
        self._own = threading.local()
        self._open: set[Connection] = set()

    async def do(self, work: Callable[[Connection], T]) -> T:
        """One transaction; committed when `work` returns. Raises psycopg.OperationalError when the database is away."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for connection in self._open:
            connection.close()

    def _do(self, work: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None or connection.closed:
            connection = connect(self._dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
            self._own.connection = connection
            self._open.add(connection)
        try:
            with connection.transaction():
                return work(connection)
        except BaseException:
            self._open.discard(connection)
            self._own.connection = None
            connection.close()
            raise
