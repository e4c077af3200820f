"""`python -m streams replay water`: a hydrograph and thresholds in, rises of alerts out; no Kafka, no database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from schemas.water import StationReading
from tests.processes import ROOT
from tests.streams.water.test_replay import STORM_LINES, THRESHOLDS, Row, disturbed, synthetic

NAMES = {"alert_id", "station", "level", "certainty", "raised_at", "observed_at", "ended_at", "revision"}


def hydrograph(rows: list[Row]) -> str:
    return "time,station,element,value\n" + "".join(f"{at.isoformat()},r,level_m,{value}\n" for at, value in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "river.csv").write_text(hydrograph(disturbed(synthetic(), 2)), encoding="utf-8")
    (tmp_path / "thresholds.csv").write_text(THRESHOLDS.format(*STORM_LINES), encoding="utf-8")
    return tmp_path


def ask(folder: Path, *options: str, lines: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    given = () if "--thresholds" in options else ("--thresholds", str(folder / "thresholds.csv"))
    command = [sys.executable, "-m", "streams.replay", "water", *options, *given]
    return subprocess.run(command, input=lines, capture_output=True, cwd=ROOT, timeout=120, check=False)


def test_one_rise_a_line(folder: Path) -> None:
    asked = ask(folder, str(folder / "river.csv"), "--json")
    assert asked.returncode == 0, asked.stderr
    rises = [json.loads(line) for line in asked.stdout.splitlines()]
    assert all(set(rise) >= NAMES for rise in rises)
    assert [rise["raised_at"] for rise in rises] == sorted(rise["raised_at"] for rise in rises)
    assert {rise["level"] for rise in rises} == {"blue", "yellow", "orange"}
    assert len({rise["alert_id"] for rise in rises if not rise["withdrawn"]}) == 4
    assert b"missed" in asked.stderr


def test_a_table_a_line_and_a_picture(folder: Path) -> None:
    picture = folder / "river.svg"
    asked = ask(folder, str(folder / "river.csv"), "--picture", str(picture))
    assert asked.returncode == 0, asked.stderr
    out = asked.stdout.decode()
    assert "orange" in out and "█" in out and "4 alerts, 0 flapped" in out and "delay from crossing" in out
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg") and "polyline" in drawn and "flood plan 2018" in drawn and "spike" in drawn


def test_decoded_rows_on_standard_input_say_the_same(folder: Path) -> None:
    rows = [
        StationReading(source="hydrograph", station="r", element="level_m", observed_at=at, received_at=at, value=value)
        for at, value in synthetic()
    ]
    lines = b"".join(b'{"row":' + msgspec.json.encode(row) + b"}\n" for row in rows) + b'{"reject":{"reason":"x"}}\n'
    (folder / "river.csv").write_text(hydrograph(synthetic()), encoding="utf-8")
    piped, read = ask(folder, "--json", lines=lines), ask(folder, str(folder / "river.csv"), "--json")
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout == read.stdout != b""
    assert b"1 rejects" in piped.stderr


NO_ZONE = "time,station,element,value\n2026-01-01T00:00:00,r,level_m,1\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", b"there are no readings"),
        ("time,station\n", b"there is no column"),
        (NO_ZONE, b"say the zone"),
    ],
)
def test_what_cannot_be_read_says_what_to_mend(folder: Path, text: str, says: bytes) -> None:
    (folder / "river.csv").write_text(text, encoding="utf-8")
    asked = ask(folder, str(folder / "river.csv"))
    assert asked.returncode == 2
    assert says in asked.stderr


def test_thresholds_of_other_stations_are_no_all_clear(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_text(THRESHOLDS.format(*STORM_LINES).replace("\nr,", "\nq,"), encoding="utf-8")
    asked = ask(folder, str(folder / "river.csv"), "--thresholds", str(other))
    assert asked.returncode == 2
    assert b"other stations" in asked.stderr
