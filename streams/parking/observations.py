"""The slice of topic parking.observations: what the ledger calls, between the pure fold and the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from schemas.settings import Settings
from sql.copy import Streaming
from streams.parking.availability import Authoritative
from streams.parking.fold import Changes, Key, Series, fold
from streams.parking.store import OBSERVATION, load_capacities, load_series, register_series, write


class Observations:
    """A cache of the series of the partitions that this process applies."""

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.parking
        self._authoritative: dict[str, Authoritative] = {
            source.name: source.authoritative for source in settings.sources if source.authoritative != "free"
        }
        self._series: dict[Key, Series] = {}
        self._capacities: dict[Key, int] = {}
        self._register_version = -1
        self._changes = Changes()
        self._stream: Streaming | None = None

    def forget(self) -> None:
        self._series.clear()
        self._capacities.clear()
        self._register_version = -1
        self._changes = Changes()
        self._stream = None

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        if partitions:
            self._series.update(load_series(cursor, partitions))
        if register_version != self._register_version:
            self._capacities = load_capacities(cursor)
            self._register_version = register_version

    @contextlib.contextmanager
    def streaming(self, cursor: psycopg.Cursor[Any]) -> Iterator[None]:
        with Streaming(cursor, OBSERVATION) as self._stream:
            yield
        self._stream = None

    def fold(self, partition: int, offset: int, schema: str, rows: Sequence[Any]) -> None:
        fold(self._series, self._capacities, self._authoritative, rows, self._limits, self._changes)
        if self._stream is not None and self._changes.fresh:
            self._stream.write(self._changes.fresh)
            self._changes.fresh.clear()

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        changes, self._changes = self._changes, Changes()
        if changes.unknown:
            self._series.update(register_series(cursor, changes.unknown))
            unknown, changes.unknown = changes.unknown, []
            fold(self._series, self._capacities, self._authoritative, unknown, self._limits, changes)
        write(cursor, changes)
