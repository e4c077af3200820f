"""What is one SL 651 frame? Bytes between two marks, in one of two encodings, with a length and a checksum.

HEX/BCD  7E7E centre(1) station(5) password(2) function(1) direction+length(2) 02|16 content end CRC(2)
ASCII    01 and the same fields as ASCII hex; content is text; CRC is 4 characters

Downlink swaps centre and station. The length counts the content; of a packet (16) it counts the total and the number.
A station uses one encoding: after the first sound frame of a connection the other one is noise.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from connectors.water.crc import crc16_modbus
from connectors.water.scanner import Unsound

Encoding = Literal["hex", "ascii"]
LENGTH_LIMIT = 4095  # 12 bits
STX, SYN = 0x02, 0x16  # content; content of one of several packets
ETX, ETB = 0x03, 0x17  # nothing follows; more packets follow
ESC, EOT, ENQ, ACK, NAK = 0x1B, 0x04, 0x05, 0x06, 0x15  # stay online; may sleep; question; good; send again
_ENDS = frozenset((ETX, ETB, ESC, EOT, ENQ, ACK, NAK))
_HEX_HEADER, _HEX_TAIL = 14, 3
_ASCII_HEADER, _ASCII_TAIL = 24, 5
_ASCII_FIELDS = re.compile(rb"\x01[0-9A-Fa-f]{18}[08][0-9A-Fa-f]{3}[\x02\x16]")
_EITHER = re.compile(rb"\x7e(?:\x7e|\Z)|\x01")


class Frame(msgspec.Struct, frozen=True):
    data: bytes  # as it came, marks and checksum included
    encoding: Encoding
    is_downlink: bool
    centre: int
    station: str  # ten hex digits
    password: str  # four hex digits
    function: int
    end: int
    content: bytes  # without the numbers of the packet
    packets: int = 1
    packet: int = 1

    @property
    def is_packet(self) -> bool:
        return self.packets > 1

    @property
    def text(self) -> str:
        """As people write it: hex digits."""
        return self.data.hex().upper()


class Sl651Grammar:
    """The frames of one connection."""

    def __init__(self, length_limit: int = LENGTH_LIMIT, encoding: Encoding | None = None) -> None:
        self._length_limit = length_limit
        self.encoding = encoding

    def find(self, buffer: bytearray, at: int) -> int:
        if self.encoding == "hex":
            found = buffer.find(b"\x7e\x7e", at)
            if found < 0 and len(buffer) > at and buffer[-1] == 0x7E:
                return len(buffer) - 1
            return found
        if self.encoding == "ascii":
            return buffer.find(b"\x01", at)
        either = _EITHER.search(buffer, at)
        return either.start() if either else -1

    def header_size(self, buffer: bytearray, at: int) -> int:
        return _HEX_HEADER if buffer[at] == 0x7E else _ASCII_HEADER

    def size(self, buffer: bytearray, at: int) -> int:
        if buffer[at] == 0x7E:
            if buffer[at + 11] & 0x70 or buffer[at + 13] not in (STX, SYN):
                return 0
            length = (buffer[at + 11] & 0x0F) << 8 | buffer[at + 12]
            size = _HEX_HEADER + length + _HEX_TAIL
        else:
            if not _ASCII_FIELDS.match(buffer, at):
                return 0
            length = int(buffer[at + 20 : at + 23], 16)
            size = _ASCII_HEADER + length + _ASCII_TAIL
        return size if 1 <= length <= self._length_limit else 0

    def read(self, data: bytes) -> Frame | Unsound:
        frame = _of_hex(data) if data[0] == 0x7E else _of_ascii(data)
        if isinstance(frame, Frame):
            self.encoding = frame.encoding
        return frame


def _of_hex(data: bytes) -> Frame | Unsound:
    if data[-3] not in _ENDS:
        return Unsound("bad_end")
    if crc16_modbus(data[:-2]) != data[-2] << 8 | data[-1]:
        return Unsound("bad_crc")
    down = data[11] >> 7
    content, packets, packet = data[14:-3], 1, 1
    if data[13] == SYN:
        if len(content) < 3:
            return Unsound("bad_packet")
        packets, packet = content[0] << 4 | content[1] >> 4, (content[1] & 0x0F) << 8 | content[2]
        content = content[3:]
        if not 1 <= packet <= packets:
            return Unsound("bad_packet")
    return Frame(
        data,
        "hex",
        bool(down),
        data[7] if down else data[2],
        data[2:7].hex().upper() if down else data[3:8].hex().upper(),
        data[8:10].hex().upper(),
        data[10],
        data[-3],
        content,
        packets,
        packet,
    )


def _of_ascii(data: bytes) -> Frame | Unsound:
    if data[-5] not in _ENDS:
        return Unsound("bad_end")
    try:
        if crc16_modbus(data[:-4]) != int(data[-4:].decode("ascii"), 16):
            return Unsound("bad_crc")
    except ValueError:
        return Unsound("bad_crc")
    fields = data[1:23].decode("ascii").upper()
    down = fields[18] == "8"
    content, packets, packet = data[24:-5], 1, 1
    if data[23] == SYN:
        try:
            packets, packet = int(content[:3], 16), int(content[3:6], 16)
        except ValueError:
            return Unsound("bad_packet")
        content = content[6:]
        if not 1 <= packet <= packets:
            return Unsound("bad_packet")
    return Frame(
        data,
        "ascii",
        down,
        int(fields[10:12] if down else fields[0:2], 16),
        fields[0:10] if down else fields[2:12],
        fields[12:16],
        int(fields[16:18], 16),
        data[-5],
        content,
        packets,
        packet,
    )
