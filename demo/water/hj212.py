"""What does an HJ 212 station of the demo say, and what was it answered? Packets of 2017 that want an answer.

Written from the standard a second time, so that a mistake in the connector is not made on both sides.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

LOCAL = timezone(timedelta(hours=8))
WATER, REAL_TIME, TAKEN = "21", "2011", "9014"
LEVEL = "e01201"  # the factor by which the demo's stations send their level, in millimetres
VERSION_2017, WANTS_ANSWER = 4, 1
_PACKET = re.compile(rb"##(\d{4})")
_TAIL = 6  # four digits of the checksum and CR LF


def message(
    mn: str, password: str, sent_at: datetime, observed_at: datetime, level_m: float | None, flag: str
) -> bytes:
    """The level of a station, and how it is: N well, D faulty, M maintained."""
    value = "" if level_m is None else f"{level_m * 1000:.0f}"
    data = f"DataTime={_local(observed_at)[:14]};{LEVEL}-Rtd={value},{LEVEL}-Flag={flag}"
    head = f"QN={qn(sent_at)};ST={WATER};CN={REAL_TIME};PW={password};MN={mn};Flag={VERSION_2017 | WANTS_ANSWER}"
    return packet(f"{head};CP=&&{data}&&")


def packet(data: str) -> bytes:
    raw = data.encode()
    return b"##%04d" % len(raw) + raw + b"%04X\r\n" % crc(raw)


def qn(at: datetime) -> str:
    """The time to the millisecond: a request's own number."""
    return _local(at)


def answers(data: bytearray) -> list[str]:
    """The QN of each message that was taken; their bytes, and what is no packet, are taken out of `data`."""
    found: list[str] = []
    while True:
        begin = data.find(b"##")
        if begin < 0:
            del data[: max(len(data) - 1, 0)]
            return found
        del data[:begin]
        if len(data) < 6:
            return found
        head = _PACKET.match(data)
        if head is None:
            del data[:1]
            continue
        size = 6 + int(head[1]) + _TAIL
        if len(data) < size:
            return found
        body, check = bytes(data[6 : size - _TAIL]), bytes(data[size - _TAIL : size - 2])
        if check.upper() != b"%04X" % crc(body):
            del data[:1]
            continue
        del data[:size]
        fields = dict(part.split("=", 1) for part in body.decode("ascii", "replace").split(";") if "=" in part)
        if fields.get("CN") == TAKEN:
            found.append(fields.get("QN", ""))


def crc(data: bytes) -> int:
    """Of HJ 212, not Modbus's: each byte is added to the high byte moved down."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register


def _local(at: datetime) -> str:
    return at.astimezone(LOCAL).strftime("%Y%m%d%H%M%S%f")[:17]
