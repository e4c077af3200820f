"""How do questions get to stations? Rows of station_command, sent by the process that holds the session.

A row waits until its station is connected and has no other question open, at most to `expires_at`. It is claimed before
it is sent; an answer counts when its readings are safe in Kafka. What was sent and not answered is sent again. So a
question may reach a station twice, which harms nobody: its answers have the times of the readings. A question that two
processes wish is one row.

What stations had sent before this process heard them is looked up here, for what they missed while none listened. Rows
that wait in Kafka make that too old: more is asked for than is missing, and what comes again is dropped.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg

from connectors.transports.tcp import NoSession, StationServer
from connectors.water.dialogues import Unsayable
from connectors.water.upkeep import CODES, GAP, Wish

log = logging.getLogger(__name__)

LOOK_S = 2.0  # without a notice
AGAIN_AFTER_S = 5.0  # the database was away
ATTEMPTS = 3
WISHES = 20_000  # that wait for the database
FIRSTS = 1_000  # stations that are looked up at a time: a fifth of a second, with 90 days of readings
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "citysense/station_command")
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
# up to where a gap ended that was asked for, the readings came or will come as answers
_NEWEST = """
select n.source, n.station, greatest(n.newest_at, q.until)
from station_newest(%(asked)s::jsonb, %(elements)s, %(longest)s) as n
left join lateral (
    select max((params ->> 'until')::timestamptz) as until from station_command
    where source = n.source and station = n.station and kind = '38' and params ->> 'why' = %(gap)s
        and created > now() - %(longest)s
) as q on true
"""


class Question(msgspec.Struct, frozen=True):
    id: uuid.UUID
    source: str
    station: str
    kind: str
    params: Any
    expires_at: datetime


class Commands:
    """The questions to the stations of some servers. What they missed is looked up as far back as `longest_gap`."""

    def __init__(self, dsn: str, servers: Mapping[str, StationServer], longest_gap: timedelta) -> None:
        self._dsn = dsn
        self._servers = servers
        self._sources = list(servers)
        self._longest_gap = longest_gap
        self._wishes: dict[uuid.UUID, tuple[Any, ...]] = {}  # rows
        self._settled: asyncio.Queue[tuple[uuid.UUID, str, dict[str, Any]]] = asyncio.Queue()
        self._open: dict[uuid.UUID, asyncio.Task[None]] = {}

    def wish(self, source: str, station: str, wish: Wish) -> None:
        """Put a question of the connector's own into the table, as soon as the database takes it."""
        if len(self._wishes) >= WISHES:
            log.error("%s: a question %s to %s is dropped, too many wait for the database", source, wish.kind, station)
            return
        number = uuid.uuid5(NAMESPACE, "\x1f".join((source, station, wish.kind, wish.name)))
        params = msgspec.json.encode(wish.params).decode()
        self._wishes[number] = (number, source, station, wish.kind, params, wish.expires_at)

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
        await self._put(connection)
        while not self._settled.empty():
            number, state, result = self._settled.get_nowait()
            await connection.execute(_SETTLE, (state, msgspec.json.encode(result).decode(), state, number))
        await connection.execute(_EXPIRE, (self._sources,))
        await connection.execute(_FIND_LOST, (self._sources, list(self._open)))
        cursor = await connection.execute(_WAITING, (self._sources,))
        for row in await cursor.fetchall():
            await self._consider(connection, Question(*row))
        await self._look_up(connection)
        await self._put(connection)

    async def _put(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if wished := list(self._wishes.values()):
            await connection.cursor().executemany(_PUT, wished)
            for row in wished:
                self._wishes.pop(row[0])

    async def _look_up(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """What had the stations sent that this process heard since the last round? What is missing becomes a wish."""
        firsts = {
            (name, station): first
            for name, server in self._servers.items()
            for station, first in server.firsts().items()
        }
        looked_up = dict(itertools.islice(firsts.items(), FIRSTS))
        if not looked_up:
            return
        asked = [
            {"source": source, "station": station, "before": first.oldest_at, "heard_at": first.received_at}
            for (source, station), first in looked_up.items()
        ]
        parameters = {"asked": msgspec.json.encode(asked).decode(), "elements": list(CODES), "gap": GAP}
        cursor = await connection.execute(_NEWEST, {**parameters, "longest": self._longest_gap})
        newest = {(source, station): at for source, station, at in await cursor.fetchall()}
        for source, station in looked_up:
            self._servers[source].recall(station, newest.get((source, station)))

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
