"""What must a server do about what it hears from a station? The three protocols, told alike: bytes in, tasks out. Pure.

A task says what to publish, what to answer when that is safe, what to send at once, or why a sender is not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from connectors.decoding import Decoded, SourceContext
from connectors.times import instant
from connectors.water import szy206
from connectors.water.hj212 import connection as hj212
from connectors.water.hj212 import replies as hj212_replies
from connectors.water.hj212.decode import outcome as hj212_outcome
from connectors.water.scanner import Rubbish
from connectors.water.sl651 import clock, replies
from connectors.water.sl651 import connection as sl651
from connectors.water.sl651.decode import outcome as sl651_outcome
from connectors.water.sl651.frames import Frame
from connectors.water.sl651.packets import GivenUp, Message, Missing
from connectors.water.stations import Stations, refusal

AGAIN_LIMIT = 3  # how often a missing packet is asked for before its message is left to be given up
Answer = Callable[[datetime, bool], bytes | None]  # (now, whether the station shall stay online) -> bytes


class Task(msgspec.Struct, frozen=True, kw_only=True):
    station: str | None = None  # who speaks; None: nobody who is believed
    raw: bytes = b""
    decode: Callable[[SourceContext], Decoded] | None = None  # what it says; None: nothing to keep
    told: str | None = None  # why this is no message: the reject is counted, few of many are told
    answer: Answer | None = None  # when what it says is safe
    at_once: bytes | None = None
    answers: str | None = None  # the kind of question that this answers
    ahead_s: float | None = None  # its clock, by the time of sending
    has_serial: bool = False  # equal bytes are the same message, sent again


class Dialogue(Protocol):
    """One connection."""

    @property
    def held_bytes(self) -> int: ...

    def receive(self, data: bytes, at: datetime) -> list[Task]: ...

    def close(self, at: datetime) -> list[Task]: ...

    def overdue(self, at: datetime) -> list[Task]:
        """What to do when an unfinished message has stood still for a while."""
        ...

    def question(self, station: str, kind: str, params: Mapping[str, Any], at: datetime) -> bytes:
        """The bytes of a question. Raises Unsayable."""
        ...


class Unsayable(ValueError):
    """The question cannot be asked of this station, or its parameters are none."""


def dialogue_of(decoder: str, zone: ZoneInfo, stations: Callable[[], Stations]) -> Dialogue:
    if decoder == "sl651":
        return Sl651Dialogue(zone, stations)
    if decoder == "hj212":
        return Hj212Dialogue(stations)
    if decoder == "szy206":
        return Szy206Dialogue(stations)
    raise ValueError(f"{decoder} is not spoken over TCP")


class Sl651Dialogue:
    def __init__(self, zone: ZoneInfo, stations: Callable[[], Stations]) -> None:
        self._zone = zone
        self._stations = stations
        self._connection = sl651.Connection(admit=self._admit)
        self._peers: dict[str, replies.Peer] = {}
        self._asked_again: dict[tuple[str, int], int] = {}
        self._serial = 0

    @property
    def held_bytes(self) -> int:
        return self._connection.held_bytes

    def receive(self, data: bytes, at: datetime) -> list[Task]:
        return [self._task(event, at) for event in self._connection.receive(data)]

    def close(self, at: datetime) -> list[Task]:
        return [self._task(event, at) for event in self._connection.close()]

    def overdue(self, at: datetime) -> list[Task]:
        return [self._missing(one, at) for one in self._connection.missing()]

    def question(self, station: str, kind: str, params: Mapping[str, Any], at: datetime) -> bytes:
        peer = self._peers.get(station)
        if peer is None:
            raise Unsayable(f"station {station} has not spoken on this connection")
        self._serial = serial = replies.next_serial(self._serial)
        try:
            if kind == "37":
                return replies.query(peer, replies.REAL_TIME, serial, at, self._zone)
            if kind == "38":
                since, until = _time(params, "since"), _time(params, "until")
                step_min = int(params.get("step_min", 5))
                code = str(params.get("code", "39"))
                return replies.query_period(peer, serial, at, self._zone, since, until, code, step_min)
            if kind == "3A":
                return replies.query_chosen(peer, serial, at, self._zone, _codes(params))
            if kind == "4A":
                return replies.set_clock(peer, serial, at, self._zone)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise Unsayable(f"{kind}: {error}") from error
        raise Unsayable(f"{kind} is no question of SL 651")

    def _admit(self, frame: Frame) -> str | None:
        if frame.is_downlink:
            return "downlink"
        return refusal(self._stations(), frame.station, frame.password, frame.centre)

    def _task(self, event: sl651.Event, at: datetime) -> Task:
        if isinstance(event, Message):
            return self._message(event, at)
        if isinstance(event, Missing):
            return self._missing(event, at)
        return _told(event.reason, event, sl651_outcome)

    def _message(self, message: Message, at: datetime) -> Task:
        frame = message.frame
        stations = self._stations()
        self._peers[frame.station] = replies.peer_of(frame)
        self._asked_again.pop((frame.station, frame.function), None)
        sent = (
            message.content[2:8].hex() if frame.encoding == "hex" else message.content[4:16].decode("ascii", "replace")
        )
        ahead_s = clock.off_s(sent, at, self._zone)
        if frame.function == replies.KEEP_ALIVE:
            return Task(station=frame.station, ahead_s=ahead_s)
        answer: Answer | None = None
        if replies.wants_answer(message, stations.get(frame.station)):

            def confirmed(now: datetime, stay_online: bool) -> bytes:
                return replies.confirm(message, now, self._zone, stay_online=stay_online)

            answer = confirmed
        is_answer = frame.function in replies.READING or frame.function == replies.SET_CLOCK
        return Task(
            station=frame.station,
            raw=message.text.encode(),
            decode=lambda source: sl651_outcome(message, source, stations),
            answer=answer,
            answers=f"{frame.function:02X}" if is_answer else None,
            ahead_s=None if is_answer else ahead_s,
            has_serial=True,
        )

    def _missing(self, missing: Missing, at: datetime) -> Task:
        frame = missing.frame
        key = (frame.station, frame.function)
        count = self._asked_again[key] = self._asked_again.get(key, 0) + 1
        if count > AGAIN_LIMIT * len(missing.numbers):
            return Task(station=frame.station)
        self._serial = replies.next_serial(self._serial)
        return Task(station=frame.station, at_once=replies.again(missing, self._serial, at, self._zone))


class Hj212Dialogue:
    def __init__(self, stations: Callable[[], Stations]) -> None:
        self._stations = stations
        self._connection = hj212.Connection(admit=lambda one: refusal(self._stations(), one.station, one.password))

    @property
    def held_bytes(self) -> int:
        return self._connection.held_bytes

    def receive(self, data: bytes, at: datetime) -> list[Task]:
        return [self._task(event, at) for event in self._connection.receive(data)]

    def close(self, at: datetime) -> list[Task]:
        return [self._task(event, at) for event in self._connection.close()]

    def overdue(self, at: datetime) -> list[Task]:
        return []

    def question(self, station: str, kind: str, params: Mapping[str, Any], at: datetime) -> bytes:
        raise Unsayable(f"{kind} is no question of HJ 212")

    def _task(self, event: hj212.Event, at: datetime) -> Task:
        if not isinstance(event, hj212.Message):
            return _told(event.reason, event, hj212_outcome)
        answer = hj212_replies.answer(event)
        if event.packet.command == hj212_replies.HEARTBEAT:
            return Task(station=event.packet.station, at_once=answer)
        return Task(
            station=event.packet.station,
            raw=b"".join(packet.data for packet in event.packets),
            decode=lambda source: hj212_outcome(event, source),
            answer=None if answer is None else lambda now, stay_online: answer,
            has_serial=bool(event.packet.fields.get("QN")),
        )


class Szy206Dialogue:
    def __init__(self, stations: Callable[[], Stations]) -> None:
        self._stations = stations
        self._connection = szy206.Connection()

    @property
    def held_bytes(self) -> int:
        return self._connection.held_bytes

    def receive(self, data: bytes, at: datetime) -> list[Task]:
        return [self._task(event, at) for event in self._connection.receive(data)]

    def close(self, at: datetime) -> list[Task]:
        return [self._task(event, at) for event in self._connection.close()]

    def overdue(self, at: datetime) -> list[Task]:
        return []

    def question(self, station: str, kind: str, params: Mapping[str, Any], at: datetime) -> bytes:
        raise Unsayable(f"{kind} is no question of SZY 206")

    def _task(self, event: szy206.Event, at: datetime) -> Task:
        if isinstance(event, Rubbish):
            return _told(event.reason, event, szy206.outcome)
        if event.station not in self._stations():  # a frame has no password
            return Task(raw=event.data.hex().upper().encode(), told="unknown_station")
        answer = szy206.answer(event)
        if event.link is not None:
            return Task(station=event.station, at_once=answer)
        return Task(
            station=event.station,
            raw=event.data.hex().upper().encode(),
            decode=lambda source: szy206.outcome(event, source),
            answer=None if answer is None else lambda now, stay_online: answer,
        )


def _told(reason: str, event: Any, outcome: Callable[[Any, SourceContext], Decoded]) -> Task:
    return Task(raw=_raw(event), told=reason, decode=lambda source: outcome(event, source))


def _raw(event: Any) -> bytes:
    if isinstance(event, Rubbish):
        return event.data
    if isinstance(event, (GivenUp, sl651.Refused)):
        frames = event.frames if isinstance(event, GivenUp) else (event.frame,)
        return b"\n".join(frame.text.encode() for frame in frames)
    packets = event.packets if isinstance(event, hj212.GivenUp) else (event.packet,)
    return b"".join(packet.data for packet in packets)


def _time(params: Mapping[str, Any], name: str) -> datetime:
    at = instant(params[name], "iso", ZoneInfo("UTC"))
    if at is None:
        raise ValueError(f"{name} is empty")
    return at


def _codes(params: Mapping[str, Any]) -> Sequence[str]:
    codes = params["codes"]
    if not isinstance(codes, list) or not 1 <= len(codes) <= 32 or not all(isinstance(code, str) for code in codes):
        raise ValueError("codes are 1 to 32 elements")
    return codes
