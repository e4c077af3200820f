"""How do questions get to stations? Rows of station_command, sent by the process that holds the session.

A row waits until its station is connected and has no other question open, at most to `expires_at`. It is claimed before
it is sent; an answer counts when its readings are safe in Kafka. What was sent and not answered is sent again. So a
question may reach a station twice, which harms nobody: its answers have the times of the readings.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from connectors.transports.tcp import NoSession, StationServer
from connectors.water.dialogues import Unsayable
from connectors.water.upkeep import Wish

log = logging.getLogger(__name__)

LOOK_S = 2.0  # without a notice
AGAIN_AFTER_S = 5.0  # the database was away
ATTEMPTS = 3
WISHES = 1_000  # that wait for the database
LOST_AFTER = "3 minutes"  # what was sent by a process that is gone

_PUT = """
insert into station_command (id, source, station, kind, params, expires_at) values (%s, %s, %s, %s, %s, %s)
on conflict do nothing
"""
_EXPIRE = """
update station_command set state = 'expired'
where source = any(%s) and state = 'waiting' and expires_at <= now()
"""
_FIND_LOST = f"""
update station_command set state = 'waiting'
where source = any(%s) and state = 'sent' and sent_at < now() - interval '{LOST_AFTER}' and not id = any(%s)
"""  # noqa: S608  a constant of ours
_WAITING = """
select distinct on (source, station) id, source, station, kind, params, expires_at from station_command
where source = any(%s) and state = 'waiting' and expires_at > now() order by source, station, created
"""
_CLAIM = """
update station_command set state = 'sent', sent_at = now(), attempts = attempts + 1
where id = %s and state = 'waiting' returning attempts
"""
_SETTLE = """
update station_command set state = %s, result = %s, answered_at = case when %s = 'answered' then now() end
where id = %s and state = 'sent'
"""
_REFUSE = "update station_command set state = 'failed', result = %s where id = %s and state = 'waiting'"


class Question(msgspec.Struct, frozen=True):
    id: uuid.UUID
    source: str
    station: str
    kind: str
    params: Any
    expires_at: datetime


class Commands:
    def __init__(self, dsn: str, servers: Mapping[str, StationServer]) -> None:
        self._dsn = dsn
        self._servers = servers
        self._sources = list(servers)
        self._wishes: asyncio.Queue[tuple[str, str, Wish]] = asyncio.Queue(WISHES)
        self._settled: asyncio.Queue[tuple[uuid.UUID, str, dict[str, Any]]] = asyncio.Queue()
        self._open: dict[uuid.UUID, asyncio.Task[None]] = {}

    def wish(self, source: str, station: str, wish: Wish) -> None:
        """Put a question of the connector's own into the table, as soon as the database takes it."""
        with contextlib.suppress(asyncio.QueueFull):  # the gap is seen again, by streams too
            self._wishes.put_nowait((source, station, wish))

    async def run(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
                async with connection:
                    await connection.execute("listen station_command")
                    while True:
                        await self._round(connection)
                        async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                            pass
            except psycopg.Error as error:
                log.warning("questions to stations wait for the database: %s", str(error).strip())
                await asyncio.sleep(AGAIN_AFTER_S)

    async def _round(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while not self._wishes.empty():
            source, station, wish = self._wishes.get_nowait()
            params = msgspec.json.encode(wish.params).decode()
            await connection.execute(_PUT, (uuid.uuid4(), source, station, wish.kind, params, wish.expires_at))
        while not self._settled.empty():
            number, state, result = self._settled.get_nowait()
            await connection.execute(_SETTLE, (state, msgspec.json.encode(result).decode(), state, number))
        await connection.execute(_EXPIRE, (self._sources,))
        await connection.execute(_FIND_LOST, (self._sources, list(self._open)))
        cursor = await connection.execute(_WAITING, (self._sources,))
        for row in await cursor.fetchall():
            await self._consider(connection, Question(*row))

    async def _consider(self, connection: psycopg.AsyncConnection[Any], question: Question) -> None:
        server = self._servers[question.source]
        facts = server.facts(question.station)
        allowed = facts is not None and (facts.may_set_clock if question.kind == "4A" else facts.may_query)
        if facts is not None and not allowed:
            await connection.execute(_REFUSE, (_reason("not_allowed", "the register's switch is off"), question.id))
            return
        if not server.is_connected(question.station) or server.is_busy(question.station):
            return
        claimed = await (await connection.execute(_CLAIM, (question.id,))).fetchone()
        if claimed is not None:
            asking = asyncio.create_task(self._ask(server, question, claimed[0]))
            self._open[question.id] = asking
            asking.add_done_callback(lambda _: self._open.pop(question.id, None) and None)

    async def _ask(self, server: StationServer, question: Question, attempt: int) -> None:
        try:
            found = await server.ask(question.station, question.kind, question.params)
            outcome: tuple[str, dict[str, Any]] = ("answered", dict(found))
        except Unsayable as error:
            outcome = ("failed", {"reason": "unsayable", "detail": str(error)[:500]})
        except (NoSession, TimeoutError) as error:
            may_try = attempt < ATTEMPTS and question.expires_at > server.now()
            reason = "no_session" if isinstance(error, NoSession) else "no_answer"
            outcome = ("waiting" if may_try else "failed", {"reason": reason, "attempt": attempt})
        self._settled.put_nowait((question.id, *outcome))


def _reason(word: str, detail: str) -> str:
    return msgspec.json.encode({"reason": word, "detail": detail}).decode()
