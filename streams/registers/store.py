"""The slice of topic registers.changes: share windows that a platform sends become versions in the register."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg

from schemas.registers import ShareWindow, ShareWindowChange
from sql.copy import not_streaming
from streams.registers.windows import next_version

_FIELDS = tuple(field.name for field in msgspec.structs.fields(ShareWindow))
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_LATEST = f"select distinct on (window_id) {_COLUMNS} from share_window where source <> 'register' order by window_id, version desc"  # noqa: S608, E501
_LOTS = "select source, ref, lot_id from lot_source where valid_to is null"
_INSERT = f"insert into share_window ({_COLUMNS}) values ({', '.join(['%s'] * len(_FIELDS))})"  # noqa: S608
_BUMP = "update register_version set version = version + 1, changed_at = now() where register = 'parking'"


class RegisterChanges:
    """A cache of the newest version of each window that came by message, and of which lot a (source, ref) is."""

    streaming = staticmethod(not_streaming)

    def __init__(self) -> None:
        self._latest: dict[str, ShareWindow] = {}
        self._lots: dict[tuple[str, str], str] = {}
        self._made: list[ShareWindow] = []

    def forget(self) -> None:
        self._latest.clear()
        self._lots.clear()
        self._made.clear()

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        self._lots = {(source, ref): lot_id for source, ref, lot_id in cursor.execute(_LOTS)}
        rows = cursor.execute(_LATEST).fetchall()
        windows = [msgspec.convert(dict(zip(_FIELDS, row, strict=True)), ShareWindow) for row in rows]
        self._latest = {window.window_id: window for window in windows}

    def fold(self, partition: int, offset: int, schema: str, rows: Sequence[Any]) -> None:
        for row in rows:
            change: ShareWindowChange = row
            made = next_version(self._latest.get(change.window_id), change, self._lots.get((change.source, change.ref)))
            if made is not None:
                self._latest[made.window_id] = made
                self._made.append(made)

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        if not self._made:
            return
        made, self._made = self._made, []
        values = [
            [list(value) if isinstance(value, tuple) else value for value in msgspec.structs.astuple(window)]
            for window in made
        ]
        cursor.executemany(_INSERT, values)
        cursor.execute(_BUMP)
