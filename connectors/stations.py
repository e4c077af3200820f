"""Which stations may speak, and what must be known of them? The water register, read every half minute and kept.

Kept also on the disk: a connector that starts while the database is away knows its stations, and nothing that they
send meanwhile is refused for want of a register. `options.stations` of a source adds stations, or facts, of its own.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import psycopg

from connectors.water.stations import StationFacts, Stations
from schemas.settings import Source
from sql.connect import connect

log = logging.getLogger(__name__)

STATEMENT_TIMEOUT_MS = 5_000
AGAIN_S = 2.0  # after a first read that failed

_STATIONS = """
select source, station, centre, reference_value_m, day_start, cadence_s, may_query, may_set_clock from (
    select distinct on (station_id) * from station where valid_from <= now() order by station_id, version desc
) as newest
where (withdrawn_at is null or withdrawn_at > now()) and (valid_to is null or valid_to > now())
order by source, station
"""


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of one station as the register or a source's options have them."""

    source: str = ""
    station: str = ""
    centre: int | None = None
    reference_value_m: float | None = None
    day_start: str = "08:00"
    cadence_s: float = 300.0
    may_query: bool = False
    may_set_clock: bool = False
    mode: Literal["M1", "M2"] = "M2"
    speaks_for: tuple[str, ...] = ()


class StationRegister:
    """The stations of some sources. `secrets` has the password of each source that has one."""

    def __init__(self, dsn: str, sources: Mapping[str, Source], secrets: Mapping[str, str], cache: Path) -> None:
        self._dsn = dsn
        self._sources = sources
        self._passwords = {name: _passwords(secret) for name, secret in secrets.items() if secret}
        self._cache = cache
        self._found: list[Known] = []
        self._stations: dict[str, Stations] = {name: {} for name in sources}
        self.is_known = asyncio.Event()  # the register was read, now or by a connector before

    def stations(self, source: str) -> Stations:
        return self._stations[source]

    async def refresh_forever(self, every_s: float) -> None:
        await asyncio.to_thread(self._read_cache)
        while True:
            was_read = await self.refresh()
            await asyncio.sleep(every_s if was_read else min(AGAIN_S, every_s))

    async def refresh(self) -> bool:
        try:
            rows = await asyncio.to_thread(self._read)
        except psycopg.Error as error:
            log.warning("the register of stations cannot be read: %s", str(error).strip())
            return False
        if rows != self._found or not self.is_known.is_set():
            await asyncio.to_thread(self._write_cache, rows)
            self._take(rows)
        return True

    def _read(self) -> list[Known]:
        with connect(self._dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS, autocommit=True) as connection:
            if connection.execute("select to_regclass('station')").fetchone() == (None,):
                return []  # a database without the register of stations
            cursor = connection.execute(_STATIONS)
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [msgspec.convert(row, Known, strict=False) for row in rows if row["source"] in self._sources]

    def _take(self, rows: list[Known]) -> None:
        self._found = rows
        self._stations = {name: self._of(source, rows) for name, source in self._sources.items()}
        self.is_known.set()

    def _of(self, source: Source, rows: list[Known]) -> dict[str, StationFacts]:
        known = {row.station: row for row in rows if row.source == source.name}
        known |= {
            station: msgspec.convert(msgspec.structs.asdict(known.get(station, Known())) | facts, Known)
            for station, facts in configured(source).items()
        }
        passwords = self._passwords.get(source.name)
        return {station: _facts(station, row, passwords) for station, row in known.items()}

    def _read_cache(self) -> None:
        try:
            rows = msgspec.json.decode(self._cache.read_bytes(), type=list[Known])
        except (OSError, msgspec.MsgspecError):
            return
        self._take(rows)

    def _write_cache(self, rows: list[Known]) -> None:
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            beside = self._cache.with_suffix(".new")
            beside.write_bytes(msgspec.json.encode(rows))
            os.replace(beside, self._cache)
        except OSError as error:
            log.warning("the register of stations is not kept on the disk: %s", error)


def configured(source: Source) -> dict[str, dict[str, Any]]:
    """The facts in `options.stations`. Raises msgspec.ValidationError."""
    found = source.options.get("stations", {})
    if not isinstance(found, dict):
        raise msgspec.ValidationError("options.stations is no table of stations")
    for facts in found.values():
        msgspec.convert(facts, Known)
    return found


def _facts(station: str, row: Known, passwords: Mapping[str, str] | None) -> StationFacts:
    return StationFacts(
        reference_value_m=row.reference_value_m,
        centre=row.centre,
        password_ok=None if passwords is None else _matches(passwords.get(station, passwords.get("*"))),
        day_start=row.day_start,
        mode=row.mode,
        speaks_for=frozenset(row.speaks_for),
        cadence_s=row.cadence_s,
        may_query=row.may_query,
        may_set_clock=row.may_set_clock,
    )


def _passwords(secret: str) -> dict[str, str]:
    """One password of all stations, or a JSON object of station to password, `*` for the others."""
    if not secret.lstrip().startswith("{"):
        return {"*": secret}
    return msgspec.json.decode(secret, type=dict[str, str])


def _matches(wanted: str | None) -> Callable[[str], bool]:
    if wanted is None:
        return lambda given: False
    expected = wanted.upper().encode()
    return lambda given: hmac.compare_digest(given.upper().encode(), expected)
