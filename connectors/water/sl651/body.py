"""What stands in the body of an SL 651 message? Serial, times and elements, in either encoding, before any meaning.

A body in HEX/BCD: serial(2) sent(6), then parts that begin with their marks:
    F1F1 station(5) class(1)     F0F0 observed(5, YYMMDDHHmm)     04 18 step(ddHHmm)     F2F2 text     F3F3 picture
    or an element: id(1; FFxx private) def(1: high 5 bits bytes, low 3 decimals) data
After a time step (functions 31 and 38) the next element is a series: its data again and again.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from connectors.decoding import Unreadable
from connectors.water.sl651.elements import CLASSES
from connectors.water.sl651.values import ARRAY_MINUTES, ARRAYS, array, bcd, status

SERIES = frozenset((0x31, 0x38))
STATUS = 0x46
LISTED = frozenset((*range(0x30, 0x3B), STATUS))  # functions whose body is a list of elements


_ARRAY_HEADS = frozenset((b"\xf4\x60", *(bytes((code, 0xC0)) for code in range(0xF5, 0xFD))))
_CLASS_BYTES = frozenset(letter.encode() for letter in CLASSES)


class Item(msgspec.Struct, frozen=True):
    """One element: a value, or several at equal spaces of time. `fault`: why it could not be read."""

    code: str  # two hex digits, FFxx for a private one
    raw: bytes  # the element as it came
    values: tuple[float | None, ...] = ()
    spacing: timedelta | None = None  # set when it is a series or an array
    is_stepped: bool = False  # the spacing was said by a time step
    fault: Unreadable | None = None


class Group(msgspec.Struct, frozen=True):
    """Elements of one station at one time."""

    station: str | None  # ten digits; None: not said
    category: str | None  # its class, a letter
    observed: str | None  # YYMMDDHHmm
    items: tuple[Item, ...]


class Report(msgspec.Struct, frozen=True):
    serial: int
    sent: str  # YYMMDDHHmmSS
    groups: tuple[Group, ...] = ()
    manual: str | None = None  # F2F2: text that a person put in
    picture: bytes | None = None  # F3F3
    rest: bytes = b""  # the body of functions that are no list of elements (versions, parameters, events)


def parse(function: int, content: bytes) -> Report:
    """Raises Unreadable bad_body when not even serial and time are there."""
    if len(content) < 8:
        raise Unreadable("bad_body", f"{len(content)} bytes are no serial and time")
    serial, sent = int.from_bytes(content[:2], "big"), content[2:8].hex().upper()
    body = content[8:]
    if function in LISTED:
        return _Parts(function, body).report(serial, sent)
    return Report(serial, sent, rest=body)


class _Parts:
    def __init__(self, function: int, body: bytes) -> None:
        self._function = function
        self._body = body
        self._at = 0
        self._station: str | None = None
        self._category: str | None = None
        self._observed: str | None = None
        self._step: timedelta | None = None
        self._items: list[Item] = []
        self._groups: list[Group] = []

    def report(self, serial: int, sent: str) -> Report:
        body = self._body
        manual: str | None = None
        picture: bytes | None = None
        while self._at < len(body):
            mark = body[self._at : self._at + 2]
            if mark == b"\xf0\xf0" and len(body) >= self._at + 7:
                self._end_group()
                self._observed = self._take(7)[2:].hex().upper()
            elif mark == b"\xf1\xf1" and len(body) >= self._at + 7:
                self._end_group()
                self._station = self._take(7)[2:].hex().upper()
                if self._function != STATUS and body[self._at : self._at + 1] in _CLASS_BYTES:
                    self._category = self._take(1).decode("ascii")
            elif mark == b"\xf2\xf2":
                manual = self._take(len(body))[2:].decode("ascii", "replace")
            elif mark == b"\xf3\xf3":
                picture = self._take(len(body))[2:]
            elif mark[0] == 0x04 and self._function in SERIES and len(body) >= self._at + 5:
                self._step = _step(self._take(5)[2:])
            else:
                self._element()
        self._end_group()
        return Report(serial, sent, tuple(self._groups), manual, picture)

    def _take(self, length: int) -> bytes:
        taken = self._body[self._at : self._at + length]
        self._at += length
        return taken

    def _end_group(self) -> None:
        if self._items:
            self._groups.append(Group(self._station, self._category, self._observed, tuple(self._items)))
        self._items = []
        self._step = None

    def _element(self) -> None:
        body, start = self._body, self._at
        head = 3 if body[start] == 0xFF else 2
        code = body[start : start + head - 1].hex().upper()
        size = body[start + head - 1] >> 3 if start + head <= len(body) else 0
        self._at = start + head + size
        if start + head > len(body) or self._at > len(body):
            self._at = len(body)
            fault = Unreadable("truncated_element", f"element {code} is longer than the body")
            self._items.append(Item(code, body[start:], is_stepped=self._step is not None, fault=fault))
            return
        decimals = body[start + head - 1] & 0x07
        data = body[start + head : self._at]
        is_stepped = self._step is not None
        try:
            values = _values(code, data, decimals)
        except Unreadable as fault:
            if is_stepped:  # where the next element would begin is not known
                self._at = len(body)
            self._items.append(Item(code, body[start : self._at], is_stepped=is_stepped, fault=fault))
            return
        if is_stepped:
            values += self._repeated(code, size, decimals)
        spacing = timedelta(minutes=ARRAY_MINUTES) if code in ARRAYS else self._step
        self._items.append(Item(code, body[start : self._at], values, spacing, is_stepped))
        if is_stepped and self._at < len(body) and not self._is_mark():
            rest = Unreadable("bad_series", f"what follows {len(values)} values of element {code} is no further one")
            self._items.append(Item(code, self._take(len(body)), is_stepped=True, fault=rest))

    def _repeated(self, code: str, size: int, decimals: int) -> tuple[float | None, ...]:
        """The further values of a series: to the next mark, or the end, or what is none."""
        found: list[float | None] = []
        while size <= len(self._body) - self._at and not self._is_mark():
            try:
                found += _values(code, self._body[self._at : self._at + size], decimals)
            except Unreadable:
                break
            self._at += size
        return tuple(found)

    def _is_mark(self) -> bool:
        """F0F0 and a date, F1F1 and a station, an array: in a series of bytes two alone could be values."""
        mark, rest = self._body[self._at : self._at + 2], self._body[self._at + 2 : self._at + 7]
        if mark in _ARRAY_HEADS:
            return True
        return mark in (b"\xf0\xf0", b"\xf1\xf1") and len(rest) == 5 and rest.hex().isdecimal()


def _values(code: str, data: bytes, decimals: int) -> tuple[float | None, ...]:
    if code in ARRAYS:
        return array(code, data)
    if code == "45":
        return (status(data),)
    if not data:
        raise Unreadable("bad_number", f"element {code} has no digits")
    return (bcd(data, decimals),)


def _step(raw: bytes) -> timedelta | None:
    """A time step ddHHmm; None when it is none, or zero."""
    digits = raw.hex()
    if not digits.isdecimal():
        return None
    step = timedelta(days=int(digits[:2]), hours=int(digits[2:4]), minutes=int(digits[4:]))
    return step or None
