"""What does an SL 651 station of the demo say, and what was it answered? Frames of the HEX/BCD encoding, mode M2.

Written from the standard a second time, so that a mistake in the connector is not made on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import msgspec

LOCAL = timezone(timedelta(hours=8))
UNIFORM, TIMED, ADDED, HOURLY = 0x31, 0x32, 0x33, 0x34  # reports
REAL_TIME, PERIOD, CHOSEN, SET_CLOCK = 0x37, 0x38, 0x3A, 0x4A  # questions
RAIN, RIVER, RESERVOIR = "P", "H", "K"  # classes of stations
START = b"\x7e\x7e"
STX, ETX, EOT, ENQ, ESC = 0x02, 0x03, 0x04, 0x05, 0x1B
_HEAD = 14  # bytes before the body of a downlink frame
_NO_VALUE = "A"


class Element(msgspec.Struct, frozen=True):
    """`value` None: the station has none, and says so."""

    code: int
    value: float | None
    size: int  # bytes
    decimals: int


class Downlink(msgspec.Struct, frozen=True):
    """What the server says: an answer to a report, or a question."""

    function: int
    serial: int
    end: int
    body: bytes  # behind serial and time

    @property
    def is_taken(self) -> bool:
        """The report is safe."""
        return self.end in (ESC, EOT)

    @property
    def is_question(self) -> bool:
        return self.end == ENQ


def level(value_m: float | None) -> Element:
    return Element(0x39, value_m, 4, 3)


def voltage(value_v: float) -> Element:
    return Element(0x38, value_v, 2, 2)


def rain_since_day_start(value_mm: float) -> Element:
    return Element(0x20, value_mm, 3, 1)


def rain_total(value_mm: float | None) -> Element:
    return Element(0x26, value_mm, 4, 1)


def report(
    *,
    function: int,
    address: str,
    password: str,
    centre: int,
    serial: int,
    category: str,
    sent_at: datetime,
    observed_at: datetime,
    elements: Sequence[Element],
    five_minutes_mm: Sequence[float] = (),
) -> bytes:
    """A report of one time; `five_minutes_mm` are the twelve 5-minute amounts up to it."""
    groups = b""
    if five_minutes_mm:
        first = observed_at - timedelta(minutes=55)
        amounts = bytes(min(round(mm * 10), 0xFE) for mm in five_minutes_mm)
        groups = _time(first) + b"\xf4\x60" + amounts
    groups += _time(observed_at) + b"".join(written(each) for each in elements)
    body = b"\xf1\xf1" + bytes.fromhex(address) + category.encode() + groups
    return frame(function, address, password, centre, serial, sent_at, body)


def series(address: str, category: str, first_at: datetime, step_min: int, values: Sequence[Element]) -> bytes:
    """A body of one quantity, again and again: of a report of a period, of an answer for one; a step of 0: once."""
    head = b"\xf1\xf1" + bytes.fromhex(address) + category.encode() + _time(first_at)
    if not step_min:
        return head + written(values[0])
    step = bytes.fromhex(f"{step_min // 1440:02d}{step_min % 1440 // 60:02d}{step_min % 60:02d}")
    return head + b"\x04\x18" + step + written(values[0]) + b"".join(written(each)[2:] for each in values[1:])


def frame(
    function: int, address: str, password: str, centre: int, serial: int, sent_at: datetime, body: bytes
) -> bytes:
    content = serial.to_bytes(2, "big") + _digits(sent_at, "%y%m%d%H%M%S") + body
    head = START + bytes((centre,)) + bytes.fromhex(address) + bytes.fromhex(password) + bytes((function,))
    data = head + len(content).to_bytes(2, "big") + bytes((STX,)) + content + bytes((ETX,))
    return data + crc(data).to_bytes(2, "big")


def hour_of(digits: bytes) -> datetime:
    """YYMMDDHH of a question. Raises ValueError."""
    return datetime.strptime(digits.hex(), "%y%m%d%H").replace(tzinfo=LOCAL)


def written(element: Element) -> bytes:
    """Code, length and decimals, and the digits: BCD without the point; FF before a negative value."""
    size = element.size
    if element.value is None:
        digits = _NO_VALUE * size * 2
    else:
        number = round(element.value * 10**element.decimals)
        digits = f"{abs(number):0{size * 2}d}"
        if len(digits) > size * 2:
            raise ValueError(f"{element.value} does not fit in {size} bytes")
        if number < 0:
            digits, size = "FF" + digits, size + 1
    return bytes((element.code, size << 3 | element.decimals)) + bytes.fromhex(digits)


def received(data: bytearray) -> list[Downlink]:
    """What is complete of the server's frames; their bytes, and what is no frame, are taken out of `data`."""
    found: list[Downlink] = []
    while True:
        begin = data.find(START)
        if begin < 0:
            del data[: max(len(data) - 1, 0)]
            return found
        del data[:begin]
        if len(data) < _HEAD:
            return found
        length = int.from_bytes(data[11:13], "big")
        size = _HEAD + (length & 0xFFF) + 3
        if length >> 12 != 8 or data[13] not in (STX, 0x16):
            del data[:1]
            continue
        if len(data) < size:
            return found
        frame = bytes(data[:size])
        if crc(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
            del data[:1]
            continue
        del data[:size]
        content = frame[_HEAD:-3]
        found.append(Downlink(frame[10], int.from_bytes(content[:2], "big"), frame[-3], content[8:]))


def crc(data: bytes) -> int:
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register


def _digits(at: datetime, form: str) -> bytes:
    return bytes.fromhex(at.astimezone(LOCAL).strftime(form))


def _time(at: datetime) -> bytes:
    return b"\xf0\xf0" + _digits(at, "%y%m%d%H%M")
