"""Does every water station of the demo come into the log, with the register and the sources that the demo prepares?"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from connectors.routes import plug
from connectors.run import run as run_connectors
from demo.water import registers, sources
from demo.water.gateways import Gateways
from demo.water.lines import Line, listen_hj212, listen_sl651
from demo.water.network import HJ212, LORA, SL651, Station, stations
from demo.water.reports import Report, report
from schemas.settings import Settings, parse
from schemas.topics import REJECTS, WATER_READINGS
from sql.connect import connect
from sql.registers import load_water, read_water_files
from tests.conftest import Database
from tests.connectors import log
from tests.connectors.clocks import until
from tests.connectors.water.brokers import Broker
from tests.demo.water.loops import in_a_loop
from tests.demo.water.test_command import free_ports

PASSWORDS = {SL651: "03E8", HJ212: "123456"}


@pytest.mark.stack
@in_a_loop
async def test_every_station_is_in_the_log_before_it_is_answered(
    kafka: Settings, database: Database, tmp_path: Path
) -> None:
    register, _ = read_water_files(registers.files())
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, register)
    broker, first = Broker(tmp_path), free_ports(6)
    found = {one.name: one for one in parse(sources.toml(first)).sources}
    found[LORA] = msgspec.structs.replace(found[LORA], url=broker.url)
    settings = msgspec.structs.replace(database.settings, sources=tuple(found.values()))
    routes = plug(settings, [], lambda name: PASSWORDS.get(name, ""))
    stop, minute = asyncio.Event(), datetime.now(UTC).replace(second=0, microsecond=0)
    listens = {SL651: listen_sl651(lambda question: None), HJ212: listen_hj212}
    lines = {
        one: Line(sources.ports(first)[one.source], listens[one.source]) for one in stations() if one.source != LORA
    }
    gateways = Gateways(broker.port, client_id="test-demo")
    tasks = [asyncio.ensure_future(line.run()) for line in lines.values()]
    tasks.append(asyncio.ensure_future(run_connectors(settings, routes, tmp_path, stop)))
    said: dict[Station, Report] = {}

    def logged() -> set[str]:
        return {row.station for row in log.rows(kafka, WATER_READINGS)}

    def uplinks_are_logged() -> bool:
        """What is published before anybody subscribes is nobody's: it is said again, as devices do."""
        missing = {one.address for one in said} - logged()
        for one in said:
            if one.address in missing:
                gateways.say(one, said[one])
        return not missing

    gateways.start()
    try:
        for one in stations():
            told = report(one, minute, None, PASSWORDS.get(one.source, ""))
            assert told is not None
            said[one] = told
            if one in lines:
                lines[one].say(told)
        await until(lambda: all(line.sent == 1 for line in lines.values()), within_s=60)
        assert {one.address for one in lines} <= logged()
        await until(uplinks_are_logged, within_s=60)
    finally:
        stop.set()
        await asyncio.wait_for(tasks.pop(), 30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gateways.stop()
        broker.stop()
    assert Counter(reject.reason for reject in log.rows(kafka, REJECTS)) == {}
    assert {row.flags for row in log.rows(kafka, WATER_READINGS)} == {()}
