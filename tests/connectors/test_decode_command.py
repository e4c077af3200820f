"""Does `connectors decode` print every row and every reject, and say what is wrong with a call that cannot be done?"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from connectors.decode import LIMIT_BYTES, UsageError, context_for, decode_command
from connectors.formats import DECODERS, ZONES
from schemas.parking import Observation
from schemas.registers import ShareWindowChange

PAYLOADS = Path(__file__).parents[1] / "payloads"
NOW = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
AT = "--received-at=2026-11-24T10:31:00+08:00"

app = typer.Typer()
app.command()(decode_command)


def run(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def printed(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def payload(case: str) -> str:
    return str(next((PAYLOADS / case).glob("payload.*")))


def test_a_row_has_all_its_fields_nulls_included() -> None:
    result = run("lpr", payload("lpr/normal"), AT)
    assert result.exit_code == 0
    (line,) = printed(result)
    assert list(line) == ["row"]
    row = line["row"]
    assert list(row) == list(Observation.__struct_fields__)
    assert (row["ref"], row["free"], row["supersedes"], row["flags"]) == ("20260007", 212, None, [])
    assert (row["observed_at"], row["received_at"]) == ("2026-11-24T02:30:25Z", "2026-11-24T02:31:00Z")
    assert result.stderr.strip() == "1 file: 1 rows, 0 rejects"


def test_a_share_window_has_all_its_fields_too() -> None:
    rows = [line["row"] for line in printed(run("njytb", payload("njytb/normal"), AT))]
    assert [list(row) for row in rows] == [list(ShareWindowChange.__struct_fields__)] * 4


def test_rejects_are_data_and_counted_by_reason() -> None:
    result = run("lpr", payload("lpr/missing"), payload("lpr/garbage"), AT)
    assert result.exit_code == 0
    rejects = [line["reject"] for line in printed(result) if "reject" in line]
    assert {tuple(rejected) for rejected in rejects} == {("reason", "detail", "raw")}
    assert result.stderr.strip() == "2 files: 2 rows, 4 rejects (bad_form 1, missing_id 1, other_service 2)"


def test_a_reject_that_is_no_text_or_is_cut_says_so() -> None:
    (cut,) = printed(run("datex2", "-", stdin=b"\xff" * 40_000))
    assert cut["reject"]["raw_encoding"] == "base64"
    assert len(cut["reject"]["raw_sha256"]) == 64


def test_standard_input_is_a_file_named_dash() -> None:
    sent = Path(payload("bolink/disable")).read_bytes()
    result = run("bolink", "-", payload("bolink/disable"), AT, stdin=sent)
    first, second = printed(result)
    assert first == second
    assert first["row"]["mode"] == "closed"


def test_a_payload_beyond_the_limit_is_a_reject() -> None:
    result = run("lpr", "-", stdin=b" " * (LIMIT_BYTES + 1))
    assert [line["reject"]["reason"] for line in printed(result)] == ["too_large"]
    assert result.exit_code == 0


@pytest.mark.parametrize("format_name", sorted(DECODERS))
def test_the_source_of_every_golden_case_can_be_given(format_name: str) -> None:
    """rows and rejects printed are those of the golden case, for what names a zone, pools and options in a file."""
    for case in sorted((PAYLOADS / format_name).iterdir()):
        if not (case / "expected.json").exists():
            continue
        expected = json.loads((case / "expected.json").read_text())
        result = run(format_name, payload(f"{format_name}/{case.name}"), "--source", str(case / "source.toml"))
        assert result.exit_code == 0, result.stderr
        lines = printed(result)
        assert [line["reject"]["reason"] for line in lines if "reject" in line] == [
            rejected["reason"] for rejected in expected["rejects"]
        ]
        rows = [line["row"] for line in lines if "row" in line]
        assert len(rows) == len(expected["rows"])
        for row, wanted in zip(rows, expected["rows"], strict=True):
            assert {name: row[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "text",
    [
        'name = "x"\ntime_zone = "Asia/Tokyo"',
        '[source]\nname = "x"\ndecoder = "lpr"\ntime_zone = "Asia/Tokyo"',
        '[[source]]\nname = "y"\ndecoder = "hdb"\n[[source]]\nname = "x"\ndecoder = "lpr"\ntime_zone = "Asia/Tokyo"',
        '[district]\n[[source]]\nname = "x"\ndecoder = "lpr"\ntransport = "http_push"\ntime_zone = "Asia/Tokyo"',
    ],
)
def test_a_source_is_a_table_alone_or_the_one_of_its_format_among_others(text: str, tmp_path: Path) -> None:
    file = tmp_path / "source.toml"
    file.write_text(text)
    (line,) = printed(run("lpr", payload("lpr/normal"), "--source", str(file), AT))
    assert (line["row"]["source"], line["row"]["observed_at"]) == ("x", "2026-11-24T01:30:25Z")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nope", "x.json"], "there is no format 'nope'; known: hdb, "),
        (["lpr", "no/such/file.json"], "no/such/file.json: No such file or directory"),
        (["lpr", "."], "Is a directory"),
        (["lpr", "-", "--received-at", "soon"], "--received-at: 'soon' is no iso time"),
        (["lpr", "-", "--source", "no/such.toml"], "--source no/such.toml: No such file or directory"),
    ],
)
def test_a_wrong_call_is_code_2_and_says_what_to_mend(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[], ["lpr"], ["lpr", "-", "--no-such-option"]])
def test_a_call_with_too_little_is_code_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zone = ", "not TOML"),
        ('time_zone = "Mars/Olympus"', "Mars/Olympus"),
        ("nonsense = 1", "nonsense"),
        ('cadence_s = "often"', "cadence_s"),
        ('decoder = "hdb"', "0 sources of format lpr"),
        ('[[source]]\nname = "a"\ndecoder = "lpr"\n[[source]]\nname = "b"\ndecoder = "lpr"', "a (lpr), b (lpr)"),
        ("source = 5", "must be a table"),
        ("rows_limit = 0", "rows_limit"),
    ],
)
def test_a_source_that_cannot_be_used_says_why(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("(", r"\(").replace(")", r"\)")):
        context_for("lpr", text, "", NOW)


def test_every_format_has_a_zone() -> None:
    assert ZONES.keys() == DECODERS.keys()
    assert {str(context_for(name, "", "", NOW).zone) for name in DECODERS} == set(ZONES.values())


def test_a_time_without_offset_is_local_and_none_is_now() -> None:
    assert context_for("lpr", "", "2026-11-24 10:31:00", datetime(2000, 1, 1, tzinfo=UTC)).received_at == NOW
    assert context_for("lpr", "", "", NOW).received_at == NOW
    assert context_for("njytb", "", "", NOW).topic == "registers.changes"


def test_it_is_a_command_of_connectors() -> None:
    command = [sys.executable, "-m", "connectors", "decode", "lpr", payload("lpr/zero"), AT]
    done = subprocess.run(command, capture_output=True, check=True, cwd=PAYLOADS.parents[1], timeout=60)
    row = msgspec.convert(json.loads(done.stdout)["row"], Observation)
    assert (row.free, row.occupied) == (0, 640)
    assert done.stderr.decode().strip() == "1 file: 1 rows, 0 rejects"
