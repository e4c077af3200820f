"""What do water-resources stations say in SZY 206-2016, and what is answered? Bytes in, rows and bytes to send out.

    68 L 68 C A(5) AFN data CS 16      L counts C to the end of data; CS is CRC-8 over the same

C: bit 7 uplink, bit 6 split, bits 5-4 a countdown, low 4 bits the kind of data. Data of a self report (AFN C0): values
in BCD, low byte first, then alarms(2), status(2) and, where the station sends it, time(5: ss mm hh dd delay). AFN 02 is
the link. A value's highest bit is its sign; AAAA is no value. What the recorded frames do not show is from memory.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref, reject
from connectors.water.crc import crc8_szy206
from connectors.water.scanner import Rubbish, Scanner, Unsound
from schemas.batch import Row
from schemas.source import Reject
from schemas.water import Element, StationReading

REPORT, LINK = 0xC0, 0x02
LOGIN, LOGOUT, KEEP = 0xF0, 0xF1, 0xF2
UPLINK, SPLIT = 0x80, 0x40
AHEAD_LIMIT = timedelta(minutes=5)
_HEAD, _TAIL, _SHORTEST = 3, 2, 7  # C, A and AFN are always there
_STATUS, _TIME = 4, 5
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]*")


class Frame(msgspec.Struct, frozen=True):
    data: bytes
    control: int
    station: str  # ten hex digits, as on the line
    function: int
    content: bytes

    @property
    def is_uplink(self) -> bool:
        return bool(self.control & UPLINK)

    @property
    def kind(self) -> int:
        return self.control & 0x0F

    @property
    def link(self) -> int | None:
        """LOGIN, LOGOUT or KEEP when it is about the link."""
        return self.content[0] if self.function == LINK and self.content else None


class SzyGrammar:
    def find(self, buffer: bytearray, at: int) -> int:
        return buffer.find(b"\x68", at)

    def header_size(self, buffer: bytearray, at: int) -> int:
        return _HEAD

    def size(self, buffer: bytearray, at: int) -> int:
        length = buffer[at + 1]
        return _HEAD + length + _TAIL if buffer[at + 2] == 0x68 and length >= _SHORTEST else 0

    def read(self, data: bytes) -> Frame | Unsound:
        if data[-1] != 0x16:
            return Unsound("bad_end")
        if crc8_szy206(data[_HEAD:-_TAIL]) != data[-2]:
            return Unsound("bad_crc")
        return Frame(data, data[3], data[4:9].hex().upper(), data[9], data[10:-_TAIL])


Event = Frame | Rubbish


class Connection:
    def __init__(self) -> None:
        self._scanner = Scanner(SzyGrammar())

    @property
    def held_bytes(self) -> int:
        return self._scanner.held

    def receive(self, data: bytes) -> list[Event]:
        return self._scanner.receive(data)

    def close(self) -> list[Event]:
        return self._scanner.close()


def encode(control: int, station: str, function: int, content: bytes) -> bytes:
    """Raises ValueError when it is longer than a frame can say."""
    told = bytes((control,)) + bytes.fromhex(station) + bytes((function,)) + content
    if len(told) > 0xFF:
        raise ValueError(f"{len(told)} bytes; at most 255 can be said")
    return bytes((0x68, len(told), 0x68)) + told + bytes((crc8_szy206(told), 0x16))


def answer(frame: Frame, mode: int = 1) -> bytes | None:
    """What a frame is answered once it is safe: the link in kind, a report with the mode to work in (1: reporting)."""
    if not frame.is_uplink or frame.function not in (LINK, REPORT):
        return None
    content = frame.content[:1] if frame.function == LINK else bytes((mode,))
    return encode(frame.control & ~(UPLINK | SPLIT), frame.station, frame.function, content)


class _Field(msgspec.Struct, frozen=True):
    """One value of a kind: its element, its bytes, its decimals."""

    element: Element
    size: int
    decimals: int
    code: str | None = None


_FIELDS: dict[int, tuple[_Field, ...]] = {
    1: (_Field("rain_total_mm", 3, 1),),
    2: (_Field("level_m", 4, 3),),
    3: (_Field("flow_m3s", 5, 3), _Field("other", 5, 0, "volume_m3")),
    4: (_Field("velocity_ms", 3, 3),),
    5: (_Field("gate_opening_m", 3, 2),),
    9: (_Field("temperature_c", 2, 1),),
    15: (_Field("other", 4, 2, "pressure_kpa"),),
}

_STATES = (_Field("other", 2, 0, "alarms"), _Field("other", 2, 0, "status"))


def decode(payload: bytes, source: SourceContext) -> Decoded:
    """Hex text with one frame a line, or the bytes of a connection. A link frame or an answer is no item."""
    rows: list[Row] = []
    rejects: list[Reject] = []
    connections: list[bytes] = [payload]
    if _TEXT.fullmatch(payload):
        connections = []
        for line in payload.split():
            try:
                connections.append(bytes.fromhex(line.decode("ascii")))
            except ValueError as error:
                rejects.append(reject(source, line, "not_hex", str(error)))
    for data in connections:
        connection = Connection()
        for event in [*connection.receive(data), *connection.close()]:
            one = outcome(event, source)
            rows += one.rows
            rejects += one.rejects
    if len(rows) + len(rejects) > source.rows_limit:
        detail = f"{len(rows) + len(rejects)} items, at most {source.rows_limit} are allowed"
        return Decoded(rows=[], rejects=[reject(source, payload, "too_many_rows", detail)])
    return Decoded(rows=rows, rejects=rejects)


def outcome(event: Event, source: SourceContext) -> Decoded:
    """The rows and rejects of one event of a connection."""
    if isinstance(event, Rubbish):
        detail = f"{len(event.data)} bytes that are no frame"
        return Decoded(rows=[], rejects=[reject(source, event.data.hex().upper(), event.reason, detail)])
    if not event.is_uplink or event.function == LINK:
        return Decoded(rows=[], rejects=[])
    try:
        return _report(event, source)
    except Unreadable as error:
        return Decoded(rows=[], rejects=[reject(source, event.data.hex().upper(), error.reason, error.detail)])


def _report(frame: Frame, source: SourceContext) -> Decoded:
    if frame.function != REPORT:
        raise Unreadable("unknown_function", f"AFN {frame.function:02X}")
    if frame.control & SPLIT:
        raise Unreadable("split_packet", "a message of several frames")
    fields = _FIELDS.get(frame.kind)
    if fields is None:
        raise Unreadable("unknown_kind", f"data of kind {frame.kind}")
    one = sum(field.size for field in fields)
    body = frame.content
    has_time = len(body) >= one + _STATUS + _TIME and (len(body) - _STATUS - _TIME) % one == 0
    count, rest = divmod(len(body) - _STATUS - (_TIME if has_time else 0), one)
    if count < 1 or rest:
        raise Unreadable("bad_body", f"{len(body)} bytes are no data of kind {frame.kind}, status and time")
    at = resolved(body[-_TIME:], source) if has_time else None
    flags: tuple[str, ...] = () if at else ("clock",) if has_time else ("no_time",)
    observed_at = at or source.received_at
    name = raw_ref(frame.data)
    rows: list[Row] = []
    rejects: list[Reject] = []
    at_byte = 0
    for number in range(1, count + 1):
        for field in fields:
            raw, at_byte = body[at_byte : at_byte + field.size], at_byte + field.size
            try:
                value = number_of(raw, field.decimals)
            except Unreadable as error:
                rejects.append(
                    reject(source, frame.data.hex().upper(), error.reason, f"value {number}: {error.detail}")
                )
                continue
            rows.append(_reading(frame, source, field, number, value, observed_at, flags, name))
    for field in _STATES:
        bits = float(int.from_bytes(body[at_byte : at_byte + field.size], "big"))
        rows.append(_reading(frame, source, field, 1, bits, observed_at, flags, name))
        at_byte += field.size
    return Decoded(rows=rows, rejects=rejects)


def _reading(
    frame: Frame,
    source: SourceContext,
    field: _Field,
    number: int,
    value: float | None,
    observed_at: datetime,
    flags: tuple[str, ...],
    name: str,
) -> StationReading:
    """The first value of a kind is the station's; further gauges of one station are `other`, with their number."""
    code = field.code if number == 1 else f"{field.code or field.element}_{number}"
    return StationReading(
        source=source.source,
        station=frame.station,
        element=field.element if number == 1 else "other",
        observed_at=observed_at,
        received_at=source.received_at,
        value=value,
        quality="missing" if value is None else "unknown",
        flags=flags,
        raw_ref=name,
        code=code,
    )


