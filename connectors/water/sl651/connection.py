"""What did a station say? One connection: bytes in, messages out, and what could not be one. No socket, no clock."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from connectors.water.scanner import Rubbish, Scanner
from connectors.water.sl651.frames import LENGTH_LIMIT, Encoding, Frame, Sl651Grammar
from connectors.water.sl651.packets import ASSEMBLY_LIMIT_BYTES, GivenUp, Message, Missing, Packets


class Refused(msgspec.Struct, frozen=True):
    """A sound frame of one who may not send it: unknown_station, wrong_centre, wrong_password."""

    frame: Frame
    reason: str


Event = Message | Missing | Refused | GivenUp | Rubbish


class Connection:
    """Both sides use it: the server reads stations with it, a station its server.

    `admit` says why a frame is refused, or None; a stranger's packets are never held.
    """

    def __init__(
        self,
        *,
        admit: Callable[[Frame], str | None] | None = None,
        encoding: Encoding | None = None,
        length_limit: int = LENGTH_LIMIT,
        assembly_limit_bytes: int = ASSEMBLY_LIMIT_BYTES,
    ) -> None:
        self._admit = admit
        self._scanner = Scanner(Sl651Grammar(length_limit, encoding))
        self._packets = Packets(assembly_limit_bytes)

    def receive(self, data: bytes) -> list[Event]:
        """What these bytes complete, in order; nothing: more are needed."""
        return self._events(self._scanner.receive(data))

    def close(self) -> list[Event]:
        """No more bytes will come: what was held becomes rubbish or is given up."""
        return [*self.cut(), *self._packets.close()]

    def cut(self) -> list[Event]:
        """What comes next does not continue these bytes (a line of a file ended); packets still wait for theirs."""
        return self._events(self._scanner.close())

    def missing(self) -> list[Missing]:
        """What every unfinished message still lacks, for when the shell has waited long enough."""
        return self._packets.missing()

    @property
    def held_bytes(self) -> int:
        return self._scanner.held + self._packets.held_bytes

    def _events(self, found: list[Frame | Rubbish]) -> list[Event]:
        events: list[Event] = []
        for one in found:
            if isinstance(one, Rubbish):
                events.append(one)
            elif self._admit is not None and (reason := self._admit(one)) is not None:
                events.append(Refused(one, reason))
            else:
                events += self._packets.receive(one)
        return events
