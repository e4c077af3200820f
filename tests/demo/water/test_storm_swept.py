"""Frames of the demo's stations through decoders, ledger and sweep on the real database: what does an officer read?

The nodes and underpasses have no thresholds here, so what raises their alerts is their geometry and the defaults.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import psycopg
import pytest

from connectors.decoding import context_of
from connectors.formats import DECODERS
from dashboards.ops.storm import storm_now
from demo.water import registers, sources
from demo.water.network import Station, stations
from demo.water.reports import Report, report
from demo.water.storm import FACTOR, Storm
from schemas.batch import SCHEMA_OF, encode
from schemas.settings import parse
from schemas.source import Tick
from schemas.topics import WATER_READINGS
from schemas.water import StationReading
from sql.connect import Connection, connect
from sql.registers import load_water, read_water_files
from streams.ledger import Ledger, Record
from streams.sweep_water import Water, judge_next
from streams.water.readings import Readings
from tests.conftest import Database
from tests.streams.logs import TOPIC_ID, new_fences
from tests.streams.water.river import ZONE

pytestmark = pytest.mark.stack
BEGAN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
STORM = Storm(began=BEGAN)
DRY_MIN, WET_MIN = 15, 23  # the peak comes a quarter of an hour after the beginning
PASSWORDS = {"sl651": "03E8", "hj212": "123456"}
DEFAULTED = ("pn-", "up-")


def heard_in(minute: datetime, waiting: dict[str, list[Report]]) -> list[StationReading]:
    """What the stations say in a minute, as their decoders read it; some gather their reports for a while."""
    tables = {source.name: source for source in parse(sources.toml(8100)).sources}
    rows = []
    for one in sorted(stations(), key=_when):
        said = report(one, minute, STORM if minute >= BEGAN else None, PASSWORDS.get(one.device, ""))
        if said is None:
            continue
        waiting.setdefault(one.station_id, []).append(said)
        if said.waits:
            continue
        for each in waiting.pop(one.station_id):
            source = tables[one.source]
            data = each.data.hex().upper().encode() if source.decoder == "sl651" else each.data
            found = DECODERS[source.decoder](data, context_of(source, minute + timedelta(seconds=one.second + 1)))
            rows += [row for row in found.rows if isinstance(row, StationReading)]
    return rows


def _when(one: Station) -> tuple[int, int]:
    return one.second, one.number


@pytest.fixture(scope="module")
def swept(module_database: Database) -> Iterator[Connection]:
    """The database after a storm, as streams sees it."""
    database = module_database
    new_fences(database.dsn("owner"), WATER_READINGS.name)
    register, problems = read_water_files(registers.files(FACTOR))
    assert not problems
    own = tuple(each for each in register.thresholds if not each.station_id.startswith(DEFAULTED))
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, msgspec.structs.replace(register, thresholds=own))
    ledger = Ledger(
        WATER_READINGS.name,
        TOPIC_ID,
        Readings(database.settings),
        functools.partial(connect, database.dsn("streams")),
    )
    water = Water(database.settings)
    waiting: dict[str, list[Report]] = {}
    offset = 0
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for step in range(-DRY_MIN, WET_MIN):
            minute = BEGAN + timedelta(minutes=step)
            rows = heard_in(minute, waiting)
            tick = Tick(received_at=minute + timedelta(seconds=61), connector="c1")
            taken = [encode(SCHEMA_OF[StationReading], rows), encode(SCHEMA_OF[Tick], [tick])]
            applied = ledger.apply([Record(0, offset + place, body) for place, body in enumerate(taken)])
            assert applied.dead == 0
            offset += 2
            while judge_next(connection, water) is not None:
                pass
        yield connection


def test_nodes_and_underpasses_are_alerted_by_their_geometry(swept: Connection) -> None:
    rows = swept.execute("select subject, kind, max(level) from alert group by 1, 2").fetchall()
    kinds = {(subject[:3], kind) for subject, kind, level in rows if level >= 2}
    assert ("pn-", "surcharge") in kinds
    assert ("up-", "ponding") in kinds
    assert ("rg-", "rain") in kinds
    assert ("rv-", "flood") in kinds
    [(sentence,)] = swept.execute(
        "select sentence_en from alert where kind = 'ponding' and ended_at is null order by level desc, subject limit 1"
    ).fetchall()
    assert "to be set by the water authority" in sentence


def test_the_officer_reads_what_comes_and_what_is_closed_first(swept: Connection, module_database: Database) -> None:
    with connect(module_database.dsn("ops"), autocommit=True) as ops:
        answer = storm_now(ops, BEGAN + timedelta(minutes=WET_MIN, seconds=20), ZONE)
    assert answer.state == "storm" and not answer.is_stale
    assert answer.view is not None
    assert answer.sentence_zh.startswith("暴雨进行中（截至 10:23，20 秒前）：")
    assert "最先关闭" in answer.sentence_zh
    levels: dict[str, int] = dict(
        swept.execute("select station_id, level from water_hazard where hazard = 'ponding'").fetchall()
    )
    first = answer.view.close_first[0]
    assert levels[first.station_id] == max(levels.values()) >= 2
    known = {
        row[0] for row in swept.execute("select station_id from water_hazard where knowledge in ('ok', 'suspect')")
    }
    assert {each.station_id for each in answer.view.blind}.isdisjoint(known)
    assert any(each.mm is not None and each.mm > 50 for each in answer.view.rain)


def test_a_view_is_kept_for_each_minute_of_the_storm(swept: Connection) -> None:
    rows = swept.execute("select at, is_active from storm_view order by at").fetchall()
    assert len(rows) >= 6
    assert all(is_active for _, is_active in rows)
    assert {later[0] - before[0] for before, later in pairwise(rows)} == {timedelta(minutes=1)}
    assert rows[0][0] > BEGAN
