"""When is there a new minute? A thread that listens to the database, looks each second anyway, and makes editions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg

from dashboards.feed.edition import Edition
from dashboards.feed.rows import KnownRegister, newest_run, register_of, snapshot
from dashboards.feed.snapshot import Publisher
from dashboards.feed.store import edition_of
from sql.connect import Connection, connect

CHANNEL = "parking_minute"
POLL_S = 1.0
RECONNECT_S = 1.0
STATEMENT_TIMEOUT_MS = 10_000

log = logging.getLogger("citysense.feed")


class Watch:
    """Calls publish(edition) for each newer minute and database(there, at) when the database goes and comes."""

    def __init__(
        self,
        dsn: str,
        publisher: Publisher,
        publish: Callable[[Edition], None],
        database: Callable[[bool, datetime], None],
    ) -> None:
        self.dsn = dsn
        self.publisher = publisher
        self.publish = publish
        self.database = database
        self.stopping = threading.Event()
        self.known: KnownRegister | None = None
        self.edition: Edition | None = None
        self.thread = threading.Thread(target=self.run, name="watch", daemon=True)

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with connect(self.dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS, autocommit=True) as connection:
                    connection.execute(f"listen {CHANNEL}")
                    self.database(True, datetime.now(UTC))
                    self._follow(connection)
            except psycopg.Error as error:
                self.database(False, datetime.now(UTC))
                log.warning("the database is away: %s", str(error).strip())
                self.stopping.wait(RECONNECT_S)
            except Exception:  # a minute that cannot be shown must not end the feed: the one before is served, stale
                self.database(False, datetime.now(UTC))
                log.exception("the newest minute cannot be shown")
                self.stopping.wait(RECONNECT_S)

    def stop(self) -> None:
        self.stopping.set()

    def _follow(self, connection: Connection) -> None:
        while not self.stopping.is_set():
            self._look(connection)
            for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                pass

    def _look(self, connection: Connection) -> None:
        run = newest_run(connection)
        if run is None or (self.edition is not None and (run.minute, run.revision) <= self.edition.place):
            return
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read read only")
            self.known = register_of(connection, self.known)
            found = snapshot(connection, run, self.known, self.publisher)
        self.edition = edition_of(connection, found, self.known.register, self.edition)
        self.publish(self.edition)
