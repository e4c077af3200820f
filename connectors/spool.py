"""What happens to rows that Kafka cannot take and their source cannot send again? They wait on disk, in order.

One folder per source. Entries are appended to segment files, framed by length and crc32, and fsynced before the append
returns. `head` names the first entry that is not published yet; it is written after Kafka has confirmed an entry, so a
kill between the two publishes that entry twice (its rows are keyed, a repetition is no second row) and never loses it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import zlib
from datetime import datetime
from io import FileIO
from pathlib import Path

import msgspec

from connectors.kafka import TOPIC_OF_SCHEMA
from schemas import batch
from schemas.batch import SCHEMA_OF, Row
from schemas.source import Reject

log = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 1024 * 1024
_FRAME = struct.Struct(">II")  # length and crc32 of what follows
_ENTRY_LIMIT = 256 * 1024 * 1024  # a longer length is no length but damage


class SpoolFull(Exception):
    """The limit is reached. What is there is kept; what is new is refused and counted."""


class SpoolBusy(Exception):
    """Another process runs this source."""


class Entry(msgspec.Struct, frozen=True):
    """The rows of one delivery, as the records that they would be in."""

    received_at: datetime
    records: list[msgspec.Raw]


class Allowance:
    """The bytes that all spools of a process may take together."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0


