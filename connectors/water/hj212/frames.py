"""What is one HJ 212 packet? `##`, a decimal length, fields as text, a checksum of its own, CR LF.

    ##0109ST=32;CN=2011;PW=..;MN=..;Flag=5;CP=&&DataTime=..;w01001-Rtd=..,w01001-Flag=N&&8C41

Flag: bit 0 an answer is wanted, bit 1 it is split (PNUM, PNO), from bit 2 the version (0 2005, 1 2017, 2 2025).
"""

from __future__ import annotations

import re

import msgspec

from connectors.water.crc import crc16_hj212
from connectors.water.scanner import Unsound

LENGTH_LIMIT = 9999  # four digits; 2005 and 2017 allow 1024
_HEAD = 6
_TAIL = 6
_LENGTH = re.compile(rb"##(\d{4})")
_CHECK = re.compile(rb"[0-9A-Fa-f]{4}\r\n")
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
VERSIONS = {0: "2005", 1: "2017", 2: "2025"}


class Packet(msgspec.Struct, frozen=True):
    data: bytes  # as it came
    fields: dict[str, str]  # QN ST CN PW MN Flag PNUM PNO, upper case but for Flag
    parameters: str  # what stands between && and &&

    @property
    def station(self) -> str:
        return self.fields.get("MN", "")

    @property
    def command(self) -> str:
        return self.fields.get("CN", "")

    @property
    def password(self) -> str:
        return self.fields.get("PW", "")

    @property
    def flag(self) -> int:
        return _number(self.fields, "FLAG", 0)

    @property
    def wants_answer(self) -> bool:
        return bool(self.flag & 1)

    @property
    def version(self) -> str:
        return VERSIONS.get(self.flag >> 2, "unknown")

    @property
    def packets(self) -> int:
        return _number(self.fields, "PNUM", 1) or 1

    @property
    def packet(self) -> int:
        return _number(self.fields, "PNO", 1)

    @property
    def key(self) -> tuple[str, str] | None:
        """What two sendings of one message have in common; None: it has no QN, so nothing says that they are one."""
        return (self.station, self.fields["QN"]) if self.fields.get("QN") else None

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


class Hj212Grammar:
    def __init__(self, length_limit: int = LENGTH_LIMIT) -> None:
        self._length_limit = length_limit

    def find(self, buffer: bytearray, at: int) -> int:
        found = buffer.find(b"##", at)
        if found < 0 and len(buffer) > at and buffer[-1] == 0x23:
            return len(buffer) - 1
        return found

    def header_size(self, buffer: bytearray, at: int) -> int:
        return _HEAD

    def size(self, buffer: bytearray, at: int) -> int:
        head = _LENGTH.match(buffer, at)
        length = int(head[1]) if head else 0
        return _HEAD + length + _TAIL if 1 <= length <= self._length_limit else 0

    def read(self, data: bytes) -> Packet | Unsound:
        if not _CHECK.fullmatch(data[-6:]):
            return Unsound("bad_end")
        segment = data[_HEAD:-_TAIL]
        if crc16_hj212(segment) != int(data[-6:-2], 16):
            return Unsound("bad_crc")
        return _packet(data, segment)


def _packet(data: bytes, segment: bytes) -> Packet | Unsound:
    try:
        text = segment.decode("utf-8")
    except UnicodeDecodeError:
        text = segment.decode("gb18030", "replace")  # names of things, from old loggers
    head, mark, parameters = text.partition("&&")
    if mark:
        parameters = parameters.removesuffix("&&")
        head = head.rstrip().removesuffix("CP=")
    fields = {}
    for field in re.split("[;,]", head):
        name, equals, value = field.partition("=")
        if equals and len(value) <= 128:
            fields[name.strip().upper()] = value.strip()
    return Packet(data, fields, parameters)


def _number(fields: dict[str, str], name: str, default: int) -> int:
    told = fields.get(name, "")
    return int(told) if _DIGITS.fullmatch(told) else default


def encode(fields: str, parameters: str = "") -> bytes:
    """A packet of `QN=..;ST=..` and what stands between the && marks. Raises ValueError when it is too long."""
    segment = f"{fields};CP=&&{parameters}&&".encode()
    if len(segment) > LENGTH_LIMIT:
        raise ValueError(f"a data segment of {len(segment)} bytes; at most {LENGTH_LIMIT} can be said")
    return b"##%04d" % len(segment) + segment + b"%04X\r\n" % crc16_hj212(segment)
