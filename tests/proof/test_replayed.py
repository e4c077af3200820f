"""What a person at a command line is told of a payload is what the feed publishes of it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.proof import current, recorded
from tests.proof.chain import Chain
from tests.proof.lots import Supply

pytestmark = pytest.mark.stack
needs_samples = pytest.mark.skipif(not recorded.SAMPLES.is_dir(), reason="no recorded payloads beside the checkout")
TIMES = ("status_since", "observed_at", "received_at", "age_s", "trend", "share")  # of this poll or of another one
AT = datetime(2026, 11, 24, 2, 31, 20, tzinfo=UTC)


def payload_of(supply: Supply, folder: Path) -> str:
    """The payload in a file, as a person has it who saved what a source said."""
    path = folder / f"{supply.name}.payload"
    assert supply.document is not None
    path.write_bytes(supply.document(AT, f"/{supply.name}"))
    return str(path)


def source_of(supply: Supply, folder: Path) -> str:
    path = folder / f"{supply.name}.toml"
    options = "\n".join(f"{key} = {json.dumps(value)}" for key, value in dict(supply.table.get("options", {})).items())
    table = f'[[source]]\nname = "{supply.name}"\ndecoder = "{supply.decoder}"\ntime_zone = "{supply.zone}"\n'
    path.write_text(table + (f"[source.options]\n{options}\n" if options else ""))
    return str(path)


def replayed(city: Chain, supply: Supply, folder: Path) -> dict[str, Any]:
    """`./citysense replay parking` with the register of the city: the lots of this source by id."""
    words = ("deploy", "replay", "parking", payload_of(supply, folder), "--format", supply.decoder, "--json")
    told = city.call(
        *words, "--source", source_of(supply, folder), "--registers", str(city.folder / "registers"),
        "--received-at", AT.isoformat(), "--at", (AT + timedelta(seconds=40)).isoformat(),
    )  # fmt: skip
    lots = [json.loads(line) for line in told.splitlines()]
    return {lot["lot_id"]: lot for lot in lots if lot["lot_id"].startswith(f"{supply.name}.")}


def said(lot: dict[str, Any]) -> dict[str, Any]:
    """What both say of a lot, apart from times."""
    flags = lot["flags"] if "flags" in lot else lot["quality"]["flags"]
    names = (
        "status", "opening_status", "available", "available_min", "available_max", "capacity", "occupied", "mode",
        "time_basis", "freshness", "last_known", "reason", "source",
    )  # fmt: skip
    told = {name: lot[name] for name in names} | {"flags": list(flags)}
    told["last_known"] = None if lot["last_known"] is None else lot["last_known"]["available"]
    told["pools"] = {pool["pool"]: (pool["status"], pool["available"], pool["reason"]) for pool in lot["pools"]}
    return told


def check(city: Chain, name: str, folder: Path) -> None:
    supply = city.supplies[name]
    found = city.lots_at(max(row["received_at"] for row in city.rows(name).values()))
    mine = {lot_id: said(lot) for lot_id, lot in replayed(city, supply, folder).items()}
    assert mine
    assert mine == {lot_id: said(found[lot_id]) for lot_id in mine}


@pytest.mark.parametrize("name", ["now-hdb", "now-datex2", "now-ngsi"])
def test_replay_says_what_the_feed_says_of_own_payloads(city: Chain, tmp_path: Path, name: str) -> None:
    city.eventually(lambda: bool(city.rows(name)), f"{name} has rows")
    check(city, name, tmp_path)


@needs_samples
@pytest.mark.parametrize("name", ["karlsruhe", "stuttgart"])
def test_replay_says_what_the_feed_says_of_recorded_payloads(city: Chain, tmp_path: Path, name: str) -> None:
    city.eventually(lambda: bool(city.rows(name)), f"{name} has rows")
    check(city, name, tmp_path)


def test_decode_prints_a_row_or_a_reject_for_every_item(city: Chain, tmp_path: Path) -> None:
    supply = next(one for one in current.SUPPLIES if one.name == "now-hdb")
    told = city.call("deploy", "decode", "hdb", payload_of(supply, tmp_path), "--received-at", AT.isoformat())
    lines = [json.loads(line) for line in told.splitlines()]
    rows = {(line["row"]["ref"], line["row"]["pool"], line["row"]["free"]) for line in lines if "row" in line}
    assert rows == {
        ("A1", "public", 12), ("A1", "motorcycle", 3), ("A1", "hgv", 0), ("A2", "public", 30), ("A2", "public", 99),
        ("A3", "public", 0), ("A4", "public", 200), ("A6", "public", 7), ("A8", "public", 6),
    }  # fmt: skip
    rejects = [line["reject"] for line in lines if "reject" in line]
    assert Counter(one["reason"] for one in rejects) == {"bad_number": 1, "future_time": 1}
    assert all(set(one) == {"reason", "detail", "raw"} for one in rejects)
    assert "490 (79%)" in next(one["raw"] for one in rejects if one["reason"] == "bad_number")
