"""A feed process's server on a real socket, in a thread of the test."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
import msgspec
import uvicorn

from dashboards.feed.__main__ import server
from dashboards.feed.app import Application
from schemas.settings import Settings

DEADLINE_S = 20.0


class Running(msgspec.Struct, frozen=True):
    application: Application
    uvicorn: uvicorn.Server
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> httpx.Response:
        named = {"accept-encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(self.url + path, headers=named, timeout=10)

    def shows(self, minute: datetime, revision: int = 1) -> bool:
        edition = self.application.site.edition
        return edition is not None and edition.place >= (minute, revision)


@contextmanager
def running(settings: Settings, *, unlimited: bool = True) -> Iterator[Running]:
    """A server that has started; it need not have a minute yet."""
    if unlimited:
        settings = msgspec.structs.replace(settings, feed=msgspec.structs.replace(settings.feed, requests_per_minute=0))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    made = server(settings, "127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(made.serve([listening])), daemon=True)
    thread.start()
    try:
        until(lambda: made.started)
        yield Running(cast(Application, made.config.app), made, listening.getsockname()[1])
    finally:
        made.should_exit = True
        thread.join(DEADLINE_S)
        listening.close()


def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Waits for what must become true."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.02)


def this_minute() -> datetime:
    """The newest tick, so that what is published is not stale."""
    now = datetime.now(UTC)
    return now.replace(second=0, microsecond=0)


def minutes_before(minute: datetime, count: int) -> datetime:
    return minute - timedelta(minutes=count)
