"""The slice of topic water.tests: what a station sends to try itself, kept apart from its readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from schemas.water import StationTest
from sql.copy import not_streaming

_INSERT = """
insert into water_test (source, station, observed_at, received_at, serial, elements, raw_ref)
values (%s, %s, %s, %s, %s, %s, %s)
"""


class StationTests:
    """No state. Once under the fence: a test that a station sends again is another test."""

    streaming = staticmethod(not_streaming)

    def __init__(self) -> None:
        self._tests: list[StationTest] = []

    def forget(self) -> None:
        self._tests.clear()

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        return

    def fold(self, partition: int, offset: int, schema: str, rows: Sequence[Any]) -> None:
        self._tests.extend(rows)

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        tests, self._tests = self._tests, []
        if tests:
            cursor.executemany(
                _INSERT,
                [
                    (each.source, each.station, each.observed_at, each.received_at, each.serial,
                     Jsonb(each.elements), each.raw_ref)
                    for each in tests
                ],
            )  # fmt: skip
