"""How is an SL 651 frame written? Fields in, bytes with marks, length and checksum out; both ways, both encodings."""

from __future__ import annotations

from connectors.water.crc import crc16_modbus
from connectors.water.sl651.body import Group, Item
from connectors.water.sl651.elements import NAME_OF
from connectors.water.sl651.frames import ETX, LENGTH_LIMIT, STX, SYN, Encoding


def frame(
    *,
    function: int,
    content: bytes,
    station: str,
    centre: int = 1,
    password: str = "0000",  # noqa: S107  what stations have from the factory
    end: int = ETX,
    is_downlink: bool = False,
    encoding: Encoding = "hex",
    packets: int = 1,
    packet: int = 1,
) -> bytes:
    """One frame. Raises ValueError when the content is longer than a frame can say."""
    if packets > 1:
        numbers = packets << 12 | packet
        content = (numbers.to_bytes(3, "big") if encoding == "hex" else f"{numbers:06X}".encode()) + content
    if not 1 <= len(content) <= LENGTH_LIMIT:
        raise ValueError(f"a content of {len(content)} bytes; 1 to {LENGTH_LIMIT} can be said")
    address = f"{station}{centre:02X}" if is_downlink else f"{centre:02X}{station}"
    length = (8 if is_downlink else 0) << 12 | len(content)
    fields = f"{address}{password}{function:02X}{length:04X}"
    head = b"\x7e\x7e" + bytes.fromhex(fields) if encoding == "hex" else b"\x01" + fields.encode()
    data = head + bytes((SYN if packets > 1 else STX,)) + content + bytes((end,))
    check = crc16_modbus(data)
    return data + (check.to_bytes(2, "big") if encoding == "hex" else f"{check:04X}".encode())


def content(serial: int, sent: str, body: bytes = b"", encoding: Encoding = "hex") -> bytes:
    """Serial and time (YYMMDDHHmmSS) before a body."""
    if encoding == "hex":
        return serial.to_bytes(2, "big") + bytes.fromhex(sent) + body
    return f"{serial:04X}{sent}".encode() + body


def group(told: Group, encoding: Encoding = "hex") -> bytes:
    """The body of one station at one time, its elements as they came."""
    raws = [item.raw for item in told.items]
    if encoding == "ascii":
        words = [b"ST", *_words(told.station), *_words(told.category)] if told.station else []
        words += [b"TT", *_words(told.observed)] if told.observed else []
        return b"".join(word + b" " for word in [*words, *raws])
    parts = [b"\xf1\xf1", bytes.fromhex(told.station), (told.category or "").encode()] if told.station else []
    parts += [b"\xf0\xf0", bytes.fromhex(told.observed)] if told.observed else []
    return b"".join([*parts, *raws])


def element(code: str, value: float | None, size: int, decimals: int, encoding: Encoding = "hex") -> Item:
    """An element with one value, as BCD of `size` bytes or as words. None is AAAA, or M. Raises ValueError."""
    if encoding == "ascii":
        text = "M" if value is None else f"{value:.{decimals}f}"
        return Item(code, f"{NAME_OF[code]} {text}".encode(), (value,))
    return Item(code, bytes.fromhex(code) + bytes((size << 3 | decimals,)) + bcd(value, size, decimals), (value,))


def bcd(value: float | None, size: int, decimals: int) -> bytes:
    if value is None:
        return b"\xaa" * size
    digits = str(round(abs(value) * 10**decimals))
    text = "FF" + digits.zfill(2 * size - 2) if value < 0 else digits.zfill(2 * size)
    if len(text) != 2 * size:
        raise ValueError(f"{value} does not fit in {size} bytes with {decimals} decimals")
    return bytes.fromhex(text)


def _words(text: str | None) -> list[bytes]:
    return [text.encode()] if text else []
