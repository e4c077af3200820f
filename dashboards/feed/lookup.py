"""What do requests read that no edition holds? Snapshots, histories, deltas of long ago, over a few connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg
import psycopg_pool

from dashboards.feed import delta, rows
from dashboards.feed.asked import NotThere, snapshot_name
from dashboards.feed.encodings import Prepared
from dashboards.feed.files import BY_PATH, LOT_STATUS
from dashboards.feed.history import (
    STEPS,
    Bucket,
    Correction,
    LotHistory,
    MinutePoint,
    Resolution,
    buckets,
    corrected,
)
from dashboards.feed.rows import QUERIES
from dashboards.feed.snapshot import Publisher
from dashboards.feed.store import minute_file, stored_status
from dashboards.feed.views.status import records
from schemas.minute import MinuteRun
from schemas.parking import PUBLIC
from sql.connect import Connection

CONNECTIONS = 4
WAIT_S = 3.0
STATEMENT_TIMEOUT_MS = 10_000
SEQUENCES_REACH = timedelta(days=1)
MINUTES_OF_SEQUENCE = 30  # a number that stood longer is answered with all lots
OBSERVATION_REACH = timedelta(days=1)  # a minute may rest on an observation that is so old

T = TypeVar("T")

log = logging.getLogger("citysense.feed")


class Away(Exception):
    """The database cannot be asked now."""


class Lookup:
    def __init__(self, dsn: str, publisher: Publisher) -> None:
        self.publisher = publisher
        self.pool: psycopg_pool.ConnectionPool[Connection] = psycopg_pool.ConnectionPool(
            dsn,
            min_size=0,
            max_size=CONNECTIONS,
            timeout=WAIT_S,
            max_waiting=64,
            open=False,
            check=psycopg_pool.ConnectionPool.check_connection,
            kwargs={
                "connect_timeout": 3,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
            },
        )

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer of a function that reads. Raises Away."""
        return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: Callable[[Connection], T]) -> T:
        try:
            with self.pool.connection() as connection:
                return question(connection)
        except (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests, psycopg.OperationalError) as error:
            log.warning("a request could not be answered from the database: %s", str(error).strip())
            raise Away from error

    def status_of(self, connection: Connection, minute: datetime, revision: int | None, as_of: datetime | None) -> Snap:
        """lot_status.json of a minute: its first revision, that of the number, or the newest known at an instant.

        Raises NotThere.
        """
        if as_of is not None:
            run = rows.run_of(QUERIES.run_as_of(connection, minute=minute, as_of=as_of))
        else:
            wanted = revision or 1
            held = stored_status(connection, minute, wanted)
            if held is not None:
                return held, wanted
            run = rows.run_of(QUERIES.run_of(connection, minute=minute, revision=wanted))
        if run is None:
            local = snapshot_name(minute.astimezone(self.publisher.zone))
            raise NotThere(f"{local} was never published in the revision that was asked for.")
        return self._rendered(connection, run), run.revision

    def marks_of(self, connection: Connection, content_seq: int, newest: datetime) -> delta.Marks | None:
        """What was said under a sequence number of the last day; None when it is not there or stood too long."""
        found = list(
            QUERIES.runs_of_seq(
                connection, content_seq=content_seq, after=newest - SEQUENCES_REACH, at_most=MINUTES_OF_SEQUENCE + 1
            )
        )
        if not found or len(found) > MINUTES_OF_SEQUENCE:
            return None
        known = rows.register_of(connection, None)
        said: delta.Marks | None = None
        for row in found:
            run = rows.run_of(row)
            if run is not None:
                marks = delta.marks(records(rows.snapshot(connection, run, known, self.publisher)))
                said = marks if said is None else delta.merged(marks, said)
        return said

    def history(
        self,
        connection: Connection,
        lot_id: str,
        start: datetime,
        until: datetime,
        resolution: Resolution,
        as_of: datetime,
    ) -> LotHistory:
        """Raises NotThere when the register never had the lot."""
        if not QUERIES.lot_exists(connection, lot_id=lot_id):
            raise NotThere(f"There is no lot {lot_id[:64]!r}; /parking/v1/lot_information.json lists them.")
        zone = self.publisher.zone
        points = [
            MinutePoint(
                at=at.astimezone(zone),
                status=status,
                available=available,
                published_available=available,
                capacity=capacity,
                occupied=occupied,
                freshness=freshness,
                observed_at=None if observed_at is None else observed_at.astimezone(zone),
                reason=reason,
                revision=revision,
                correction=None,
            )
            for at, revision, status, available, capacity, occupied, freshness, observed_at, reason in QUERIES.history(
                connection, lot_id=lot_id, start=start, until=until, as_of=as_of
            )
        ]
        said_again = [
            Correction(*row)
            for row in QUERIES.corrections(
                connection, lot_id=lot_id, pool=PUBLIC, start=start - OBSERVATION_REACH, until=until, as_of=as_of
            )
        ]
        found = corrected(points, said_again)
        grouped: tuple[Bucket, ...] | None = None if resolution == "1m" else buckets(found, STEPS[resolution])
        return LotHistory(
            lot_id=lot_id,
            start=start.astimezone(zone),
            until=until.astimezone(zone),
            resolution=resolution,
            as_of=as_of.astimezone(zone),
            points=found if grouped is None else None,
            buckets=grouped,
        )

    def _rendered(self, connection: Connection, run: MinuteRun) -> Prepared:
        known = rows.register_of(connection, None)
        return minute_file(connection, rows.snapshot(connection, run, known, self.publisher), BY_PATH[LOT_STATUS])


Snap = tuple[Prepared, int]  # a stored file and its revision
