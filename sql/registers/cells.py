"""What stands in a CSV file, and which value does a cell mean? Bytes and text in, values out."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

MAX_CELL = 20_000  # a polygon in subdistricts.csv is the longest there is
MAX_LINES = 200_000

_JSON = {"entrances", "thresholds", "geometry"}
_CLOCK = re.compile(r"^(\d{1,2})[:：](\d{2})$", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_YES = {"1", "true", "yes", "y", "是"}
_NO = {"0", "false", "no", "n", "否"}
_DAYS = {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "日": 7, "天": 7}


class BadCell(ValueError):
    """A cell that means nothing here: what is wrong, and what to write instead."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


class Line(msgspec.Struct, frozen=True):
    number: int
    cells: dict[str, str]  # without the empty ones


def text_of(data: bytes) -> str:
    """The text of a file as Excel or an editor saves it: UTF-8 with or without BOM, UTF-16 with BOM, else GB18030.

    Raises BadCell when it is none of them.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if marked else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise BadCell("is neither UTF-8 nor GB18030 text", "save it as CSV UTF-8")


def lines_of(data: bytes) -> tuple[list[str], list[Line]]:
    """The header and the lines of a CSV file; the separator is the one of `,` `;` tab that the header has most of.

    Raises BadCell when it is no CSV at all.
    """
    text = text_of(data)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    csv.field_size_limit(MAX_CELL)
    header: list[str] = []
    found: list[Line] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                continue
            if len(found) >= MAX_LINES:
                raise BadCell(f"has more than {MAX_LINES:,} lines", "split the file")
            extra = cells[len(header) :]
            if any(cell.strip() for cell in extra):
                raise BadCell(
                    f"line {reader.line_num} has {len(cells)} cells, the header has {len(header)}",
                    "put quotes around cells that hold the separator",
                )
            pairs = zip(header, cells, strict=False)
            found.append(Line(reader.line_num, {name: cell.strip() for name, cell in pairs if cell.strip()}))
    except csv.Error as error:
        raise BadCell(f"line {reader.line_num} is no CSV: {error}", "save it again as CSV UTF-8") from error
    return header, found


def value_of(name: str, text: str, field_type: Any, zone: ZoneInfo) -> Any:
    """The value of a cell for a field of a row. Raises BadCell."""
    if len(text) > MAX_CELL:
        raise BadCell(f"has more than {MAX_CELL:,} characters", "shorten it")
    if name in ("start", "end", "day_start"):
        return _clock(text)
    if name in ("valid_from", "valid_to", "withdrawn_at"):
        return _moment(text, zone)
    if name in ("exclusive", "entry_only", "on_holidays", "may_query", "may_set_clock"):
        return _truth(text)
    if name == "weekdays":
        return weekdays(text)
    if name not in _JSON and _CONTROL.search(text):
        raise BadCell("holds a line break or another control character", "write it in one line")
    value: Any = text
    if name in _JSON:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadCell(f"is not JSON: {error}", "write JSON, its quotes doubled inside the CSV cell") from error
    try:
        found = msgspec.convert(value, field_type, strict=False)
    except msgspec.ValidationError as error:
        raise BadCell(str(error), _advice(name)) from error
    if isinstance(found, float) and not math.isfinite(found):
        raise BadCell("is no number", "write a number, or leave it empty when it is not known")
    return found


def weekdays(text: str) -> tuple[int, ...]:
    """`1-5`, `1 2 3`, `1,7`, `6-1` (over the week's end), `一至五`; 1 is Monday."""
    digits = "".join(str(_DAYS.get(char, char)) for char in text.removeprefix("周").removeprefix("星期"))
    found: set[int] = set()
    for part in re.split(r"[\s,，、/]+", re.sub(r"\s*[-–至]\s*", "-", digits.strip())):
        match = re.fullmatch(r"([1-7])(?:-([1-7]))?", part, re.ASCII)
        if not match:
            raise BadCell("are no weekdays", "write 1-5, or 6 7; 1 is Monday, 7 is Sunday; leave empty for every day")
        first, last = int(match[1]), int(match[2] or match[1])
        found.update((first - 1 + step) % 7 + 1 for step in range((last - first) % 7 + 1))
    return tuple(sorted(found))


def _clock(text: str) -> str:
    match = _CLOCK.match(text)
    if not match or (int(match[1]), int(match[2])) > (24, 0) or int(match[2]) > 59:
        raise BadCell("is no time of day", "write 08:30; 24:00 is the end of the day")
    return f"{int(match[1]):02d}:{match[2]}"


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError as error:
        raise BadCell("is no date or time", "write 2026-11-24, or 2026-11-24T08:30 with or without +08:00") from error
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _truth(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise BadCell("is neither yes nor no", "write yes or no")


def _advice(name: str) -> str:
    words = {
        "kind": "sql/registers/README.md says which kinds there are",
        "level": "write blue, yellow, orange or red",
        "day": "write 2026-11-24",
        "pricing_verified_at": "write 2026-11-24",
        "capacity": "write a whole number, or leave it empty when it is not known",
    }
    return words.get(name, "see the column in sql/registers/README.md")
