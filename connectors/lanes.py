"""What waits in line for one partition? Parcels of deliveries, in order, one record on its way at a time."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from connectors.producer import SendFailed
from schemas.batch import join
from schemas.settings import Publisher

log = logging.getLogger(__name__)


class NotConfirmed(Exception):
    """The broker has not confirmed every row of this delivery, so its source must keep it."""


class Ticket:
    """The receipt of one delivery: done when its last row is confirmed, refused when its time is up."""

    def __init__(self) -> None:
        self.waiting_rows = 0
        self.refused = False
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.timer: asyncio.TimerHandle | None = None

    async def confirmed(self) -> None:
        """Returns when every row is confirmed. Raises NotConfirmed."""
        await asyncio.shield(self.settled)

    def confirm(self, rows: int) -> None:
        self.waiting_rows -= rows
        if self.waiting_rows == 0 and not self.settled.done():
            self._settle(None)

    def refuse(self, reason: str) -> None:
        self.refused = True
        if not self.settled.done():
            self._settle(NotConfirmed(reason))

    def _settle(self, error: NotConfirmed | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if error is None:
            self.settled.set_result(None)
        else:
            self.settled.set_exception(error)
            self.settled.exception()  # looked at: a ticket that nobody waits for is no unhandled error


class Parcel:
    """Encoded rows of one schema of one delivery, on their way to one partition."""

    __slots__ = ("rows", "schema", "size", "ticket")

    def __init__(self, schema: str, ticket: Ticket) -> None:
        self.schema = schema
        self.ticket = ticket
        self.rows: list[bytes] = []
        self.size = 0


class Lane:
    """One partition of one topic: rows in order, one record on its way at a time.

    send     one record to the broker: returns when it is confirmed, raises SendFailed
    account  how many rows and bytes came (or went, negative)
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        limits: Publisher,
        send: Callable[[str, int, bytes, int], Awaitable[None]],
        account: Callable[[int, int], None],
    ) -> None:
        self._topic = topic
        self._partition = partition
        self._limits = limits
        self._send_record = send
        self._account = account
        self._line: deque[Parcel] = deque()
        self._rows = 0
        self._bytes = 0
        self._since = 0.0  # when the oldest parcel in line came
        self._filled = asyncio.Event()
        self._sending: list[Parcel] = []
        self.last_tick: Ticket | None = None

    def put(self, parcel: Parcel) -> None:
        if not self._line:
            self._since = time.monotonic()
        self._line.append(parcel)
        self._add(len(parcel.rows), parcel.size)
        self._filled.set()

    def tickets(self) -> set[Ticket]:
        return {parcel.ticket for parcel in (*self._sending, *self._line)}

    def sweep(self) -> None:
        """Give back the room of refused deliveries. What is in the record under way stays until it is settled."""
        kept: deque[Parcel] = deque()
        for parcel in self._line:
            if parcel.ticket.refused:
                self._add(-len(parcel.rows), -parcel.size)
            else:
                kept.append(parcel)
        self._line = kept

    async def run(self) -> None:
        limits = self._limits
        while True:
            while not self._line:
                self._filled.clear()
                await self._filled.wait()
            linger_s = self._since + limits.linger_ms / 1_000 - time.monotonic()
            if linger_s > 0 and self._rows < limits.max_rows and self._bytes < limits.max_bytes:
                self._filled.clear()
                try:
                    async with asyncio.timeout(linger_s):
                        await self._filled.wait()
                except TimeoutError:
                    pass
                continue
            self._sending = self._cut(limits.max_rows, limits.max_bytes)
            await self._send()
            self._sending = []

    def _cut(self, max_rows: int, max_bytes: int) -> list[Parcel]:
        """The next record: parcels of one schema from the head of the line, the last one cut where it is full."""
        cut: list[Parcel] = []
        rows = size = 0
        while self._line and self._line[0].schema == (cut[0].schema if cut else self._line[0].schema):
            parcel = self._line[0]
            if rows + len(parcel.rows) <= max_rows and size + parcel.size <= max_bytes:
                cut.append(self._line.popleft())
                rows += len(parcel.rows)
                size += parcel.size
                continue
            piece = Parcel(parcel.schema, parcel.ticket)
            for row in parcel.rows:
                if rows == max_rows or (size + len(row) + 1 > max_bytes and rows):
                    break
                piece.rows.append(row)
                piece.size += len(row) + 1
                rows += 1
                size += len(row) + 1
            if piece.rows:
                del parcel.rows[: len(piece.rows)]
                parcel.size -= piece.size
                cut.append(piece)
                if not parcel.rows:
                    self._line.popleft()
            break
        return cut

    async def _send(self) -> None:
        """The record is sent again, and nothing of this lane before it, until it is confirmed or refused."""
        parcels = self._sending
        delay_s = 0.1
        try:
            while True:
                alive = [parcel for parcel in parcels if not parcel.ticket.refused]
                if not alive:
                    return
                encoded = [row for parcel in alive for row in parcel.rows]
                try:
                    record = join(alive[0].schema, encoded)
                    await self._send_record(self._topic, self._partition, record, len(encoded))
                except SendFailed as error:
                    log.warning("%s/%d: %s; %d rows wait", self._topic, self._partition, error, self._rows)
                    await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 no secret
                    delay_s = min(2 * delay_s, 2.0)
                    continue
                for parcel in alive:
                    parcel.ticket.confirm(len(parcel.rows))
                return
        finally:
            for parcel in parcels:
                self._add(-len(parcel.rows), -parcel.size)

    def _add(self, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        self._account(rows, size)
