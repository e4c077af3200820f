"""How do acts of people get into the log? Rows of table action, published in the order in which they were made.

A row is marked only after Kafka has confirmed it. A crash in between publishes it once more, under the same action_id,
by which streams take it once. One process at a time publishes; others look whether it is still there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from prometheus_client import Gauge

from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed
from schemas.alerts import ACKNOWLEDGED, ACTION_CHANNEL, AlertAcknowledged
from schemas.batch import Row

log = logging.getLogger(__name__)

WAITING = Gauge("citysense_actions_waiting", "Acts of people that are not in the log yet")
LOOK_S = 2.0  # without a notice
AGAIN_AFTER_S = 2.0  # Kafka or the database was away
AT_ONCE = 100
CONFIRMED_WITHIN_S = 20.0
LOCK = 1_129_595_221
_OPTIONS = (  # a process that vanished holds the turn no longer than its transaction may be idle
    "-c statement_timeout=5000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000 -c timezone=UTC"
)

_TURN = "select pg_try_advisory_xact_lock(%s)"
_FIND = """
select action_id, at, schema, who, why, body::text from action
where published_at is null and schema = any(%s) and not action_id = any(%s) order by at, action_id limit %s
"""
_COUNT = "select count(*) from action where published_at is null"
_MARK = "update action set published_at = now() where action_id = any(%s)"


class Act(NamedTuple):
    """A row of table action."""

    action_id: UUID
    at: datetime
    schema: str
    who: str
    why: str
    body: str


class _About(msgspec.Struct, frozen=True):
    """The body of an acknowledgement."""

    alert_id: UUID
    domain: str
    endpoint: str
    revision: int | None = None


class Actions:
    """The acts that wait, and the way to publish them. `dsn` is that of the connectors' role."""

    def __init__(self, dsn: str, publisher: Publisher) -> None:
        self._dsn = dsn
        self._publisher = publisher
        self._unreadable: set[UUID] = set()  # stay where they are; a later release may know them

    async def run(self) -> None:
        """For ever. While Kafka or the database is away acts wait in their table."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, connect_timeout=5, tcp_user_timeout=20_000, options=_OPTIONS
                )
                async with connection:
                    await connection.execute(f"listen {ACTION_CHANNEL}".encode())
                    while True:
                        while await self.publish_some(connection) == AT_ONCE:
                            pass
                        async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                            pass
            except (psycopg.Error, NotConfirmed) as error:
                log.warning("acts of people wait: %s", str(error).strip())
                await asyncio.sleep(AGAIN_AFTER_S)

    async def publish_some(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """The oldest of those that wait into the log; how many. None while another process does it.

        Raises NotConfirmed: they wait, and may be in the log all the same.
        """
        async with connection.transaction():
            turn = await (await connection.execute(_TURN, (LOCK,))).fetchone()
            if turn is None or not turn[0]:
                return 0
            count = await (await connection.execute(_COUNT)).fetchone()
            WAITING.set(count[0] if count else 0)
            values = (list(_READ), list(self._unreadable), AT_ONCE)
            acts = [Act(*row) for row in await (await connection.execute(_FIND, values)).fetchall()]
            received_at = self._publisher.now()
            rows = {act.action_id: row for act in acts if (row := self._row(act, received_at)) is not None}
            if rows:
                release = self._publisher.hold(received_at)
                try:
                    await self._publisher.publish(list(rows.values()), CONFIRMED_WITHIN_S)
                finally:
                    release()
                await connection.execute(_MARK, (list(rows),))
        return len(acts)

    def _row(self, act: Act, received_at: datetime) -> Row | None:
        try:
            return _READ[act.schema](act, received_at)
        except msgspec.MsgspecError as error:
            log.error("act %s of %s cannot be read, it stays in its table: %s", act.action_id, act.schema, error)
            self._unreadable.add(act.action_id)
            return None


def _acknowledged(act: Act, received_at: datetime) -> AlertAcknowledged:
    about = msgspec.json.decode(act.body, type=_About)
    fields = msgspec.structs.asdict(about) | {
        "action_id": act.action_id,
        "at": act.at,
        "by": act.who,
        "note": act.why,
        "received_at": received_at,
    }
    return msgspec.convert(fields, AlertAcknowledged)


_READ: dict[str, Callable[[Act, datetime], Row]] = {ACKNOWLEDGED: _acknowledged}
