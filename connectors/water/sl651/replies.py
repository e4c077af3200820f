"""What is sent to a station? Answers to its reports, and questions: bytes with a checksum, for one frame each.

ESC keeps the station online for ten minutes, EOT lets it sleep. A serial of ours counts 1 to 65535 and begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

import msgspec

from connectors.water.sl651 import encode
from connectors.water.sl651.elements import NAME_OF
from connectors.water.sl651.frames import ENQ, EOT, ESC, NAK, Encoding, Frame
from connectors.water.sl651.packets import Message, Missing
from connectors.water.stations import StationFacts

KEEP_ALIVE, TEST, INTERVAL, TIMED, ADDED, HOURLY, MANUAL, PICTURE = range(0x2F, 0x37)
REAL_TIME, PERIOD, MANUAL_QUERY, CHOSEN, SET_CLOCK, STATUS = 0x37, 0x38, 0x39, 0x3A, 0x4A, 0x46
BASIC, RUNNING, PUMP_MOTOR, VERSION, EVENTS, CLOCK = 0x41, 0x43, 0x44, 0x45, 0x50, 0x51
READING = frozenset(
    (REAL_TIME, PERIOD, MANUAL_QUERY, CHOSEN, BASIC, RUNNING, PUMP_MOTOR, VERSION, STATUS, EVENTS, CLOCK)
)


class Peer(msgspec.Struct, frozen=True):
    """Who is spoken to: what the header of a downlink needs."""

    station: str
    centre: int
    password: str
    encoding: Encoding = "hex"


def peer_of(frame: Frame) -> Peer:
    return Peer(frame.station, frame.centre, frame.password, frame.encoding)


def next_serial(serial: int) -> int:
    return serial % 65535 + 1


def wants_answer(message: Message, facts: StationFacts | None = None) -> bool:
    """Reports do (30 to 36), of a station that waits for one; heartbeats and answers to questions do not."""
    mode = facts.mode if facts is not None else "M2"
    return mode != "M1" and TEST <= message.frame.function <= PICTURE and not message.frame.is_downlink


def confirm(message: Message, at: datetime, zone: tzinfo, *, stay_online: bool) -> bytes:
    """The answer to a report: it is safe. Serial and function are the report's, the time is ours."""
    frame = message.frame
    return _downlink(
        peer_of(frame),
        frame.function,
        encode.content(serial_of(message), stamp(at, zone), encoding=frame.encoding),
        ESC if stay_online else EOT,
        frame.packets,
        frame.packets,
    )


def again(missing: Missing, serial: int, at: datetime, zone: tzinfo) -> bytes:
    """Asks for the first missing packet of a message: NAK, with its number."""
    frame = missing.frame
    content = encode.content(serial, stamp(at, zone), encoding=frame.encoding)
    return _downlink(peer_of(frame), frame.function, content, NAK, frame.packets, missing.numbers[0])


def query(peer: Peer, function: int, serial: int, at: datetime, zone: tzinfo, body: bytes = b"") -> bytes:
    """A question without arguments, or with a body of the caller's."""
    return _downlink(peer, function, encode.content(serial, stamp(at, zone), body, peer.encoding), ENQ)


def query_period(
    peer: Peer, serial: int, at: datetime, zone: tzinfo, since: datetime, until: datetime, code: str, step_min: int = 5
) -> bytes:
    """38: what a station kept of one element, from hour to hour."""
    hours = f"{_local(since, zone, '%y%m%d%H')}{_local(until, zone, '%y%m%d%H')}"
    days, minutes = divmod(step_min, 24 * 60)
    if peer.encoding == "ascii":
        unit = f"H{step_min // 60:02d}" if step_min % 60 == 0 else f"N{step_min:02d}"
        body = f" {hours[:8]} {hours[8:]} DR{unit} {NAME_OF[code]} ".encode()
    else:
        step = f"{days:02d}{minutes // 60:02d}{minutes % 60:02d}"
        body = bytes.fromhex(f"{hours}0418{step}") + _asked(code)
    return query(peer, PERIOD, serial, at, zone, body)


def query_chosen(peer: Peer, serial: int, at: datetime, zone: tzinfo, codes: Sequence[str]) -> bytes:
    """3A: chosen elements, now."""
    if peer.encoding == "ascii":
        body = "".join(f" {NAME_OF[code]}" for code in codes).encode() + b" "
    else:
        body = b"".join(_asked(code) for code in codes)
    return query(peer, CHOSEN, serial, at, zone, body)


def set_clock(peer: Peer, serial: int, at: datetime, zone: tzinfo) -> bytes:
    """4A: the time of sending is the time to set."""
    return query(peer, SET_CLOCK, serial, at, zone)


def serial_of(message: Message) -> int:
    if message.frame.encoding == "hex":
        return int.from_bytes(message.content[:2], "big")
    try:
        return int(message.content[:4], 16)
    except ValueError:
        return 0


def stamp(at: datetime, zone: tzinfo) -> str:
    return _local(at, zone, "%y%m%d%H%M%S")


def _local(at: datetime, zone: tzinfo, form: str) -> str:
    return at.astimezone(zone).strftime(form)


_DEFINED = {"F4": "60", "26": "19", "20": "19", "38": "12", "39": "23", "3A": "23", "3B": "23", "45": "20"} | {
    f"F{digit}": "C0" for digit in "56789ABC"
}


def _asked(code: str) -> bytes:
    """An element in a question: its id and its usual definition."""
    return bytes.fromhex(code + _DEFINED.get(code, "23"))


def _downlink(peer: Peer, function: int, content: bytes, end: int, packets: int = 1, packet: int = 1) -> bytes:
    return encode.frame(
        function=function,
        content=content,
        station=peer.station,
        centre=peer.centre,
        password=peer.password,
        end=end,
        is_downlink=True,
        encoding=peer.encoding,
        packets=packets,
        packet=packet,
    )
