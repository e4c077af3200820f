"""The running feed in a real browser: one feed process, one database, one chromium for a module."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from schemas.minute import LotMinute
from sql.connect import Connection, connect
from tests.browser.district import city, publish, this_minute
from tests.conftest import Database
from tests.dashboards.feed.tables import insert_register
from tests.processes import eventually, running, settings_file

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
PHONE = (390, 800)
DESK = (1366, 768)


class Feed:
    """The feed as one process on one port, and the minutes that it publishes."""

    def __init__(self, database: Database, owner: Connection, folder: Path) -> None:
        self.settings = database.settings
        self.owner = owner
        self.folder = folder
        self.file = settings_file(database.settings, folder, "[feed]\nrequests_per_minute = 0\n")
        self.port = _free_port()
        self.stack = ExitStack()
        self.process: subprocess.Popen[bytes] | None = None
        self.minute = this_minute() - timedelta(minutes=2)
        self.seq = 100
        self.rows: tuple[LotMinute, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self) -> tuple[LotMinute, ...]:
        """The next minute, as the sweep writes it; returns when the feed serves it."""
        self.minute += timedelta(minutes=1)
        self.seq += 1
        self.rows = publish(self.owner, self.minute, seq=self.seq, seed=self.seq)
        if self.process is not None:
            eventually(lambda: self.serves() == self.minute, f"the feed serves {self.minute}")
        return self.rows

    def start(self) -> None:
        self.process = self.stack.enter_context(
            running(self.settings, self.file, "dashboards.feed", "--port", str(self.port))
        )
        eventually(lambda: self.serves() == self.minute, f"the feed serves {self.minute}")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def serves(self) -> datetime | None:
        try:
            answer = httpx.get(f"{self.url}/parking/v1/quality.json", timeout=2)
        except httpx.HTTPError:
            return None
        return datetime.fromisoformat(answer.json()["last_updated"]) if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def feed(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    with connect(module_database.dsn("owner")) as owner:
        insert_register(owner, city())
        found = Feed(module_database, owner, tmp_path_factory.mktemp("feed"))
        with found.stack:
            found.publish()
            found.start()
            yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path is not None, "apt-get install -y chromium"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


class Visit:
    """A browser context whose requests and complaints are written down."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.url = url
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.strangers.append(url)

    def open(self, path: str = "/") -> Page:
        """The page with its list."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector(".lot .figure")
        return self.page

    def map(self) -> None:
        """Waits for the map; by polling, since the page's policy refuses what evaluates strings."""
        self.until("() => document.getElementById('map').maplibre?.loaded() === true", "the map is drawn")

    def until(self, script: str, what: str) -> None:
        def holds() -> bool:
            self.page.wait_for_timeout(20)  # playwright hands on what the browser says only while it is called
            return bool(self.page.evaluate(script))

        eventually(holds, what, 30)


@pytest.fixture
def visit(browser: Browser, feed: Feed) -> Iterator[Callable[..., Visit]]:
    """A page of an ordinary visitor: at its end it has complained of nothing and has asked no other host."""
    visits: list[Visit] = []

    def of(size: tuple[int, int] = PHONE, **options: Any) -> Visit:
        options = {"locale": "zh-CN", **options}
        found = Visit(browser.new_context(viewport={"width": size[0], "height": size[1]}, **options), feed.url)
        visits.append(found)
        return found

    yield of
    for one in visits:
        one.context.close()
    assert [line for one in visits for line in one.complaints] == []
    assert [url for one in visits for url in one.strangers] == []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
