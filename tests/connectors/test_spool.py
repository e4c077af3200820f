"""Rows that wait on disk: in order, bounded, through a kill and a torn tail."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.spool import Allowance, Spool, SpoolBusy, SpoolFull
from schemas.batch import Row
from schemas.parking import Observation
from schemas.source import Reject

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def minute(number: int) -> list[Row]:
    at = NOON + timedelta(minutes=number)
    return [Observation(source="s", ref="lot-1", free=number, observed_at=at, received_at=at)]


def spool(folder: Path, limit_bytes: int = 1_000_000) -> Spool:
    return Spool(folder, "s", Allowance(limit_bytes))


def drained(waiting: Spool) -> list[Row]:
    rows: list[Row] = []
    while not waiting.is_empty:
        rows.extend(waiting.first())
        waiting.published()
    return rows


def test_minutes_come_back_in_order_and_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    waiting = spool(tmp_path)
    for number in range(5):
        waiting.append(NOON + timedelta(minutes=number), minute(number))
    assert waiting.oldest == NOON
    assert drained(waiting) == [row for number in range(5) for row in minute(number)]
    assert waiting.oldest is None
    assert list((tmp_path / "s").glob("*.seg")) == []


def test_rejects_wait_beside_their_good_neighbours(tmp_path: Path) -> None:
    waiting = spool(tmp_path)
    bad = Reject(source="s", reason="bad_number", detail="free is 'x'", raw="{}", received_at=NOON)
    waiting.append(NOON, [*minute(0), bad])
    assert drained(waiting) == [*minute(0), bad]


def test_what_is_published_is_not_there_after_a_restart(tmp_path: Path) -> None:
    waiting = spool(tmp_path)
    for number in range(3):
        waiting.append(NOON, minute(number))
    waiting.published()
    waiting.close()
    again = spool(tmp_path)
    assert drained(again) == minute(1) + minute(2)
    again.append(NOON, minute(3))
    again.close()
    assert drained(spool(tmp_path)) == minute(3)


def test_a_kill_between_the_removal_and_the_next_minute_hides_nothing(tmp_path: Path) -> None:
    waiting = spool(tmp_path)
    for number in range(3):
        waiting.append(NOON, minute(number))
    head = tmp_path / "s" / "head"
    waiting.published()
    older = head.read_bytes()
    drained(waiting)
    newest = head.read_bytes()
    waiting.append(NOON, minute(7))
    waiting.close()
    assert head.read_bytes() == newest != older
    assert drained(spool(tmp_path)) == minute(7)


@pytest.mark.parametrize("lost_bytes", [1, 5, 60])
def test_a_torn_tail_costs_only_the_entry_that_was_never_acknowledged(tmp_path: Path, lost_bytes: int) -> None:
    waiting = spool(tmp_path)
    waiting.append(NOON, minute(0))
    waiting.append(NOON, minute(1))
    waiting.close()
    segment = next((tmp_path / "s").glob("*.seg"))
    segment.write_bytes(segment.read_bytes()[:-lost_bytes])
    again = spool(tmp_path)
    again.append(NOON, minute(2))
    assert drained(again) == minute(0) + minute(2)
    assert again.damaged == 1


@pytest.mark.parametrize("tail", [b"\x00" * 64, b"\xff" * 64, b"\x00\x00\x00\x10" + b"zz"])
def test_a_tail_of_garbage_is_said_and_skipped(tmp_path: Path, tail: bytes) -> None:
    waiting = spool(tmp_path)
    waiting.append(NOON, minute(0))
    waiting.close()
    segment = next((tmp_path / "s").glob("*.seg"))
    segment.write_bytes(segment.read_bytes() + tail)
    again = spool(tmp_path)
    assert drained(again) == minute(0)
    assert again.damaged > 0


def test_a_damaged_entry_does_not_take_its_neighbours_along(tmp_path: Path) -> None:
    waiting = spool(tmp_path)
    ends = []
    for number in range(3):
        waiting.append(NOON, minute(number))
        ends.append(next((tmp_path / "s").glob("*.seg")).stat().st_size)
    waiting.close()
    segment = next((tmp_path / "s").glob("*.seg"))
    body = bytearray(segment.read_bytes())
    body[ends[0] + 20] ^= 0xFF
    segment.write_bytes(body)
    again = spool(tmp_path)
    assert drained(again) == minute(0) + minute(2)
    assert again.damaged == 1


def test_a_full_spool_keeps_the_oldest_and_refuses_the_new(tmp_path: Path) -> None:
    waiting = spool(tmp_path, limit_bytes=600)
    kept = 0
    with pytest.raises(SpoolFull, match="of 600 bytes"):
        for number in range(100):
            waiting.append(NOON, minute(number))
            kept += 1
    assert drained(waiting) == [row for number in range(kept) for row in minute(number)]
    waiting.append(NOON, minute(99))  # there is room again


def test_the_limit_counts_what_an_earlier_process_left(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(NOON, minute(0))
    first.close()
    size = sum(path.stat().st_size for path in (tmp_path / "s").glob("*.seg"))
    with pytest.raises(SpoolFull):
        spool(tmp_path, limit_bytes=size).append(NOON, minute(1))


def test_segments_roll_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.spool.SEGMENT_BYTES", 400)
    waiting = spool(tmp_path)
    for number in range(20):
        waiting.append(NOON, minute(number))
    assert len(list((tmp_path / "s").glob("*.seg"))) > 3
    waiting.published()
    waiting.close()
    assert drained(spool(tmp_path)) == [row for number in range(1, 20) for row in minute(number)]


def test_one_source_is_run_by_one_process(tmp_path: Path) -> None:
    first = spool(tmp_path)
    with pytest.raises(SpoolBusy, match="another process"):
        spool(tmp_path)
    first.close()
    spool(tmp_path)


APPENDS = """
import sys
from pathlib import Path
from tests.connectors.test_spool import NOON, minute, spool
waiting = spool(Path(sys.argv[1]), 100_000_000)
number = 0
while True:
    waiting.append(NOON, minute(number))
    print(number, flush=True)
    number += 1
"""


def test_what_append_returned_for_survives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", APPENDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout if line.strip()]
    rows = drained(spool(tmp_path))
    assert rows[: len(said)] == [row for number in said for row in minute(number)]
    assert len(rows) <= len(said) + 1
