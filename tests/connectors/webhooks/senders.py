"""The sending process for tests: its loops on a thread, the real database, alerts written as streams writes them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from cryptography.fernet import Fernet

from connectors.webhooks import endpoints
from connectors.webhooks.deliver import deliver
from connectors.webhooks.endpoints import Draft
from schemas.settings import Settings, Webhooks
from sql.connect import Connection, connect
from streams.alerts import store
from streams.alerts.episodes import Alert, Change, Clearing, Finding, Subject, step
from tests.conftest import Database

LOOPBACK = ("127.0.0.0/8",)
FOUNDED = datetime(2023, 9, 7, 14, 0, tzinfo=UTC)


def key_of(settings: Settings) -> Fernet:
    return Fernet(settings.environ["CITYSENSE_SECRET_KEY"].encode())


class Town:
    """A database with endpoints and alerts in it."""

    def __init__(self, database: Database) -> None:
        self.settings = msgspec.structs.replace(database.settings, webhooks=Webhooks(heartbeat=False))
        self.database = database
        self.owner = connect(database.dsn("owner"), autocommit=True)
        self.streams = connect(database.dsn("streams"))

    def close(self) -> None:
        self.owner.close()
        self.streams.close()

    def add(self, name: str, url: str, **wishes: Any) -> str:
        wishes.setdefault("allowed", LOOPBACK)
        return endpoints.add(self.owner, Draft(name=name, url=url, **wishes), key_of(self.settings), "test")

    def find(self, subject: str = "buji-1", level: int = 4, *, commit: bool = True, domain: str = "water") -> Alert:
        """The water at `subject` is at `level`: a new alert, or the next revision of the one there is."""
        about = Subject(domain, "level", subject)
        finding = Finding(
            subject=about,
            founded_at=FOUNDED,
            level=level,
            sentence_zh=f"{subject} 水位超过阈值。",
            sentence_en=f"{subject} is above its threshold.",
        )
        return self._write(about, step(self._active(about), [finding], [], self._next(about)), commit)

    def clear(self, subject: str = "buji-1", domain: str = "water") -> Alert:
        about = Subject(domain, "level", subject)
        clearing = Clearing(subject=about, sentence_zh=f"{subject} 解除。", sentence_en=f"{subject}: all clear.")
        return self._write(about, step(self._active(about), [], [clearing], self._next(about)), True)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.owner.execute(query.encode(), values).fetchall()

    def states(self, alert_id: UUID, endpoint: str | None = None) -> list[tuple[int, str]]:
        """(revision, state) of the deliveries of an alert."""
        found = self.rows(
            "select d.revision, d.state from delivery as d join endpoint as e using (endpoint_id)"
            " where d.alert_id = %s and (%s::text is null or e.name = %s) order by 1",
            alert_id,
            endpoint,
            endpoint,
        )
        return [(row[0], row[1]) for row in found]

    def _active(self, about: Subject) -> list[Alert]:
        return [one for one in store.active(self.streams, about.domain, [about.kind]) if one.subject == about]

    def _next(self, about: Subject) -> datetime:
        active = self._active(about)
        return FOUNDED.replace(second=active[0].revision if active else 0)

    def _write(self, about: Subject, changes: list[Change], commit: bool) -> Alert:
        assert len(changes) == 1, "nothing has changed"
        store.write(self.streams, changes)
        if commit:
            self.streams.commit()
        else:
            self.streams.rollback()
        return changes[0].alert


@contextlib.contextmanager
def sending(settings: Settings, processes: int = 1) -> Iterator[None]:
    """The loops of so many sending processes, until the end of the block."""
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    failures: list[BaseException] = []

    def run() -> None:
        async def running() -> None:
            stop = asyncio.Event()
            loops.append((asyncio.get_running_loop(), stop))
            await deliver(settings, stop)

        try:
            asyncio.run(running())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(processes)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for loop, stop in loops:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(stop.set)
        for thread in threads:
            thread.join(30)
        assert not failures, failures


def owner_of(database: Database) -> Connection:
    return connect(database.dsn("owner"), autocommit=True)
