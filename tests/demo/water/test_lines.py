"""Do the demo's stations send until they are answered, on real sockets: a server of ours, the platform's, a broker?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.water.stations import StationFacts
from demo.water import hj212
from demo.water.gateways import Gateways
from demo.water.hydrology import level_m
from demo.water.lines import MEMORY, Line, listen_hj212, listen_sl651
from demo.water.network import CENTRE, gauges, nodes, river_stations
from demo.water.reports import Report, answer, report
from demo.water.sl651 import Downlink
from schemas.water import StationReading
from tests.connectors.clocks import until
from tests.connectors.water.brokers import Broker
from tests.connectors.water.stations import post
from tests.demo.water.loops import in_a_loop

MINUTE = datetime(2026, 11, 24, 2, 7, tzinfo=UTC)
SPEAKS_HJ212 = next(one for one in river_stations() if one.device == "hj212")


def said(step: int = 0, *, waits: bool = False) -> Report:
    found = report(SPEAKS_HJ212, MINUTE + timedelta(minutes=step), None, "123456")
    assert found is not None
    return Report(found.key, found.data, waits)


@contextlib.asynccontextmanager
async def running(line: Line) -> AsyncIterator[Line]:
    task = asyncio.ensure_future(line.run())
    try:
        yield line
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Server:
    """Answers as it is told: how often it stays silent first, and after how many messages it hangs up."""

    def __init__(self, silent: int = 0, hang_up_after: int = 1_000_000) -> None:
        self.heard: list[bytes] = []
        self.calls = 0
        self._silent, self._hang_up_after = silent, hang_up_after

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        while data := await reader.read(4096):
            self.heard.append(data)
            if len(self.heard) == self._hang_up_after:
                break
            if len(self.heard) > self._silent:
                qn = data.split(b"QN=")[1][:17].decode()
                writer.write(b"\r\n" + hj212.packet(f"QN={qn};ST=91;CN=9014;PW=123456;MN=A;Flag=4;CP=&&&&"))
        writer.close()


@contextlib.asynccontextmanager
async def listening(server: Server) -> AsyncIterator[int]:
    opened = await asyncio.start_server(server, "127.0.0.1", 0)
    try:
        yield opened.sockets[0].getsockname()[1]
    finally:
        opened.close()


@in_a_loop
async def test_it_sends_the_same_bytes_until_they_are_answered() -> None:
    server = Server(silent=2)
    async with listening(server) as port, running(Line(port, listen_hj212, answer_s=0.2)) as line:
        line.say(said())
        await until(lambda: line.sent == 1)
    assert server.heard == [said().data] * 3
    assert (line.again, line.waiting) == (2, 0)


@in_a_loop
async def test_it_dials_anew_when_the_server_hangs_up_or_says_nothing() -> None:
    server = Server(hang_up_after=1)
    async with listening(server) as port, running(Line(port, listen_hj212)) as line:
        line.say(said(0))
        line.say(said(1))
        await until(lambda: line.sent == 2)
    assert server.calls == 2
    assert server.heard == [said(0).data, said(0).data, said(1).data]


@in_a_loop
async def test_what_was_measured_while_the_line_was_down_comes_in_order() -> None:
    server = Server()
    async with listening(server) as port, running(Line(port, listen_hj212)) as line:
        for step in range(3):
            line.say(said(step, waits=True))
        assert (line.waiting, server.calls) == (3, 0)
        line.say(said(3))
        await until(lambda: line.sent == 4)
    assert server.heard == [said(step).data for step in range(4)]


def test_a_full_memory_loses_the_oldest() -> None:
    async def fill() -> Line:
        line = Line(1, listen_hj212)
        for step in range(MEMORY + 2):
            line.say(Report(str(step), b""))
        return line

    line = asyncio.run(fill())
    assert (line.waiting, line.given_up) == (MEMORY, 2)


@pytest.mark.parametrize("decoder", ["sl651", "hj212"])
@in_a_loop
async def test_the_platform_answers_when_its_rows_are_safe(decoder: str) -> None:
    one = gauges()[0] if decoder == "sl651" else SPEAKS_HJ212
    password = "03E8" if decoder == "sl651" else "123456"
    facts = StationFacts(centre=CENTRE, password_ok=lambda given: given == password)
    listen = listen_sl651(lambda question: None) if decoder == "sl651" else listen_hj212
    async with (
        post(facts={one.address: facts}, decoder=decoder) as server,
        running(Line(server.source.port, listen)) as line,
    ):
        found = report(one, MINUTE, None, password)
        assert found is not None
        line.say(found)
        delivery, decoded = await server.next()
        assert decoded.rows
        assert (decoded.rejects, line.sent) == ([], 0)
        await delivery.acknowledge()
        await until(lambda: line.sent == 1)
    assert server.told == []


@in_a_loop
async def test_the_platform_asks_and_a_station_answers() -> None:
    """Its value now, what it kept of two hours, and that its clock is set."""
    one, now = river_stations()[0], datetime.now(UTC).replace(microsecond=0)
    facts = StationFacts(centre=CENTRE, may_query=True, may_set_clock=True)
    asked: list[int] = []

    def reply(question: Downlink) -> bytes | None:
        asked.append(question.function)
        return answer(one, question, now, None, "03E8")

    async with (
        post(facts={one.address: facts}) as server,
        running(Line(server.source.port, listen_sl651(reply))) as line,
    ):
        server.now = now
        first = report(one, now.replace(second=0) - timedelta(minutes=1), None, "03E8")
        assert first is not None
        line.say(first)
        delivery, _ = await server.next()
        await delivery.acknowledge()
        await until(lambda: line.sent == 1)
        hours = {"since": (now - timedelta(hours=2)).isoformat(), "until": now.isoformat(), "code": "39"}
        questions: list[tuple[str, dict[str, str], int]] = [("37", {}, 1), ("38", hours, 24), ("4A", {}, 0)]
        for kind, params, least in questions:
            asking = asyncio.ensure_future(server.server.ask(one.address, kind, params))
            delivery, decoded = await server.next()
            await delivery.acknowledge()
            assert await asking == {"rows": len(decoded.rows), "rejects": 0}
            rows = [row for row in decoded.rows if isinstance(row, StationReading)]
            assert [row.value for row in rows] == [level_m(one, row.observed_at, None) for row in rows], (
                kind,
                rows[:2],
            )
            assert least <= len(rows) <= least + 12
        assert asked == [0x37, 0x38, 0x4A]
        line.say(first)
        delivery, _ = await server.next()
        await delivery.acknowledge()
        await until(lambda: line.sent == 2)  # the line is as good as before


@in_a_loop
async def test_uplinks_reach_a_broker_that_was_away(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    gateways = Gateways(broker.port, client_id="test-gateways")
    device = nodes()[0]
    found = [report(device, MINUTE + timedelta(minutes=step), None, "") for step in range(3)]
    try:
        broker.stop()
        gateways.start()
        first, second, third = (each for each in found if each is not None)
        gateways.say(device, Report(first.key, first.data, waits=True))
        gateways.say(device, second)
        broker.start()
        gateways.say(device, third)
        await until(lambda: gateways.taken == 3)
        assert gateways.said == 3
    finally:
        gateways.stop()
        broker.stop()


@in_a_loop
async def test_what_a_killed_broker_forgets_is_said_again(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    safe: list[str] = []
    gateways = Gateways(broker.port, client_id="test-gateways", safe=lambda one: safe.append(one.key))
    device = nodes()[0]
    found = report(device, MINUTE, None, "")
    assert found is not None
    try:
        gateways.start()
        gateways.say(device, found)
        await until(lambda: gateways.taken == 1)
        assert gateways.waiting == 1
        broker.kill()
        broker.start()
        await until(lambda: gateways.taken == 2)
        assert gateways.again == 1
        await gateways.settled()
        assert safe == [found.key]
    finally:
        gateways.stop()
        broker.stop()
