"""The course of a chaos run: all start, send and are killed; then calm, until all that was accepted is through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
from cryptography.fernet import Fernet
from kafka.errors import KafkaError
from rich.console import Console

from connectors.webhooks import endpoints
from deploy.local.credentials import SECRET_KEY
from deploy.local.places import places
from schemas.settings import Settings
from schemas.topics import PARKING_OBSERVATIONS, WATER_READINGS
from sql.connect import connect
from sql.registers import load_water
from streams.positions import log_states
from tests.chaos import water
from tests.chaos.crew import connector, receiver, sender, worker
from tests.chaos.faults import Fault, faults, faults_of_webhooks, wait_until_up
from tests.chaos.findings import Ends, stored_uplinks, waiting_deliveries
from tests.chaos.load import Client, Offers
from tests.chaos.receiver import set_mood
from tests.chaos.stations import Heard, Stations

CALM_S = 3.0  # between two faults
SETTLE_S = 240.0
PUSH_EVERY_S, SAY_EVERY_S = 0.05, 0.1
WATER_PAST = timedelta(days=30)  # a minute of water passes with each message
APPLIED = (PARKING_OBSERVATIONS, WATER_READINGS)
show = Console(stderr=True)


class Course:
    def __init__(self, settings: Settings, folder: Path, seed: int, clients: int) -> None:
        self.offers, self.heard = Offers(), Heard()
        self._began = time.monotonic()
        self._settings, self._folder, self._seed, self._clients = settings, folder, seed, clients
        self._workers = [worker(settings, folder, number) for number in range(1, 4)]
        self._spare = worker(settings, folder, 4)
        self._spare.wanted = False
        self._push_ports = [settings.ports.push, settings.ports.push + 4]
        self._connectors = [connector(settings, folder, n, port) for n, port in enumerate(self._push_ports, start=1)]
        self._senders = [sender(settings, folder, number) for number in (1, 2)]
        self._receiver = receiver(settings, folder, settings.ports.demo)
        self._crew = [*self._workers, self._spare, *self._connectors, *self._senders, self._receiver]

    async def run(self, seconds: float) -> Ends:
        """Kafka's ends, which all fences have reached."""
        self._prepare()
        stop, quiet = asyncio.Event(), asyncio.Event()
        tending = asyncio.create_task(self._tend(stop))
        start = datetime.now(UTC).replace(second=0, microsecond=0)
        stations = Stations(self._settings, start - WATER_PAST, self.heard, lambda: stored_uplinks(self._settings))
        saying = asyncio.create_task(stations.run(SAY_EVERY_S, quiet))
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=10.0, limits=limits) as http:
            pushing = [
                asyncio.create_task(
                    Client(http, port, f"op-{number}", f"lot-{i}", self.offers).run(
                        start - timedelta(days=1), PUSH_EVERY_S, quiet
                    )
                )
                for number, port in enumerate(self._push_ports, start=1)
                for i in range(self._clients)
            ]
            await self._wait(self._is_under_way, "pushes and readings are confirmed, alerts are told")
            await asyncio.gather(*(self._break_things(kind, seconds) for kind in self._faults()))
            wait_until_up(places(self._settings))
            quiet.set()
            self._say("calm: waiting until all that was said is confirmed")
            await asyncio.wait_for(asyncio.gather(*pushing, saying), SETTLE_S)
        self._say("waiting until it is applied, and told")
        await self._until_drained()
        ends = await self._until_applied()
        self._say("waiting for the last deliveries")
        await self._wait(lambda: not waiting_deliveries(self._settings), "all deliveries are settled")
        stop.set()
        await tending
        for member in self._crew:
            member.end()
        starts = ", ".join(f"{member.name} {member.starts}" for member in self._crew)
        self._say(
            f"{self.offers.attempts} pushes; refused: {dict(self.offers.refusals)}; messages of stations sent again:"
            f" {sum(line.again for line in stations.lines.values())}, uplinks: {stations.gateways.again};"
            f" starts: {starts}"
        )
        return ends

    def _prepare(self) -> None:
        """The register of the stations, and an endpoint that is told of everything."""
        draft = endpoints.Draft(
            name="authority", url=f"http://127.0.0.1:{self._settings.ports.demo}/alerts", allowed=("127.0.0.0/8",)
        )
        with connect(self._settings.dsn("owner"), autocommit=True) as connection:
            load_water(connection, water.register())
            key = Fernet(self._settings.environ[SECRET_KEY].encode())
            (self._folder / "secret").write_text(endpoints.add(connection, draft, key, "chaos"))
        self._mood("ok")

    def _say(self, text: str) -> None:
        show.print(f"{time.monotonic() - self._began:>5.0f} s  {text}", soft_wrap=True)

    def _mood(self, mood: str) -> None:
        set_mood(self._folder, mood)

    def _faults(self) -> list[Iterable[Fault]]:
        settings, seed = self._settings, self._seed
        return [
            faults(places(settings), self._workers, self._spare, self._connectors, settings.brokers, seed),
            faults_of_webhooks(self._senders, self._receiver, self._mood, seed),
        ]

    def _is_under_way(self) -> bool:
        told = self._folder / "told"
        return (
            len(self.offers.confirmed) > 10 * self._clients
            and len(self.heard.confirmed) > 10 * len(water.posts())
            and told.exists()
            and told.stat().st_size > 0
        )

    async def _break_things(self, kind: Iterable[Fault], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for what, do, undo, lasting in kind:
            if time.monotonic() > deadline:
                return
            counts = f"{len(self.offers.confirmed):>6} counts, {len(self.heard.confirmed):>6} readings confirmed"
            self._say(f"[dim]{counts}[/]  {what}")
            do()
            await asyncio.sleep(lasting)
            undo()
            await asyncio.sleep(CALM_S)

    async def _tend(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for member in self._crew:
                member.tend()
            await asyncio.sleep(0.2)

    async def _until_drained(self) -> None:
        """Connectors stay until they have what the MQTT broker holds. What does not come is lost, and no error here."""
        confirmed = {reading for reading in self.heard.confirmed if reading[0].startswith("lora-")}
        with contextlib.suppress(TimeoutError):
            await self._wait(lambda: confirmed <= stored_uplinks(self._settings), "the broker's uplinks are stored", 60)

    async def _until_applied(self) -> Ends:
        """Kafka's ends once nothing comes any more and the fences have reached them. Ticks stop with the connectors."""
        for member in self._connectors:
            member.end()
        ends: Ends = {}

        def applied() -> bool:
            logs = log_states(self._settings.bootstrap, APPLIED)
            ends.update({(topic, number): log.end for topic, found in logs.items() for number, log in found.items()})
            with connect(self._settings.dsn("owner")) as connection:
                rows = connection.execute("select topic, partition, next_offset from stream_fence").fetchall()
            fences = {(topic, partition): offset for topic, partition, offset in rows}
            return all(fences.get(place) == end for place, end in ends.items())

        await self._wait(applied, "the fences reach the ends of the log")
        return ends

    async def _wait(self, holds: Callable[[], bool], what: str, seconds: float = SETTLE_S) -> None:
        """Kafka and the database may be away: then it does not hold yet. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(KafkaError, psycopg.OperationalError):
                if holds():
                    return
            if time.monotonic() > deadline:
                starts = ", ".join(f"{member.name} {member.starts}" for member in self._crew)
                raise TimeoutError(f"not within {seconds:.0f} s: {what} (starts: {starts})")
            await asyncio.sleep(0.3)
