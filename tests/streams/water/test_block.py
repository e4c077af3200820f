"""The bytes of many readings are those that the driver writes row by row; what is late is what is not newer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.connect import connect
from sql.copy import Streaming
from streams.water.block import Said, block_of
from streams.water.roster import Roster
from streams.water.rules import ALWAYS, micros
from streams.water.store import READING, rows_of
from tests.conftest import Database

AT = datetime(2026, 11, 24, 8, 0, 0, 123_456, UTC)
WORDS: list[str | None] = [None, "clock", "backfill,held_by_device", "倾斜", "x" * 64, "é" * 64]


def said(count: int, flags: list[str | None], refs: list[str | None]) -> Said:
    places = np.arange(count)
    return Said(
        number=places + 1,
        at=micros(AT) + places * 60_000_000,
        received=micros(AT + timedelta(seconds=3)) + places * 60_000_001,
        value=np.array([(0.0, -1.25, np.nan, 1e9, 10.494)[place % 5] for place in range(count)]),
        stated=np.array([(1, 3, 9)[place % 3] for place in range(count)], np.uint8),
        flag=np.array([(1, 2, 3, 4, 9)[place % 5] for place in range(count)], np.uint8),
        tests=np.array([place % 256 for place in range(count)], np.uint8),
        flags=[flags[place % len(flags)] for place in range(count)],
        raw_ref=[refs[place // 2 % len(refs)] for place in range(count)],
    )


@pytest.mark.stack
@pytest.mark.parametrize("refs", [WORDS, ["e096fcfb2e8ed7a8"], ["e096fcfb2e8ed7a8", None], ["aa", "b", "ccc"]])
@pytest.mark.parametrize("flags", [WORDS, [None], [None, None, None, "clock"]])
def test_a_block_stores_what_the_rows_store(
    database: Database, refs: list[str | None], flags: list[str | None]
) -> None:
    rows = said(600, flags, refs)
    stored = []
    for is_block in (False, True):
        with connect(database.dsn("streams")) as connection, connection.cursor() as cursor:
            with Streaming(cursor, READING) as stream:
                if is_block:
                    stream.write_block(block_of(rows, np.arange(600) < 200))
                    stream.write_block(block_of(rows, np.arange(600) >= 200))
                else:
                    stream.write(rows_of(rows))
            stored.append(cursor.execute("select * from water_reading order by series_id").fetchall())
            connection.rollback()
    assert stored[0] == stored[1]
    assert len(stored[1]) == 600
    assert stored[1][2][1:4] == (AT + timedelta(minutes=2), AT + timedelta(minutes=2, seconds=3, microseconds=2), None)


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 12)), max_size=30), max_size=4))
def test_late_is_what_is_not_newer_than_all_of_its_series_before(takes: list[list[tuple[int, int]]]) -> None:
    roster = Roster()
    roster.put({("s", str(number), "level_m", ""): number for number in range(5)}, {}, {0: 3})
    newest = dict.fromkeys(range(5), ALWAYS) | {0: 3}
    for take in takes:
        expected = []
        for series, at in take:
            expected.append(at <= newest[series])
            newest[series] = max(newest[series], at)
        found = roster.are_late(
            np.array([each[0] for each in take], np.int64), np.array([each[1] for each in take], np.int64)
        )
        assert found.tolist() == expected
