"""The slice of topic rejects: what connectors could not read becomes dead letters, kept and repairable."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import psycopg

from schemas.source import Reject
from schemas.topics import REJECTS
from sql.copy import not_streaming

_INSERT = """
insert into dead_letter (topic, partition, kafka_offset, row_index, schema, source, received_at, reason, detail, raw,
    raw_sha256)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""


class Rejects:
    """No state: each reject is a row of its own, known by its place in the log."""

    streaming = staticmethod(not_streaming)

    def __init__(self) -> None:
        self._letters: list[tuple[Any, ...]] = []

    def forget(self) -> None:
        self._letters.clear()

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        return

    def fold(self, partition: int, offset: int, schema: str, rows: Sequence[Any]) -> None:
        self._letters.extend(letter(partition, offset, index, row) for index, row in enumerate(rows))

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        if self._letters:
            cursor.executemany(_INSERT, self._letters)
            self._letters.clear()


def letter(partition: int, offset: int, index: int, row: Reject) -> tuple[Any, ...]:
    raw = row.raw.encode()
    if row.raw_encoding == "base64":
        try:
            raw = base64.b64decode(row.raw, validate=True)
        except binascii.Error:
            raw = row.raw.encode()
    return (
        REJECTS.name, partition, offset, index, row.topic, row.source, row.received_at, row.reason, row.detail, raw,
        row.raw_sha256,
    )  # fmt: skip
