"""How are Modbus stations read? At the source's minute, over TCP, register by register as its map says.

One source is one device or gateway; its stations are units behind it. What does not answer is silence: no value stands
for it, and the source's health says which station it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery, Holds
from connectors.transports.http_poll import next_tick
from connectors.water.modbus import Maps, Register, StationMap, address_of, maps_of
from schemas.settings import Connectors, Source

log = logging.getLogger(__name__)


class ModbusPoll:
    def __init__(self, source: Source, limits: Connectors, holds: Holds, health: SourceHealth) -> None:
        self._source, self._limits, self._holds, self._health = source, limits, holds, health
        self._maps: Maps = maps_of(source.options)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        planned = _now()
        while True:
            release = self._holds.hold(planned)
            timer = asyncio.get_running_loop().call_later(self._limits.poll_hold_s, release)
            try:
                documents = await self._round()
            finally:
                timer.cancel()
            now = _now()
            in_time = (now - planned).total_seconds() <= self._limits.poll_hold_s
            received_at = planned if in_time else now
            for document in documents:
                yield self._delivery(document, received_at)
            release()
            planned = next_tick(_now(), self._source.cadence_s, self._source.offset_s)
            await asyncio.sleep(max(0.0, (planned - _now()).total_seconds()))

    def _delivery(self, document: dict[str, Any], received_at: datetime) -> Delivery:
        let_go = self._holds.hold(received_at)

        async def acknowledge() -> None:
            let_go()
            self._health.succeeded(_now())

        async def refuse(reason: str) -> None:
            let_go()
            self._health.failed(reason)

        payload = msgspec.json.encode(document)
        return Delivery(payload=payload, received_at=received_at, acknowledge=acknowledge, refuse=refuse)

    async def _round(self) -> list[dict[str, Any]]:
        """What every station said, of those that said something."""
        host, port = address_of(self._source.url)
        timeout_s = self._maps.timeout_s
        client = AsyncModbusTcpClient(host, port=port, timeout=timeout_s, retries=1, reconnect_delay=0)
        self._health.polled()
        found: list[dict[str, Any]] = []
        try:
            for station in self._maps.stations:
                # a unit that is silent may have cost the connection: the next one has a new try
                if not client.connected and not await asyncio.wait_for(client.connect(), timeout_s):
                    self._failed(f"{host}:{port} does not answer")
                    break
                read = await self._station(client, station)
                if read:
                    found.append({"station": station.station, "read": read})
        except (ModbusException, OSError, TimeoutError) as error:
            self._failed(f"{host}:{port}: {type(error).__name__}: {error}")
        finally:
            client.close()
        return found

    async def _station(self, client: AsyncModbusTcpClient, station: StationMap) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = []
        for register in station.registers:
            try:
                answer = await _ask(client, station.unit, register)
            except ModbusException as error:
                self._failed(f"{station.station}: {error}")
                if not client.connected:
                    break
                continue
            if answer is None:
                self._failed(f"{station.station}: the device has no {register.kind} register {register.address}")
                continue
            read.append({"element": register.element, "at": register.address, "words": answer})
        return read

    def _failed(self, reason: str) -> None:
        self._health.failed(reason)
        log.warning("%s: %s", self._source.name, reason)


async def _ask(client: AsyncModbusTcpClient, unit: int, register: Register) -> list[int] | None:
    """The words of a register; None: the device says that it cannot. Raises ModbusException when it says nothing."""
    read = client.read_holding_registers if register.kind == "holding" else client.read_input_registers
    answer = await read(register.address, count=register.words, device_id=unit)
    if answer.isError() or len(answer.registers) != register.words:
        return None
    return list(answer.registers)


def _now() -> datetime:
    return datetime.now(UTC)