class Spool:
    """The entries of one source that wait for Kafka, oldest first. Its calls block: use it in a thread."""

    def __init__(self, folder: Path, source: str, allowance: Allowance) -> None:
        self.source = source
        self._folder = folder / source
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise SpoolBusy(f"source {source} is run by another process ({self._folder} is locked)") from error
        self._allowance = allowance
        self.damaged = 0  # entries or tails that could not be read
        self._last: FileIO | None = None
        self._segment, self._position = self._read_head()
        self._segments = sorted(int(path.stem) for path in self._folder.glob("*.seg"))
        for number in [number for number in self._segments if number < self._segment]:
            self._remove(number)
        for number in self._segments:
            self._mend(number)
            allowance.used_bytes += self._path(number).stat().st_size
        self._next: tuple[Entry, int, int] | None = None
        self._seek()

    @property
    def is_empty(self) -> bool:
        return self._next is None

    @property
    def oldest(self) -> datetime | None:
        """The received_at of the first entry that waits: the clock may not go past it."""
        return None if self._next is None else self._next[0].received_at

    def append(self, received_at: datetime, rows: list[Row]) -> None:
        """Returns when the rows are safe on the disk. Raises SpoolFull, or OSError when the disk is full."""
        by_schema: dict[str, list[Row]] = {}
        for row in rows:
            by_schema.setdefault(SCHEMA_OF[type(row)], []).append(row)
        entry = Entry(received_at, [msgspec.Raw(batch.encode(schema, some)) for schema, some in by_schema.items()])
        body = zlib.compress(msgspec.json.encode(entry), 1)
        size = _FRAME.size + len(body)
        if self._allowance.used_bytes + size > self._allowance.limit_bytes:
            raise SpoolFull(
                f"{self._allowance.used_bytes} of {self._allowance.limit_bytes} bytes wait for Kafka already"
            )
        file = self._open_last()
        start = file.tell()
        try:
            frame = memoryview(_FRAME.pack(len(body), zlib.crc32(body)) + body)
            while frame:
                frame = frame[file.write(frame) :]
            os.fsync(file.fileno())
        except OSError:  # the disk is full: half an entry must not stand before the next
            file.truncate(start)
            raise
        self._allowance.used_bytes += size
        if self._next is None:
            self._seek()

    def first(self) -> list[Row]:
        """The rows of the oldest entry. They stay until `published` is called."""
        if self._next is None:
            raise LookupError("the spool is empty")
        entry = self._next[0]
        rows: list[Row] = []
        for record in entry.records:
            decoded = batch.decode(bytes(record))
            rows.extend(decoded.each())
            topic = TOPIC_OF_SCHEMA[decoded.schema].name
            rows.extend(self._reject(entry, bad, topic) for bad in decoded.bad)
        return rows

    def published(self) -> None:
        """The oldest entry is in Kafka: go on to the next."""
        if self._next is None:
            return
        _, segment, end = self._next
        self._segment, self._position = segment, end
        self._seek()
        if self._next is None:  # all is published: start afresh, nothing stays on the disk
            self._segment, self._position = self._segments[-1] + 1, 0
        self._write_head()  # before the removal: a head must never point into a segment that is written anew
        for number in [number for number in self._segments if number < self._segment]:
            self._allowance.used_bytes -= self._path(number).stat().st_size
            self._remove(number)

    def close(self) -> None:
        if self._last is not None:
            self._last.close()
        self._lock.close()

    def _reject(self, entry: Entry, bad: batch.BadRow, topic: str) -> Reject:
        text = bad.raw.decode(errors="replace")
        detail = f"on the spool: {bad.detail}"[:2000]
        at = entry.received_at
        return Reject(source=self.source, reason="contract", detail=detail, raw=text, topic=topic, received_at=at)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.seg"

    def _open_last(self) -> FileIO:
        if self._last is not None and self._last.tell() < SEGMENT_BYTES:
            return self._last
        if self._last is not None:
            self._last.close()
            number = self._segments[-1] + 1
        elif self._segments and self._path(self._segments[-1]).stat().st_size < SEGMENT_BYTES:
            number = self._segments[-1]
        else:
            number = max(self._segment, self._segments[-1] + 1 if self._segments else 0)
        self._last = self._path(number).open("ab", buffering=0)
        if number not in self._segments:
            self._segments.append(number)
            _sync_folder(self._folder)
        return self._last

    def _seek(self) -> None:
        """Find the first readable entry at or after the head. Damage is skipped, counted and said."""
        self._next = None
        for number in [number for number in self._segments if number >= self._segment]:
            position = self._position if number == self._segment else 0
            with self._path(number).open("rb") as file:
                file.seek(position)
                while header := file.read(_FRAME.size):
                    length, crc = _FRAME.unpack(header) if len(header) == _FRAME.size else (_ENTRY_LIMIT + 1, 0)
                    body = file.read(length) if length <= _ENTRY_LIMIT else b""
                    if len(body) < length:
                        self._damage(number, "a length that leads past its end")
                        break
                    entry = _entry(body) if zlib.crc32(body) == crc else None
                    if entry is not None:
                        self._segment, self._position = number, position
                        self._next = (entry, number, file.tell())
                        return
                    self._damage(number, "an entry that is not what was written")
                    position = file.tell()

    def _mend(self, number: int) -> None:
        """Cut a torn tail off the last segment: an append that a kill interrupted was never acknowledged."""
        if number != self._segments[-1]:
            return
        path = self._path(number)
        size, good = path.stat().st_size, 0
        with path.open("rb+") as file:
            while len(header := file.read(_FRAME.size)) == _FRAME.size:
                length = _FRAME.unpack(header)[0]
                if length > _ENTRY_LIMIT or good + _FRAME.size + length > size:
                    break
                good += _FRAME.size + length
                file.seek(good)
            if good < size:
                self._damage(number, f"a torn tail of {size - good} bytes")
                file.truncate(good)

    def _damage(self, number: int, what: str) -> None:
        self.damaged += 1
        log.error("spool of %s: segment %d has %s", self.source, number, what)

    def _remove(self, number: int) -> None:
        if self._last is not None and number == self._segments[-1]:
            self._last.close()
            self._last = None
        self._path(number).unlink()
        self._segments.remove(number)

    def _read_head(self) -> tuple[int, int]:
        try:
            segment, position = (self._folder / "head").read_text().split()
            return int(segment), int(position)
        except (FileNotFoundError, ValueError):
            return 0, 0

    def _write_head(self) -> None:
        partial = self._folder / "head.new"
        with partial.open("w") as file:
            file.write(f"{self._segment} {self._position}")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / "head")


def _entry(body: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(zlib.decompress(body), type=Entry)
    except (zlib.error, msgspec.MsgspecError):
        return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