def number_of(raw: bytes, decimals: int) -> float | None:
    """BCD, low byte first, the highest bit is the sign (so is a highest digit F). None: AAAA. Raises Unreadable."""
    digits = raw[::-1].hex().upper()
    if digits in ("A" * len(digits), "F" * len(digits)):
        return None
    first = int(digits[0], 16)
    told = f"{0 if first == 0xF else first & 7}{digits[1:]}"
    if not told.isdecimal():
        raise Unreadable("bad_number", f"{digits} is no BCD number")
    value: float = int(told) / 10**decimals
    return -value if first & 8 else value


def resolved(raw: bytes, source: SourceContext) -> datetime | None:
    """The time of ss mm hh dd and a delay: of the month nearest to when it came. None when it is none, or ahead."""
    digits = raw[:4].hex()
    if not digits.isdecimal():
        return None
    second, minute, hour, day = (int(digits[at : at + 2]) for at in range(0, 8, 2))
    received = source.received_at.astimezone(source.zone)
    found = []
    for months in (-1, 0, 1):
        month = received.year * 12 + received.month - 1 + months
        try:
            local = datetime(month // 12, month % 12 + 1, day, hour, minute, second, tzinfo=source.zone)
        except ValueError:
            continue
        found.append(local.astimezone(UTC))
    if not found:
        return None
    nearest = min(found, key=lambda at: abs(at - source.received_at))
    return nearest if nearest <= source.received_at + AHEAD_LIMIT else None
