"""How do stations come in? One server a source, a line per connection, an answer only when the readings are safe.

What a connection says is told by its dialogue (connectors/water/dialogues.py). A message becomes a delivery; its answer
goes out when Kafka has confirmed every row, none when it has not: the station sends again. Limits on everything that
a connection may hold, so that a slow or hostile one hurts nobody: a stranger makes room for the next one, has little
time and few tries, and only so many messages of a connection wait at a time; then it is not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Counter, Gauge

from connectors.decoding import Decoded, SourceContext
from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery, Holds
from connectors.transports.resent import FirstHeard
from connectors.water.dialogues import Dialogue, Task
from connectors.water.stations import StationFacts, Stations
from connectors.water.upkeep import First, Upkeep, Wish, after_message, after_readings, after_recall
from schemas.settings import Connectors, Source
from schemas.water import StationReading

log = logging.getLogger(__name__)

SWEEP_S = 2.0
UNREAD_BYTES = 64 * 1024  # answers that a station leaves unread
TRIES = 8  # frames that are not believed, before the first that is
CONNECTIONS = Gauge("citysense_station_connections", "Open connections of stations", ["source"])
REFUSED = Counter("citysense_station_refused", "Frames and bytes that were refused, by reason", ["source", "reason"])


class NoSession(Exception):
    """The station is not connected, or its connection ended before it answered."""


class StationServer:
    """One source's side: an async iterator of its deliveries, and the sessions of its stations.

    tell   a reject that has no answer to wait for: strangers, noise
    wish   a question that the upkeep of a station wants asked
    """

    def __init__(
        self,
        source: Source,
        limits: Connectors,
        dialogue: Callable[[], Dialogue],
        stations: Callable[[], Stations],
        holds: Holds,
        health: SourceHealth,
        tell: Callable[[Task, datetime], None],
        wish: Callable[[str, Wish], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.source, self.limits, self.dialogue, self.now = source, limits, dialogue, now
        self.holds, self.health = holds, health
        self._stations, self._tell, self._wish = stations, tell, wish
        self._lines: dict[_Line, None] = {}  # oldest first
        self._strangers: dict[_Line, None] = {}
        self._sessions: dict[str, _Line] = {}
        self._questions: dict[str, tuple[str, asyncio.Future[dict[str, int]]]] = {}
        self._upkeep: dict[str, Upkeep] = {}
        self._longest_gap = timedelta(days=limits.station_gap_days)
        self._first_heard = FirstHeard()
        self._coming: asyncio.Queue[Delivery] = asyncio.Queue()  # bounded by connections and their unanswered messages
        self.listening = asyncio.Event()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        _allow_sockets(self.limits.station_connections)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Line(self), self.limits.bind, self.source.port, backlog=1024, reuse_address=True
        )
        sweeping = loop.create_task(self._sweep_forever())
        self.listening.set()
        log.info("%s: stations may connect to %s:%d", self.source.name, self.limits.bind, self.source.port)
        try:
            while True:
                yield await self._coming.get()
        finally:
            server.close()
            sweeping.cancel()
            for line in list(self._lines):
                line.hang_up()

    def is_connected(self, station: str) -> bool:
        return station in self._sessions

    def is_busy(self, station: str) -> bool:
        return station in self._questions

    def facts(self, station: str) -> StationFacts | None:
        return self._stations().get(station)

    async def ask(self, station: str, kind: str, params: Mapping[str, Any]) -> dict[str, int]:
        """How many rows and rejects the answer had, when they are safe.

        Raises NoSession, Unsayable, or TimeoutError when the station does not answer.
        """
        line = self._sessions.get(station)
        if line is None:
            raise NoSession(f"{station} is not connected")
        data = line.dialogue.question(station, kind, params, self.now())
        answered: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        self._questions[station] = (kind, answered)
        try:
            line.write(data)
            async with asyncio.timeout(self.limits.station_answer_s):
                return await answered
        finally:
            self._questions.pop(station, None)

    def firsts(self) -> dict[str, First]:
        """The first reports of stations that may be asked, and of which it is not known what they sent before."""
        stations = self._stations()
        return {
            station: state.first
            for station, state in self._upkeep.items()
            if state.first is not None and (facts := stations.get(station)) is not None and facts.may_query
        }

    def recall(self, station: str, newest_at: datetime | None) -> None:
        """The newest reading of a station from before its first report is known; None: there is none."""
        now = self.now()
        self._keep_up(station, lambda state, facts: after_recall(state, facts, newest_at, now, self._longest_gap))

    # what lines say

    def opened(self, line: _Line) -> None:
        self._lines[line] = self._strangers[line] = None
        CONNECTIONS.labels(self.source.name).set(len(self._lines))
        if len(self._lines) > self.limits.station_connections:
            first = next(iter(self._strangers))  # the new one itself, when all others are known
            self._count("no_room")
            first.hang_up()

    def closed(self, line: _Line) -> None:
        self._lines.pop(line, None)
        self._strangers.pop(line, None)
        CONNECTIONS.labels(self.source.name).set(len(self._lines))
        for station in line.stations:
            if self._sessions.get(station) is line:
                del self._sessions[station]
                question = self._questions.get(station)
                if question is not None and not question[1].done():
                    question[1].set_exception(NoSession(f"{station} hung up"))

    def heard(self, line: _Line, task: Task, at: datetime) -> None:
        """Does a task of a line. The rows of a message that is believed are a delivery."""
        if task.told is not None:
            self._count(task.told)
            self._tell(task, at)
        elif task.station is not None:
            self._strangers.pop(line, None)
            self._sessions[task.station] = line
            self._keep_up(task.station, lambda state, facts: after_message(state, facts, task.ahead_s, at))
            if task.decode is None:
                self.health.succeeded(at)
            else:
                self._deliver(line, task, task.station, task.decode, at)

    def _deliver(
        self, line: _Line, task: Task, station: str, decode: Callable[[SourceContext], Decoded], at: datetime
    ) -> None:
        self.health.polled()
        first_at = self._first_heard.at(task.raw, at) if task.has_serial else at
        release = self.holds.hold(first_at)
        line.waits()
        found: Decoded | None = None

        def decoded(source: SourceContext) -> Decoded:
            nonlocal found
            found = decode(source)
            return found

        async def acknowledge() -> None:
            release()
            line.settled()
            self.health.succeeded(self.now())
            facts = self.facts(station)
            if task.answer is not None:
                stay_online = facts is not None and (facts.may_query or facts.may_set_clock)
                answer = task.answer(self.now(), stay_online)
                if answer is not None:
                    line.write(answer)
            if found is not None:
                self._answered(station, task.answers, found)
                readings = [row for row in found.rows if isinstance(row, StationReading) and row.station == station]
                self._keep_up(
                    station, lambda state, known: after_readings(state, known, readings, at, self._longest_gap)
                )

        async def refuse(reason: str) -> None:
            release()
            line.settled()
            self.health.failed(reason)

        self._coming.put_nowait(
            Delivery(payload=task.raw, received_at=first_at, acknowledge=acknowledge, refuse=refuse, decode=decoded)
        )

    def _answered(self, station: str, kind: str | None, found: Decoded) -> None:
        question = self._questions.get(station)
        if question is not None and question[0] == kind and not question[1].done():
            question[1].set_result({"rows": len(found.rows), "rejects": len(found.rejects)})

    def _keep_up(self, station: str, step: Callable[[Upkeep, StationFacts], tuple[Upkeep, Sequence[Wish]]]) -> None:
        facts = self.facts(station)
        if facts is not None and (facts.may_query or facts.may_set_clock):
            state, wishes = step(self._upkeep.get(station, Upkeep()), facts)
            self._upkeep[station] = state
            for wish in wishes:
                self._wish(station, wish)

    def _count(self, reason: str) -> None:
        REFUSED.labels(self.source.name, reason).inc()

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            at = time.monotonic()
            for line in list(self._lines):
                line.look(at, line in self._strangers)


class _Line(asyncio.Protocol):
    """One connection."""

    __slots__ = ("_begun", "_last", "_looked", "_noise", "_server", "_tries", "_unanswered", "dialogue", "stations",
                 "transport")  # fmt: skip

    def __init__(self, server: StationServer) -> None:
        self._server = server
        self._begun = self._last = self._looked = time.monotonic()
        self._noise = self._tries = self._unanswered = 0
        self.dialogue = server.dialogue()
        self.stations: set[str] = set()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what a protocol of a TCP server is given
        self.transport = transport
        transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.closed(self)
        self._do(self.dialogue.close(self._server.now()))

    def data_received(self, data: bytes) -> None:
        self._last = time.monotonic()
        self._noise += len(data)
        self._do(self.dialogue.receive(data, self._server.now()))
        noise = self._noise - self.dialogue.held_bytes
        if noise > self._server.limits.station_noise_bytes or (self._tries >= TRIES and not self.stations):
            self.hang_up()

    def pause_writing(self) -> None:
        self.hang_up()  # it does not read its answers

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def hang_up(self) -> None:
        self.transport.abort()

    def waits(self) -> None:
        self._unanswered += 1
        if self._unanswered == self._server.limits.station_unanswered:
            self.transport.pause_reading()

    def settled(self) -> None:
        self._unanswered -= 1
        if self._unanswered == self._server.limits.station_unanswered - 1 and not self.transport.is_closing():
            self.transport.resume_reading()

    def look(self, at: float, is_stranger: bool) -> None:
        """Every few seconds: has it been silent, a stranger, or open for too long?"""
        limits = self._server.limits
        silent_s = at - self._last
        is_late = is_stranger and at - self._begun > limits.station_first_frame_s
        if is_late or silent_s > limits.station_idle_s or at - self._begun > limits.station_total_s:
            self.hang_up()
        elif silent_s > limits.station_packet_s and at - self._looked > limits.station_packet_s:
            self._looked = at
            self._do(self.dialogue.overdue(self._server.now()))

    def _do(self, tasks: list[Task]) -> None:
        at = self._server.now()
        for task in tasks:
            if task.told is not None:
                self._tries += 1
            elif task.station is not None:
                self.stations.add(task.station)
                self._noise = self.dialogue.held_bytes
            if task.at_once is not None:
                self.write(task.at_once)
            self._server.heard(self, task, at)


def _allow_sockets(connections: int) -> None:
    """As many open files as the connections need, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 512
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
