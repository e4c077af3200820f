"""Stations on real sockets: an answer only when the readings are safe, and nobody hurts the others."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from connectors.water import szy206
from connectors.water.hj212.frames import encode as hj212_frame
from connectors.water.scanner import Scanner
from connectors.water.sl651 import encode
from connectors.water.sl651.frames import EOT, NAK, Frame, Sl651Grammar
from connectors.water.sl651.packets import Message
from connectors.water.stations import StationFacts
from schemas.settings import Connectors
from schemas.water import StationReading, StationTest
from tests.connectors.water.stations import (
    ANSWER,
    FACTS,
    NOW,
    REPORT,
    STATION,
    Post,
    heard,
    hung_up,
    level,
    post,
    said,
    until,
)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(limited())


@pytest.mark.parametrize("stays_online", [True, False])
def test_the_answer_waits_until_the_readings_are_safe(stays_online: bool) -> None:
    async def work() -> None:
        facts = {STATION: StationFacts(centre=5, password_ok=FACTS.password_ok, may_query=stays_online)}
        async with post(facts=facts) as ours:
            reader, writer = await ours.connect()
            writer.write(REPORT)
            delivery, decoded = await ours.next()
            rows = [row for row in decoded.rows if isinstance(row, StationReading)]
            assert [(row.element, row.value) for row in rows] == [
                ("rain_day_mm", 4.0), ("rain_total_mm", 4.0), ("level_m", 10.49), ("voltage_v", 10.99),
            ]  # fmt: skip
            assert {(row.station, row.observed_at) for row in rows} == {
                (STATION, datetime(2017, 7, 18, 3, 0, tzinfo=UTC))
            }
            assert ours.clock.held == [NOW]  # the log's clock waits for it
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await reader.readexactly(1)
            await delivery.acknowledge()
            assert ours.clock.held == []
            assert await asyncio.wait_for(reader.readexactly(25), 10) == ANSWER[stays_online]

    run(work)


def test_what_kafka_does_not_take_is_not_answered_and_the_station_sends_again() -> None:
    async def work() -> None:
        async with post() as ours:
            reader, writer = await ours.connect()
            writer.write(REPORT)
            delivery, _ = await ours.next()
            await delivery.refuse("Kafka is away")
            assert ours.clock.held == [] and ours.health.error == "Kafka is away"
            writer.write(REPORT)
            again, _ = await ours.next()
            await again.acknowledge()
            assert await asyncio.wait_for(reader.readexactly(25), 10) == ANSWER[False]

    run(work)


def test_what_is_sent_again_is_a_reading_of_the_same_time_whatever_the_clock_of_the_station_says() -> None:
    async def work() -> None:
        never_set = said(0x32, level(STATION, 10_490, "5910101149"), sent="591010114947")
        async with post() as ours:
            seen = []
            for after_s, frame in ((0, never_set), (30, never_set), (90, REPORT)):
                ours.now = NOW + timedelta(seconds=after_s)
                _, writer = await ours.connect()  # the line broke meanwhile
                writer.write(frame)
                _, decoded = await ours.next()
                seen += [(row.observed_at, row.received_at) for row in decoded.rows if isinstance(row, StationReading)]
            assert seen[:2] == [(NOW, NOW)] * 2
            assert seen[-1][1] == NOW + timedelta(seconds=90)
            ours.now = NOW + timedelta(minutes=11)
            writer.write(never_set)
            _, decoded = await ours.next()
            assert decoded.rows[0].received_at == ours.now  # no station tries for so long

    run(work)


def test_any_cut_and_any_noise_between_frames() -> None:
    async def work() -> None:
        async with post() as ours:
            reader, writer = await ours.connect()
            writer.write(b"+CSQ: 21,0\r\n\x7e")
            for byte in REPORT:
                writer.write(bytes((byte,)))
                await writer.drain()
            writer.write(REPORT + b"\x00\x00" + REPORT)
            for _ in range(3):
                delivery, decoded = await ours.next()
                assert len(decoded.rows) == 4 and not decoded.rejects
                await delivery.acknowledge()
            assert len(await heard(reader, 3)) == 3
            assert set(ours.told) == {"noise"}

    run(work)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (said(0x32, level("0011223345", 1), station="0011223345"), "unknown_station"),
        (said(0x32, level(STATION, 1), password="0000"), "wrong_password"),
        (said(0x32, level(STATION, 1), centre=6), "wrong_centre"),
        (said(0x32, level(STATION, 1), is_downlink=True), "downlink"),
        (REPORT[:-1] + b"\x00", "bad_crc"),
    ],
)
def test_who_is_not_believed_is_counted_and_cut_off_after_some_tries(frame: bytes, reason: str) -> None:
    async def work() -> None:
        async with post() as ours:
            reader, writer = await ours.connect()
            writer.write(frame)
            await until(lambda: ours.told == [reason] or reason in ours.told)
            assert not ours.server.is_connected(STATION)
            writer.write(frame * 8)
            assert await hung_up(reader)
            other, other_writer = await ours.connect()  # nobody else is hurt
            other_writer.write(REPORT)
            delivery, _ = await ours.next()
            await delivery.acknowledge()
            assert await asyncio.wait_for(other.readexactly(25), 10) == ANSWER[False]

    run(work)


def test_a_heartbeat_keeps_a_session_and_a_test_report_goes_to_the_tests() -> None:
    async def work() -> None:
        async with post() as ours:
            reader, writer = await ours.connect()
            writer.write(said(0x2F))
            await until(lambda: ours.server.is_connected(STATION))
            writer.write(said(0x30, level(STATION, 10_490)))
            delivery, decoded = await ours.next()
            (test,) = decoded.rows
            assert isinstance(test, StationTest) and test.elements == {"level_m": 10.49}
            await delivery.acknowledge()
            (answer,) = await heard(reader)
            assert (answer.frame.function, answer.frame.end) == (0x30, EOT)
            writer.close()
            await until(lambda: not ours.server.is_connected(STATION))

    run(work)


def test_a_missing_packet_is_asked_for_by_its_number() -> None:
    async def work() -> None:
        async with post(Connectors(station_packet_s=0.1)) as ours:
            reader, writer = await ours.connect()
            whole = bytes.fromhex("0034170718110016F3F3") + bytes(300)
            pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]

            def packet(number: int) -> bytes:
                end = 0x03 if number == len(pieces) else 0x17
                return encode.frame(
                    function=0x36, content=pieces[number - 1], station=STATION, centre=5, password="03E8",
                    packets=len(pieces), packet=number, end=end,
                )  # fmt: skip

            for number in (1, 3, 4):
                writer.write(packet(number))
            (asked,) = await _frames(reader, 1)
            assert (asked.frame.end, asked.frame.packet) == (NAK, 2)
            writer.write(packet(2))
            delivery, decoded = await ours.next()
            assert [one.reason for one in decoded.rejects] == ["picture"]
            await delivery.acknowledge()

    async def _frames(reader: asyncio.StreamReader, count: int) -> list[Message]:
        scanner, found = Scanner[Frame](Sl651Grammar()), list[Message]()
        async with asyncio.timeout(10):
            while len(found) < count:
                for one in scanner.receive(await reader.read(4096)):
                    if isinstance(one, Frame):
                        found.append(Message(one, one.content, (one,)))
        return found

    run(work)


def test_a_stranger_makes_room_and_a_known_station_does_not() -> None:
    async def work() -> None:
        async with post(Connectors(station_connections=2)) as ours:
            known, writer = await ours.connect()
            writer.write(said(0x2F))
            await until(lambda: ours.server.is_connected(STATION))
            stranger, _ = await ours.connect()
            await asyncio.sleep(0)
            later, later_writer = await ours.connect()
            assert await hung_up(stranger)
            later_writer.write(REPORT)
            delivery, _ = await ours.next()
            await delivery.acknowledge()
            assert await asyncio.wait_for(later.readexactly(25), 10) == ANSWER[False]
            last, _ = await ours.connect()  # all others are known: there is no room for it
            assert await hung_up(last)
            assert not known.at_eof() and not later.at_eof()

    run(work)


def test_who_says_nothing_or_only_noise_or_reads_nothing_is_cut_off() -> None:
    async def work() -> None:
        limits = Connectors(station_first_frame_s=0.1, station_noise_bytes=1000)
        async with post(limits) as ours:
            silent, _ = await ours.connect()
            noisy, writer = await ours.connect()
            writer.write(b"\x55" * 1500)
            assert await hung_up(noisy)
            assert await hung_up(silent)
        async with post(Connectors(station_idle_s=0.1)) as ours:
            idle, writer = await ours.connect()
            writer.write(said(0x2F))
            assert await hung_up(idle)

    run(work)


def test_only_so_many_messages_of_a_connection_wait() -> None:
    async def work() -> None:
        async with post(Connectors(station_unanswered=4)) as ours:
            reader, writer = await ours.connect()
            writer.write(REPORT * 4)
            first = [(await ours.next())[0] for _ in range(4)]
            for _ in range(50):  # not read: it waits in the socket
                writer.write(REPORT)
            await writer.drain()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await asyncio.shield(waiting := asyncio.ensure_future(ours.next()))
            await first[0].acknowledge()
            delivery, _ = await asyncio.wait_for(waiting, 10)
            for one in (*first[1:], delivery):
                await one.acknowledge()
            assert len(await heard(reader, 5)) == 5

    run(work)


def test_two_thousand_stations_at_a_time_are_all_answered() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5_000:
        pytest.skip(f"at most {hard} open files are allowed here")
    stations = [f"00{number:08d}" for number in range(2_000)]

    async def work() -> None:
        async with post(facts={station: FACTS for station in stations}) as ours:
            settling = asyncio.create_task(_settle(ours))
            answers = await asyncio.gather(*(_report(ours, station) for station in stations))
            assert all(answers)
            assert all(ours.server.is_connected(station) for station in stations)
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)

    async def _settle(ours: Post) -> None:
        while True:
            delivery, decoded = await ours.next()
            assert len(decoded.rows) == 1
            await delivery.acknowledge()

    lines: list[asyncio.StreamWriter] = []

    async def _report(ours: Post, station: str) -> bool:
        reader, writer = await ours.connect()
        lines.append(writer)
        writer.write(said(0x32, level(station, 1_000), station=station))
        return (await asyncio.wait_for(reader.readexactly(25), 50))[:2] == b"\x7e\x7e"

    run(work)


SZY206 = szy206.encode(0xB2, "5303810D00", 0xC0, bytes.fromhex("90040100" + "00000000" + "1500110800"))
HJ212 = hj212_frame(
    "QN=20170718110000001;ST=21;CN=2011;PW=123456;MN=A1;Flag=9", "DataTime=20170718110000;w01001-Rtd=7.1,w01001-Flag=N"
)


@pytest.mark.parametrize(
    ("decoder", "data", "station", "wanted"),
    [("szy206", SZY206, "5303810D00", b"\x68"), ("hj212", HJ212, "A1", b"##")],
)
def test_the_other_protocols_are_answered_too(decoder: str, data: bytes, station: str, wanted: bytes) -> None:
    async def work() -> None:
        async with post(facts={station: StationFacts()}, decoder=decoder) as ours:
            reader, writer = await ours.connect()
            writer.write(data)
            delivery, decoded = await ours.next()
            assert decoded.rows
            await delivery.acknowledge()
            async with asyncio.timeout(10):
                assert (await reader.read(200)).startswith(wanted)

    run(work)


def test_the_memory_of_strangers_is_bounded() -> None:
    """A frame that claims 4,095 bytes and never ends, again and again: held bytes stay small, the line is cut."""

    async def work() -> None:
        async with post(Connectors(station_noise_bytes=20_000)) as ours:
            reader, writer = await ours.connect()
            with contextlib.suppress(ConnectionError):
                for _ in range(200):
                    writer.write(bytes.fromhex("7E7E05001122334403E8320FFF02") + b"\x30" * 400)
                    await writer.drain()
            assert await hung_up(reader)

    run(work)
