"""Does each decoder turn each recorded payload into exactly the rows and rejects that a person wrote down?

A case is a folder `tests/payloads/<format>/<case>/`; adding one needs no code.

payload.*      the bytes as they come off the wire (one file, any extension)
source.toml    received_at, and any field of a [[source]] table; rows_limit and future_limit_s may be set too
expected.json  {"rows": [...], "rejects": [...]} in the order of the payload. A row is what travels without `source`,
               `received_at` and `raw_ref`, which the test checks against the context. A reject names its `reason`
               and, where they matter, `detail`, `raw` or any other field: what is not named is not compared.

`python -m tests.connectors.parking.test_golden <format>/<case>` prints what the decoder says today, to be read, not
trusted.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.decoding import SourceContext, context_of, raw_ref
from connectors.formats import DECODERS
from schemas.settings import Source

PAYLOADS = Path(__file__).parents[2] / "payloads"
CASES = sorted(str(folder.parent.relative_to(PAYLOADS)) for folder in PAYLOADS.glob("*/*/source.toml"))
FRAMED = ("sl651", "hj212", "szy206")  # a payload of frames: raw_ref is the frame's, checked where they are tested
NEEDED = ("normal", "zero", "missing", "garbage", "hostile")


def load(case: str) -> tuple[bytes, SourceContext]:
    """The payload of a case and the context that its source.toml describes."""
    folder = PAYLOADS / case
    table = tomllib.loads((folder / "source.toml").read_text())
    received_at = table.pop("received_at")
    limits = {name: table.pop(name) for name in ("rows_limit", "future_limit_s") if name in table}
    decoder = folder.parent.name
    source = msgspec.convert({"name": decoder, "decoder": decoder, "transport": "http_poll", **table}, Source)
    context = msgspec.structs.replace(context_of(source, received_at), **limits)
    (payload,) = folder.glob("payload.*")
    return payload.read_bytes(), context


def decoded(case: str) -> dict[str, list[dict[str, Any]]]:
    """What the decoder of a case says, in the shape of expected.json with nothing left out of the rejects."""
    payload, context = load(case)
    result = DECODERS[case.split("/")[0]](payload, context)
    rows: list[dict[str, Any]] = []
    for row in result.rows:
        fields = msgspec.json.decode(msgspec.json.encode(row))
        assert fields.pop("source") == context.source
        assert msgspec.convert(fields.pop("received_at"), type(context.received_at)) == context.received_at
        name = fields.pop("raw_ref")
        assert re.fullmatch("[0-9a-f]{16}", name) if case.split("/")[0] in FRAMED else name == raw_ref(payload)
        rows.append(fields)
    rejects: list[dict[str, Any]] = [msgspec.to_builtins(reject) for reject in result.rejects]
    return {"rows": rows, "rejects": rejects}


@pytest.mark.parametrize("case", CASES)
def test_payload_in_rows_out(case: str) -> None:
    expected = json.loads((PAYLOADS / case / "expected.json").read_text())
    actual = decoded(case)
    assert actual["rows"] == expected["rows"]
    assert len(actual["rejects"]) == len(expected["rejects"]), actual["rejects"]
    for told, wanted in zip(actual["rejects"], expected["rejects"], strict=True):
        assert wanted.keys() >= {"reason"}
        assert {name: told.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_format_has_its_five_cases(name: str) -> None:
    assert set(NEEDED) <= {folder.name for folder in (PAYLOADS / name).glob("*")}


if __name__ == "__main__":
    told = decoded(sys.argv[1])
    shown = {"rows": told["rows"], "rejects": [{k: r[k] for k in ("reason", "detail")} for r in told["rejects"]]}
    print(json.dumps(shown, ensure_ascii=False, indent=1))
