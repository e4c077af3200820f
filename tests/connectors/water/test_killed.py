"""A connector is killed while a station reports: the next one asks the station for what nobody heard."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from schemas.settings import Settings, Source
from tests.conftest import Database
from tests.connectors.water.stations import STATION, ZONE, free_port, heard, level, said, until
from tests.connectors.water.test_questions import connect
from tests.processes import running, settings_file

STORED = """
select r.at, r.value, r.flags from water_reading as r join water_series as s using (series_id)
where (s.source, s.station, s.element) = ('river', %s, 'level_m') order by r.at
"""
COMMANDS = (
    "select kind, state, (params ->> 'since')::timestamptz, (params ->> 'until')::timestamptz from station_command"
)


def digits(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%y%m%d%H%M%S")


def height_mm(at: datetime) -> int:
    return 10_000 + at.minute


def frame(at: datetime) -> bytes:
    return said(0x32, level(STATION, height_mm(at), digits(at)[:10]), sent=digits(at))


def answer(begin: datetime, end: datetime, sent: datetime) -> bytes:
    """What the station kept, five minutes apart."""
    times = [begin + timedelta(minutes=5 * place) for place in range(int((end - begin) / timedelta(minutes=5)) + 1)]
    values = "".join(f"{height_mm(at):08d}" for at in times)
    body = bytes.fromhex(f"F1F1{STATION}48F0F0{digits(begin)[:10]}0418000005{39:02d}23{values}")
    return said(0x38, body, sent=digits(sent))


@pytest.mark.stack
def test_what_a_station_said_to_a_dead_connector_is_asked_for_and_stored_once(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    table: dict[str, Any] = {
        "name": "river", "decoder": "sl651", "transport": "tcp", "topic": "water.readings", "port": free_port(),
        "auth": "none",
    }  # fmt: skip
    facts = f'{{ "{STATION}" = {{ may_query = true, cadence_s = 300.0 }} }}'
    toml = f'[connectors]\nspool_dir = "{tmp_path}"\n[[source]]\n'
    toml += "".join(f"{name} = {value!r}\n" for name, value in table.items()) + f"options = {{ stations = {facts} }}\n"
    file = settings_file(database.settings, tmp_path, toml)
    source = msgspec.convert(table, Source)
    now = datetime.now(ZONE).replace(second=0, microsecond=0)
    begin, died_at = now - timedelta(minutes=60), now - timedelta(minutes=40)

    with psycopg.connect(database.dsn("owner"), autocommit=True) as owner:

        def stored() -> dict[datetime, tuple[float, str | None]]:
            rows = owner.execute(STORED, (STATION,)).fetchall()
            assert len({at for at, _, _ in rows}) == len(rows)
            return {at: (value, flags) for at, value, flags in rows}

        async def before() -> None:
            reader, writer = await connect(source)
            for place in range(5):
                writer.write(frame(begin + timedelta(minutes=5 * place)))
                assert [one.frame.function for one in await heard(reader, within_s=60)] == [0x32]
            await until(lambda: len(stored()) == 5, 60)

        async def after() -> None:
            reader, writer = await connect(source)
            writer.write(frame(now))
            confirmed, question = await heard(reader, 2, within_s=60)
            assert (confirmed.frame.function, question.frame.function) == (0x32, 0x38)
            hours = f"{digits(died_at)[:8]}{digits(now)[:8]}"
            assert question.content[8:].hex() == f"{hours}04180000053923"
            assert owner.execute(COMMANDS).fetchall() == [("38", "sent", died_at, now)]
            for _ in range(2):  # and once more, because it did not hear that it was heard
                writer.write(answer(died_at, now, now))
            await until(lambda: len(stored()) == 13, 60)
            await until(lambda: owner.execute(COMMANDS).fetchall() == [("38", "answered", died_at, now)], 30)

        with running(database.settings, file, "streams", "worker", "--metrics-port", "-1"):
            with running(database.settings, file, "connectors", "run", log=tmp_path / "first.log") as connector:
                asyncio.run(asyncio.wait_for(before(), 120))
                connector.kill()
                connector.wait()
            with running(database.settings, file, "connectors", "run", log=tmp_path / "second.log"):
                asyncio.run(asyncio.wait_for(after(), 120))
        times = [begin + timedelta(minutes=5 * place) for place in range(13)]
        assert {at: value for at, (value, _) in stored().items()} == {at: height_mm(at) / 1_000 for at in times}
        asked_for = [at for at, (_, flags) in stored().items() if flags == "backfill"]
        assert asked_for == [at for at in times if died_at < at < now]
        assert owner.execute("select count(*) from water_revision").fetchone() == (0,)
