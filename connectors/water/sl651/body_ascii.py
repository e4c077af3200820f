"""What stands in the body of an SL 651 message in the ASCII encoding? The same as in HEX/BCD, as words and spaces.

serial(4 hex) sent(12 digits), then words: `ST 0011223344 H`  `TT 1707181100`  `DRN05` (a step: D, H or N and a number)
`RGZS text`  `PIC hex`  or an element and its value: `Z 10.490 `. The last space is mandatory; M is no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from connectors.decoding import Unreadable
from connectors.water.sl651.body import LISTED, Group, Item, Report
from connectors.water.sl651.elements import CLASSES, CODE_OF
from connectors.water.sl651.values import ARRAY_MINUTES, ARRAYS, array, decimal, status

_HEAD = re.compile(rb"([0-9A-Fa-f]{4})(\d{12})\s*(.*)", re.DOTALL)
_WORD = re.compile(r"\S+")
_STEP = re.compile(r"DR([DHN])(\d{1,2})")
_STATION = re.compile(r"[0-9A-Fa-f]{10}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}")
_MARKS = frozenset(("ST", "TT", "RGZS", "PIC"))
_UNITS = {"D": "days", "H": "hours", "N": "minutes"}


def parse_ascii(function: int, content: bytes) -> Report:
    """Raises Unreadable bad_body when not even serial and time are there."""
    head = _HEAD.fullmatch(content)
    if head is None:
        raise Unreadable("bad_body", f"{content[:16]!r} is no serial and time")
    serial, sent = int(head[1], 16), head[2].decode("ascii")
    if function not in LISTED:
        return Report(serial, sent, rest=head[3])
    return _Words(head[3].decode("ascii", "replace")).report(serial, sent)


def parse_manual(text: str) -> tuple[Item, ...]:
    """What a person put in (RGZS, F2F2): elements as words, with or without the space (`Q 1.234`, `Q1.234`)."""
    spaced = re.sub(r"([A-Za-z]+)(?=-?\d+\.\d)", r"\1 ", text)
    groups = _Words(spaced).report(0, "").groups
    return tuple(item for group in groups for item in group.items)


class _Words:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words = _WORD.finditer(text)
        self._back: list[re.Match[str]] = []
        self._station: str | None = None
        self._category: str | None = None
        self._observed: str | None = None
        self._step: timedelta | None = None
        self._items: list[Item] = []
        self._groups: list[Group] = []

    def report(self, serial: int, sent: str) -> Report:
        manual: str | None = None
        picture: bytes | None = None
        for word in self._each():
            name = word[0]
            if name == "ST":
                self._end_group()
                self._station = self._next() or ""
                if not _STATION.fullmatch(self._station):
                    raise Unreadable("bad_station", f"{self._station[:64]!r} is no station")
                following = self._next()
                if following is None or len(following) != 1 or following not in CLASSES:
                    self._put_back()
                else:
                    self._category = following
            elif name == "TT":
                self._end_group()
                self._observed = self._next()
            elif name == "RGZS":
                manual = self._rest(word).strip()
            elif name == "PIC":
                picture = _hex(self._rest(word).strip())
            elif step := _STEP.fullmatch(name):
                self._step = timedelta(**{_UNITS[step[1]]: int(step[2])}) or None
            else:
                self._element(word)
        self._end_group()
        return Report(serial, sent, tuple(self._groups), manual, picture)

    def _each(self) -> Iterator[re.Match[str]]:
        while (word := self._take()) is not None:
            yield word

    def _take(self) -> re.Match[str] | None:
        self._last = self._back.pop() if self._back else next(self._words, None)
        return self._last

    def _put_back(self) -> None:
        if self._last is not None:
            self._back.append(self._last)

    def _next(self) -> str | None:
        word = self._take()
        return word[0] if word else None

    def _rest(self, word: re.Match[str]) -> str:
        """The text behind a word, all of it."""
        self._back, self._words = [], iter(())
        return self._text[word.end() :]

    def _end_group(self) -> None:
        if self._items:
            self._groups.append(Group(self._station, self._category, self._observed, tuple(self._items)))
        self._items = []
        self._step = None

    def _value_of(self, code: str) -> str:
        """The word behind an element's name; nothing where the next element or mark stands instead."""
        told = self._next()
        if told is None:
            return ""
        if told in _MARKS or (told in CODE_OF and not _is_hex(code)):
            self._put_back()
            return ""
        return told

    def _element(self, word: re.Match[str]) -> None:
        name = word[0]
        if not _NAME.fullmatch(name):
            fault = Unreadable("bad_element", f"{name[:64]!r} is no element")
            self._items.append(Item(name[:16], name.encode(), fault=fault))
            return
        code = CODE_OF.get(name.upper(), name.upper())
        told = self._value_of(code)
        end = self._last.end() if told and self._last else word.end()
        try:
            values = _values(code, told)
        except Unreadable as fault:
            self._items.append(Item(code, self._text[word.start() : end].encode(), fault=fault))
            return
        while self._step is not None and (further := self._next()) is not None:
            try:
                values += _values(code, further)
            except Unreadable:
                self._put_back()
                break
            end = self._last.end() if self._last else end
        raw = self._text[word.start() : end].encode()
        spacing = timedelta(minutes=ARRAY_MINUTES) if code in ARRAYS else self._step
        self._items.append(Item(code, raw, values, spacing, self._step is not None))


def _is_hex(code: str) -> bool:
    return code in ARRAYS or code == "45"


def _values(code: str, text: str) -> tuple[float | None, ...]:
    if code in ARRAYS:
        return array(code, _hex(text))
    if code == "45":
        return (status(_hex(text)),)
    return (decimal(text),)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Unreadable("bad_number", f"{text[:64]!r} are no hex digits") from error
