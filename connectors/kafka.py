"""How do rows get into the log? Grouped per partition, bounded, in order, each delivery confirmed or refused.

The tick. The fence of a partition takes the newest received_at for its clock, so a tick that says 12:00:05 must not
stand in a partition before a row that was received at 12:00:04. Two things see to it. A tick queues behind the rows
that are already in its lane, and a lane sends one record at a time. And what is not in a lane yet (a poll under way, a
payload being decoded, a minute on the spool) holds the clock at its received_at: a tick's time is the least of now and
of all holds, so whatever is published later was received no earlier. The one exception is a push that was refused and
is sent again: it keeps its first received_at, and no promise of its sender is worth stopping the clock of a city.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from connectors.lanes import Lane, NotConfirmed, Parcel, Ticket
from connectors.producer import Producer
from schemas import settings, topics
from schemas.alerts import ACKNOWLEDGED, AlertAcknowledged
from schemas.batch import SCHEMA_OF, Row, encode_row
from schemas.parking import Observation
from schemas.registers import ShareWindowChange
from schemas.source import Tick
from schemas.water import StationReading, StationTest

_IN_MANY = ("tick.v1", ACKNOWLEDGED)
TOPIC_OF_SCHEMA = {schema: topic for topic in topics.TOPICS for schema in topic.schemas if schema not in _IN_MANY}
AWAY_AFTER_S = 6.0  # no confirmation for so long while a record waits: the broker is away, new deliveries are refused
TICK_PHASE_S = 1.0  # of the wall's minute
ENCODE_SLICE = 2_000  # rows between two looks at the event loop


class Publisher:
    """The way of all rows of one connector process into Kafka. `await publish(rows)` returns when they are safe."""

    def __init__(
        self,
        bootstrap: str,
        limits: settings.Publisher,
        written: Iterable[topics.Topic],
        connector: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        unticked: Iterable[topics.Topic] = (),
    ) -> None:
        """`unticked` topics are written too, but their clock is kept by those who bring their readings."""
        self.limits = limits
        self.connector = connector
        self.now = now
        self._producer = Producer(bootstrap, limits, connector)
        self._lanes = {
            (topic.name, partition): Lane(topic.name, partition, limits, self._send, self._account)
            for topic in {*written, *unticked}
            for partition in range(topic.partitions)
        }
        self._ticked = [lane for (name, _), lane in self._lanes.items() if name in {topic.name for topic in written}]
        self._entrance = asyncio.Lock()
        self._room = asyncio.Event()
        self._holds: dict[int, datetime] = {}
        self._next_hold = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._ticking: asyncio.Task[None] | None = None
        self._closing = False
        self.pending_rows = 0
        self.pending_bytes = 0
        self.sent_records = 0
        self.sent_rows = 0

    @property
    def is_away(self) -> bool:
        """No broker confirms. New deliveries are refused at once; the ticks in the lanes find out when it is back."""
        return self._producer.stalled_s() > AWAY_AFTER_S

    def start(self, *, ticking: bool = True) -> None:
        self._tasks = [asyncio.create_task(lane.run()) for lane in self._lanes.values()]
        if ticking:
            self._ticking = asyncio.create_task(self._tick_forever())

    async def publish(self, rows: Sequence[Row], timeout_s: float | None = None) -> None:
        """Returns when the broker has confirmed every row. Raises NotConfirmed."""
        await (await self.offer(rows, timeout_s)).confirmed()

    async def offer(self, rows: Sequence[Row], timeout_s: float | None = None) -> Ticket:
        """Put the rows in line, in the order of the calls. Waits while too much waits already. Raises NotConfirmed."""
        timeout_s = self.limits.delivery_timeout_ms / 1_000 if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        if self.is_away or self._closing:  # before the work of encoding: thousands may knock
            raise NotConfirmed(self._reason())
        ticket = Ticket()
        parcels = await self._parcels(rows, ticket)
        if not parcels:
            ticket.confirm(0)
            return ticket
        try:
            async with asyncio.timeout(timeout_s), self._entrance:
                await self._until_there_is_room(ticket.waiting_rows, sum(parcel.size for _, parcel in parcels))
        except TimeoutError as error:
            raise NotConfirmed(f"no room within {timeout_s:g} s: {self.pending_rows} rows wait for Kafka") from error
        for lane, parcel in parcels:
            lane.put(parcel)
        ticket.timer = asyncio.get_running_loop().call_later(
            max(0.0, deadline - time.monotonic()), self._refuse, ticket, f"not confirmed within {timeout_s:g} s"
        )
        return ticket

    def hold(self, received_at: datetime) -> Callable[[], None]:
        """Hold the clock: no tick goes past `received_at` until the returned function is called."""
        number, self._next_hold = self._next_hold, self._next_hold + 1
        self._holds[number] = received_at

        def release() -> None:
            self._holds.pop(number, None)

        return release

    def tick(self) -> None:
        """Put the clock of this process into every partition, behind what is in line there."""
        at = min((self.now(), *self._holds.values()))
        encoded = encode_row(Tick(received_at=at, connector=self.connector))
        for lane in self._ticked:
            if lane.last_tick is None or lane.last_tick.settled.done():
                lane.last_tick = ticket = Ticket()
                parcel = Parcel("tick.v1", ticket)
                parcel.rows.append(encoded)
                parcel.size = len(encoded)
                ticket.waiting_rows = 1
                lane.put(parcel)

    async def close(self, timeout_s: float = 10.0) -> None:
        """Send what is in line, then refuse what is left. New offers are refused at once."""
        self._closing = True
        deadline = time.monotonic() + timeout_s
        if self._ticking is not None:
            self._ticking.cancel()
        if not self.is_away:
            waiting = [ticket.settled for lane in self._lanes.values() for ticket in lane.tickets()]
            if waiting:
                await asyncio.wait(waiting, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self._lanes.values():
            for ticket in lane.tickets():
                ticket.refuse("the connector stops")
        await self._producer.close(max(0.0, deadline - time.monotonic()))

    async def _send(self, topic: str, partition: int, record: bytes, rows: int) -> None:
        await self._producer.send(topic, partition, record)
        self.sent_records += 1
        self.sent_rows += rows

    def _account(self, rows: int, size: int) -> None:
        self.pending_rows += rows
        self.pending_bytes += size
        self._room.set()

    async def _parcels(self, rows: Sequence[Row], ticket: Ticket) -> list[tuple[Lane, Parcel]]:
        parcels: dict[tuple[Lane, str], Parcel] = {}
        for start in range(0, len(rows), ENCODE_SLICE):
            if start:
                await asyncio.sleep(0)
            for row in rows[start : start + ENCODE_SLICE]:
                schema = SCHEMA_OF[type(row)]
                topic = _topic(row, schema)
                lane = self._lanes[topic.name, topics.partition_of(_key(row), topic.partitions)]
                parcel = parcels.get((lane, schema))
                if parcel is None:
                    parcel = parcels[lane, schema] = Parcel(schema, ticket)
                encoded = encode_row(row)
                parcel.rows.append(encoded)
                parcel.size += len(encoded) + 1
        ticket.waiting_rows = len(rows)
        return [(lane, parcel) for (lane, _), parcel in parcels.items()]

    async def _until_there_is_room(self, rows: int, size: int) -> None:
        while True:
            if self.is_away or self._closing:
                raise NotConfirmed(self._reason())
            fits = self.pending_rows + rows <= self.limits.pending_rows
            if not self.pending_rows or (fits and self.pending_bytes + size <= self.limits.pending_bytes):
                return
            self._room.clear()
            await self._room.wait()

    def _reason(self) -> str:
        if self._closing:
            return "the connector stops"
        return f"Kafka has confirmed nothing for {self._producer.stalled_s():.0f} s"

    def _refuse(self, ticket: Ticket, reason: str) -> None:
        ticket.refuse(reason)
        for lane in self._lanes.values():
            lane.sweep()

    async def _tick_forever(self) -> None:
        """Every tick_s, counted from a second past the minute: the minute waits 4 s for the clock to pass it."""
        every_s = self.limits.tick_s
        while True:
            self.tick()
            await asyncio.sleep(every_s - (self.now().timestamp() - TICK_PHASE_S) % every_s)


def _topic(row: Row, schema: str) -> topics.Topic:
    return topics.topic_of_domain(row.domain) if isinstance(row, AlertAcknowledged) else TOPIC_OF_SCHEMA[schema]


def _key(row: Row) -> bytes:
    """What chooses the partition of a row: its series where it has one, what an act is about, else its source."""
    if isinstance(row, (Observation, ShareWindowChange)):
        return topics.series_key(row.source, row.ref)
    if isinstance(row, (StationReading, StationTest)):
        return topics.series_key(row.source, row.station)
    if isinstance(row, AlertAcknowledged):
        return str(row.alert_id).encode()
    return row.connector.encode() if isinstance(row, Tick) else row.source.encode()
