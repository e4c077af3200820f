"""What did an HJ 212 station say? One connection: bytes in, messages out, of one packet or of several (PNUM, PNO).

Bounded memory: what is unfinished is given up, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from connectors.water.hj212.frames import LENGTH_LIMIT, Hj212Grammar, Packet
from connectors.water.scanner import Rubbish, Scanner

ASSEMBLY_LIMIT_BYTES = 256 * 1024


class Message(msgspec.Struct, frozen=True):
    packet: Packet  # the one that completed it
    parameters: tuple[str, ...]  # of each packet, in their order
    packets: tuple[Packet, ...]

    @property
    def text(self) -> str:
        return "".join(packet.text for packet in self.packets)


class Refused(msgspec.Struct, frozen=True):
    packet: Packet
    reason: str


class GivenUp(msgspec.Struct, frozen=True):
    """Packets that will never be a message: superseded, too_large, missing_packets."""

    packets: tuple[Packet, ...]
    reason: str


Event = Message | Refused | GivenUp | Rubbish


class Connection:
    def __init__(
        self,
        *,
        admit: Callable[[Packet], str | None] | None = None,
        length_limit: int = LENGTH_LIMIT,
        assembly_limit_bytes: int = ASSEMBLY_LIMIT_BYTES,
    ) -> None:
        self._admit = admit
        self._scanner = Scanner(Hj212Grammar(length_limit))
        self._limit_bytes = assembly_limit_bytes
        self._held: dict[tuple[str, ...], dict[int, Packet]] = {}
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        return self._scanner.held + self._held_bytes

    def receive(self, data: bytes) -> list[Event]:
        return self._events(self._scanner.receive(data))

    def close(self) -> list[Event]:
        events = self._events(self._scanner.close())
        return [*events, *(event for key in list(self._held) for event in self._given_up(key, "missing_packets"))]

    def _events(self, found: list[Packet | Rubbish]) -> list[Event]:
        events: list[Event] = []
        for one in found:
            if isinstance(one, Rubbish):
                events.append(one)
            elif self._admit is not None and (reason := self._admit(one)) is not None:
                events.append(Refused(one, reason))
            else:
                events += self._assembled(one)
        return events

    def _assembled(self, packet: Packet) -> list[Event]:
        if packet.packets == 1 or not 1 <= packet.packet <= packet.packets:
            return [Message(packet, (packet.parameters,), (packet,))]
        events: list[Event] = []
        key = (packet.station, packet.command, packet.fields.get("QN", ""))
        held = self._held.get(key)
        if held is not None and _is_other(held, packet):
            events += self._given_up(key, "superseded")
            held = None
        if held is None:
            held = self._held[key] = {}
        if packet.packet not in held:
            held[packet.packet] = packet
            self._held_bytes += len(packet.data)
        while self._held_bytes > self._limit_bytes:
            events += self._given_up(next(iter(self._held)), "too_large")
        if key in self._held and len(held) == packet.packets:
            self._forget(key)
            packets = tuple(held[number] for number in range(1, packet.packets + 1))
            events.append(Message(packet, tuple(each.parameters for each in packets), packets))
        return events

    def _given_up(self, key: tuple[str, ...], reason: str) -> list[Event]:
        held = self._held[key]
        self._forget(key)
        return [GivenUp(tuple(held[number] for number in sorted(held)), reason)]

    def _forget(self, key: tuple[str, ...]) -> None:
        self._held_bytes -= sum(len(packet.data) for packet in self._held.pop(key).values())


def _is_other(held: dict[int, Packet], packet: Packet) -> bool:
    if next(iter(held.values())).packets != packet.packets:
        return True
    same = held.get(packet.packet)
    return same is not None and same.parameters != packet.parameters
