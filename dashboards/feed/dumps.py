"""What was a whole day? A CSV and a Parquet file of all lots and minutes, made once and kept on disk.

Only days that are over in the district's own time, read hour by hour, so that a day never lies in memory.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import tempfile
import threading
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dashboards.feed.asked import DumpName, NotThere
from dashboards.feed.rows import QUERIES
from sql.connect import Connection, connect

PIECE = timedelta(hours=1)
STATEMENT_TIMEOUT_MS = 60_000
COLUMNS = (
    "minute", "lot_id", "revision", "status", "opening_status", "available", "available_min", "available_max",
    "capacity", "occupied", "mode", "observed_at", "received_at", "time_basis", "freshness", "age_s", "quality_score",
    "flags", "trend", "reason", "source",
)  # fmt: skip
_TIMES = ("minute", "observed_at", "received_at")
_WHOLE = (
    "revision", "available", "available_min", "available_max", "capacity", "occupied", "age_s",
)  # fmt: skip

log = logging.getLogger("citysense.feed")


class DumpFile(msgspec.Struct, frozen=True):
    path: Path  # a CSV lies there in gzip
    digest: str
    bytes: int
    made_at: datetime


class Dumps:
    """Serves files of `folder`, of which it keeps the newest `kept`; one is made at a time."""

    def __init__(self, dsn: str, zone: ZoneInfo, folder: str, kept: int) -> None:
        self.dsn = dsn
        self.zone = zone
        self.kept = kept
        self.own = tempfile.TemporaryDirectory(prefix="citysense-dumps-") if not folder else None
        self.folder = Path(self.own.name if self.own is not None else folder)
        self.making = threading.Lock()

    def close(self) -> None:
        if self.own is not None:
            self.own.cleanup()

    def file(self, name: DumpName) -> DumpFile:
        """The dump of a day, made now when it is not there. Raises NotThere, or psycopg errors."""
        path = self.folder / f"{name.day.isoformat()}.{'csv.gz' if name.kind == 'csv' else 'parquet'}"
        with self.making:
            if not path.exists():
                with connect(self.dsn, statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection:
                    self._check(connection, name.day)
                    self._make(connection, name, path)
            self._forget()
            return _described(path)

    def _check(self, connection: Connection, day: date) -> None:
        newest = QUERIES.newest_minute(connection)
        if newest is None or newest < self._bounds(day)[1]:
            raise NotThere(f"{day.isoformat()} is not over yet; the dump of a day is there from midnight on.")

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        start = datetime.combine(day, time(), self.zone)
        return start, datetime.combine(day + timedelta(days=1), time(), self.zone)

    def _make(self, connection: Connection, name: DumpName, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        pieces = self._pieces(connection, name.day)
        count = _write_csv(pieces, part) if name.kind == "csv" else _write_parquet(pieces, part, self.zone)
        if count == 0:
            part.unlink(missing_ok=True)
            raise NotThere(f"No minute of {name.day.isoformat()} is kept.")
        part.replace(path)
        log.info("dump %s: %d rows", path.name, count)

    def _pieces(self, connection: Connection, day: date) -> Iterator[pd.DataFrame]:
        start, end = self._bounds(day)
        while start < end:
            until = min(start + PIECE, end)
            rows = list(QUERIES.minutes_between(connection, start=start, until=until))
            if rows:
                yield self._frame(rows)
            start = until

    def _frame(self, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        for name in _TIMES:
            frame[name] = pd.to_datetime(frame[name], utc=True).dt.tz_convert(self.zone.key)
        for name in _WHOLE:
            frame[name] = frame[name].astype("Int64")
        frame["quality_score"] = frame["quality_score"].astype("float64").round(3)
        frame["flags"] = frame["flags"].map(" ".join)
        return frame

    def _forget(self) -> None:
        files = sorted(self.folder.glob("????-??-??.*"), key=lambda path: path.stat().st_mtime)
        for path in [path for path in files if path.suffix in (".gz", ".parquet")][: -self.kept]:
            path.unlink(missing_ok=True)


def _described(path: Path) -> DumpFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:20]
    facts = path.stat()
    return DumpFile(path, digest, facts.st_size, datetime.fromtimestamp(facts.st_mtime).astimezone())


def _write_csv(pieces: Iterator[pd.DataFrame], path: Path) -> int:
    count = 0
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
    ):
        for frame in pieces:
            shown = frame.copy()
            for name in _TIMES:
                shown[name] = shown[name].map(lambda at: "" if pd.isna(at) else at.isoformat())
            shown.to_csv(file, index=False, header=count == 0, lineterminator="\r\n")
            count += len(frame)
    return count


def _write_parquet(pieces: Iterator[pd.DataFrame], path: Path, zone: ZoneInfo) -> int:
    count = 0
    schema = _schema(zone)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in pieces:
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
            count += len(frame)
    return count


def _schema(zone: ZoneInfo) -> pa.Schema:
    def kind(name: str) -> pa.DataType:
        if name in _TIMES:
            return pa.timestamp("us", zone.key)
        if name in _WHOLE:
            return pa.int32()
        return pa.float64() if name == "quality_score" else pa.string()

    return pa.schema([(name, kind(name)) for name in COLUMNS])
