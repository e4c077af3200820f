"""What does the command say of a payload in a file, in the words in which the feed says it?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.proof.chain import Chain
from tests.proof.lots import Supply

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
