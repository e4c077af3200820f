"""A connector process under attack: what it is asked, what it keeps, and how much memory it takes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx

from tests.proof.chain import SECRET, Chain, free_port, listens, resident_kb, secret_variable
from tests.proof.hostile import Ground, good_message
from tests.proof.lots import Message

BODY_LIMITS = {"push_body_timeout_s": 2.0, "push_head_timeout_s": 2.0, "total_timeout_s": 5.0}
_STORED = """
select o.observed_at, o.free from parking_series as s join parking_observation as o using (series_id)
where s.source = %s
"""
_HEALTH = "select source, error from source_health where source = any(%s)"


class Attacked:
    """A connector process of its own under attack, on the Kafka, worker and database of the city."""

    def __init__(self, city: Chain, ground: Ground, port: int) -> None:
        self.city = city
        self.ground = ground
        self.port = port
        self.pushed: dict[datetime, int] = {}
        self.rss_kb = 0

    def push_good(self) -> None:
        now = datetime.now(UTC)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # it travels in milliseconds
        free = len(self.pushed) % 100
        assert self.city.push("good-push", good_message(at, free), self.port).status_code == 200
        self.pushed[at] = free

    def stored(self, source: str) -> dict[datetime, int]:
        return dict(self.city.ask(_STORED, source))

    def reasons(self, source: str) -> set[str]:
        """Of the dead letters of a source."""
        return {letter["reason"] for letter in self.city.letters(source)}

    def errors(self, *sources: str) -> dict[str, str]:
        """What is wrong with each source, as the platform has it of its health."""
        return {name: error or "" for name, error in self.city.ask(_HEALTH, list(sources))}

    def post(self, body: bytes, source: str = "bad-push", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.city.push(source, Message(body=body, headers=named), self.port)

    def raw(self, data: bytes) -> bytes:
        """All that is answered to these bytes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as one:
            one.sendall(data)
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := one.recv(65536):
                    said += piece
            return said


@contextlib.contextmanager
def attack(city: Chain) -> Iterator[Attacked]:
    """Both good sources speak, the memory of the process is taken, and then the bad ones begin."""
    port = free_port()
    with Ground().serving() as ground, contextlib.ExitStack() as ends:
        file = city.write_settings("attacked", ground.supplies(), port, **BODY_LIMITS)
        for supply in ground.supplies():
            city.settings.environ.setdefault(secret_variable(supply.name), SECRET)
        process = ends.enter_context(city.start("attacked", "connectors", "run", file=file))
        ends.callback(city.processes.pop, "attacked")
        city.eventually(lambda: listens(port), "the attacked connector listens")
        under = Attacked(city, ground, port)
        under.push_good()
        city.eventually(lambda: len(ground.said) >= 3, "the good source is polled")
        under.rss_kb = resident_kb(process)
        ground.attack.set()
        yield under
