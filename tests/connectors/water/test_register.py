"""Who may speak: the newest word of the register about each station, its password, and what a source adds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from connectors.stations import StationRegister
from connectors.water.stations import Stations, refusal
from schemas.settings import Source
from tests.conftest import Database

pytestmark = pytest.mark.stack
PUT = """
insert into station (station_id, version, valid_from, valid_to, source, station, name_zh, name_en, kind, lat, lon,
    element, cadence_s, noise_p99, flat_line_min, day_start, centre, may_query, withdrawn_at)
values (%(station_id)s, %(version)s, now() + %(since)s, now() + %(until)s, 'river', %(station)s, 'z', 'e', 'river',
    22.5, 114.1, 'level_m', 300, 0.005, 60, '08:00', %(centre)s, %(may_query)s, now() + %(withdrawn)s)
"""
ROW: dict[str, Any] = {
    "version": 1, "since": "-1 day", "until": None, "centre": 5, "may_query": False, "withdrawn": None,
}  # fmt: skip


def source(**options: Any) -> Source:
    table = {"name": "river", "decoder": "sl651", "transport": "tcp", "topic": "water.readings", "port": 1}
    return msgspec.convert(table | {"options": options}, Source)


def read(dsn: str, cache: Path, secret: str, **options: Any) -> tuple[bool, Stations]:
    async def reading() -> tuple[bool, Stations]:
        register = StationRegister(dsn, {"river": source(**options)}, {"river": secret}, cache)
        refreshing = asyncio.create_task(register.refresh_forever(60.0))
        try:
            await asyncio.wait_for(register.is_known.wait(), 10)
            return True, register.stations("river")
        except TimeoutError:
            return False, {}
        finally:
            refreshing.cancel()

    return asyncio.run(reading())


def test_the_newest_word_of_the_register_counts(database: Database, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"station_id": "a", "station": "0000000001"},
        {"station_id": "a", "station": "0000000001", "version": 2, "centre": 6, "may_query": True},
        {"station_id": "a", "station": "0000000001", "version": 3, "centre": 7, "since": "1 day"},  # not yet
        {"station_id": "b", "station": "0000000002"},
        {"station_id": "b", "station": "0000000002", "version": 2, "withdrawn": "-1 hour"},
        {"station_id": "c", "station": "0000000003", "until": "-1 hour"},
        {"station_id": "d", "station": "0000000004", "centre": None},
    ]
    with psycopg.connect(database.dsn("owner"), autocommit=True) as owner:
        for row in rows:
            owner.execute(PUT, ROW | row)
    cache = tmp_path / "stations.json"
    extra = {"0000000009": {"mode": "M1"}, "0000000004": {"reference_value_m": 10.0}}
    _, stations = read(database.dsn("connectors"), cache, '{"0000000001":"03e8","*":"1234"}', stations=extra)
    assert set(stations) == {"0000000001", "0000000004", "0000000009"}
    first = stations["0000000001"]
    assert (first.centre, first.may_query, first.cadence_s) == (6, True, 300.0)
    assert (stations["0000000004"].reference_value_m, stations["0000000009"].mode) == (10.0, "M1")
    assert refusal(stations, "0000000001", "03E8", 6) is None
    assert refusal(stations, "0000000001", "1234", 6) == "wrong_password"
    assert refusal(stations, "0000000001", "03E8", 5) == "wrong_centre"
    assert refusal(stations, "0000000004", "1234", 77) is None
    assert refusal(stations, "0000000002", "1234") == refusal(stations, "0000000003", "1234") == "unknown_station"
    # the database goes: the next process knows them all the same, and what is on the disk holds no password
    gone = psycopg.conninfo.make_conninfo(database.dsn("connectors"), dbname="no_such_database")
    known, again = read(gone, cache, "1234")
    assert known and set(again) == {"0000000001", "0000000004"}
    assert b"1234" not in cache.read_bytes()


def test_a_json_secret_without_a_word_for_a_station_lets_it_not_in(database: Database, tmp_path: Path) -> None:
    secret = '{"0000000001":"03e8"}'
    facts: dict[str, Any] = {"0000000001": {}, "0000000002": {}}
    _, stations = read(database.dsn("connectors"), tmp_path / "stations.json", secret, stations=facts)
    assert refusal(stations, "0000000001", "03E8") is None
    assert refusal(stations, "0000000002", "") == "wrong_password"
