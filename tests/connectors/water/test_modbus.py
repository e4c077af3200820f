"""A real Modbus server is read at its minute; what does not answer is silence, never a value."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from connectors.decoding import Decoded, SourceContext
from connectors.formats import DECODERS
from connectors.health import SourceHealth
from connectors.transports.modbus_poll import ModbusPoll
from connectors.water.modbus import Register, address_of, number_of
from schemas.settings import Connectors, Source
from schemas.water import StationReading
from tests.connectors.clocks import HeldClock, until
from tests.connectors.water.stations import free_port

MAPS: dict[str, Any] = {
    "timeout_s": 0.5,
    "stations": [
        {
            "station": "pump-3",
            "unit": 1,
            "registers": [
                {"element": "level_m", "address": 2, "words": 2, "scale": 0.001},
                {"element": "pump_running", "address": 10},
                {"element": "gate_opening_m", "address": 99},  # the device has no such register
            ],
        },
        {"station": "sluice-1", "unit": 2, "registers": [{"element": "level_m", "address": 0, "signed": True}]},
        {"station": "gone-1", "unit": 9, "registers": [{"element": "level_m", "address": 0}]},
        {"station": "sluice-2", "unit": 3, "registers": [{"element": "level_m", "address": 0, "scale": 0.01}]},
    ],
}


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(40):
            await work()

    asyncio.run(limited())


@contextlib.asynccontextmanager
async def device(port: int) -> AsyncIterator[None]:
    """Three units behind one address; a fourth one that the map names is not there."""

    def unit(number: int, *data: tuple[int, list[int]]) -> SimDevice:
        return SimDevice(number, [SimData(at, values=words, datatype=DataType.REGISTERS) for at, words in data])

    units = [unit(1, (2, [0, 1234]), (10, [0])), unit(2, (0, [0xFFFE])), unit(3, (0, [250]))]
    server = ModbusTcpServer(units, address=("127.0.0.1", port), ignore_missing_devices=True)
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def poll(port: int, cadence_s: float = 60.0) -> tuple[ModbusPoll, SourceHealth, HeldClock]:
    table = {"name": "pumps", "decoder": "modbus", "transport": "modbus", "topic": "water.readings",
             "url": f"modbus://127.0.0.1:{port}", "cadence_s": cadence_s, "options": MAPS}  # fmt: skip
    source = msgspec.convert(table, Source)
    health, clock = SourceHealth("pumps", cadence_s), HeldClock()
    return ModbusPoll(source, Connectors(), clock, health), health, clock


def decoded(payload: bytes, at: datetime) -> Decoded:
    context = SourceContext(source="pumps", received_at=at, zone=ZoneInfo("UTC"), topic="water.readings", options=MAPS)
    return DECODERS["modbus"](payload, context)


def test_a_device_is_read_and_what_is_not_there_is_silence() -> None:
    async def work() -> None:
        port = free_port()
        ours, health, _ = poll(port)
        async with device(port):
            coming = ours.deliveries()
            found: dict[tuple[str, str], float | None] = {}
            for _ in range(3):
                delivery = await anext(coming)
                account = decoded(delivery.payload, delivery.received_at)
                assert not account.rejects
                for row in account.rows:
                    assert isinstance(row, StationReading)
                    found[row.station, row.element] = row.value
                await delivery.acknowledge()
            await coming.aclose()  # type: ignore[attr-defined]
        assert found == {
            ("pump-3", "level_m"): 1.234,
            ("pump-3", "pump_running"): 0.0,
            ("sluice-1", "level_m"): -2.0,
            ("sluice-2", "level_m"): 2.5,
        }
        assert health.failures == 2 and health.error is None  # the register and the unit that are not there

    run(work)


def test_a_device_that_is_away_says_nothing_and_is_asked_again() -> None:
    async def work() -> None:
        port = free_port()
        ours, health, clock = poll(port, cadence_s=0.2)
        coming = ours.deliveries()
        first = asyncio.ensure_future(anext(coming))
        await until(lambda: health.failures >= 2)
        assert not first.done() and "does not answer" in (health.error or "")
        async with device(port):
            delivery = await first
            assert b"pump-3" in delivery.payload
            assert clock.held
            await delivery.acknowledge()
        await coming.aclose()  # type: ignore[attr-defined]

    run(work)


@given(st.floats(-1e6, 1e6, width=32))
def test_floats_in_either_order(number: float) -> None:
    high, low = struct.unpack(">HH", struct.pack(">f", number))
    plain = Register(element="flow_m3s", address=0, words=2, is_float=True)
    assert number_of([high, low], plain) == pytest.approx(number, rel=1e-12)
    swapped = msgspec.structs.replace(plain, order="little")
    assert number_of([low, high], swapped) == pytest.approx(number, rel=1e-12)


@given(st.integers(-(2**31), 2**31 - 1))
def test_signed_words_in_either_order(number: int) -> None:
    high, low = struct.unpack(">HH", struct.pack(">i", number))
    register = Register(element="level_m", address=0, words=2, signed=True, scale=0.001)
    assert number_of([high, low], register) == number / 1000
    assert number_of([low, high], msgspec.structs.replace(register, order="little")) == number / 1000


def test_the_worked_example_of_the_reference() -> None:
    register = Register(element="level_m", address=2, words=2, scale=0.001)
    assert number_of([0x0000, 0x04D2], register) == 1.234
    assert number_of([0xFFFF, 0xFFFF], msgspec.structs.replace(register, none=(0xFFFFFFFF,))) is None


def test_the_address_of_a_device() -> None:
    assert address_of("modbus://10.0.0.7") == ("10.0.0.7", 502)
    with pytest.raises(ValueError, match="modbus://"):
        address_of("tcp://10.0.0.7:502")


def test_no_reading_without_a_map() -> None:
    now = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
    context = SourceContext(source="pumps", received_at=now, zone=ZoneInfo("UTC"))
    (reject,) = DECODERS["modbus"](b'{"station":"pump-3","read":[]}', context).rejects
    assert reject.reason == "bad_map"
