"""The schema is built from zero, and every named query can be planned with the rights of its reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sql.connect import connect
from sql.named import QUERIES
from tests.conftest import Database

pytestmark = pytest.mark.stack
READER = {
    "feed": "feed",
    "registers": "owner",
    "water_registers": "owner",
    "webhooks": "connectors",
    "endpoints": "owner",
    "ops": "ops",
}  # the others are of streams
_NAME = re.compile(r"^-- name: (\w+)", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w'\"]):(\w+)")


def queries() -> list[tuple[str, str, str]]:
    found = []
    for path in sorted(Path(QUERIES).glob("*.sql")):
        parts = _NAME.split(path.read_text(encoding="utf-8"))[1:]
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            text = "\n".join(line for line in body.splitlines()[1:] if not line.strip().startswith("--"))
            found.append((path.stem, name, text.strip().rstrip(";")))
    return found


@pytest.mark.parametrize(("word", "name", "text"), queries(), ids=lambda value: value if len(value) < 40 else "")
def test_a_named_query_can_be_planned(module_database: Database, word: str, name: str, text: str) -> None:
    if text.split()[0].lower() not in ("select", "insert", "update", "delete", "with"):
        pytest.fail("only queries that can be explained have a name")
    numbers: dict[str, int] = {}
    numbered = _PARAMETER.sub(lambda match: f"${numbers.setdefault(match[1], len(numbers) + 1)}", text)
    with connect(module_database.dsn(READER.get(word, "streams")), autocommit=True) as connection:
        connection.execute(f"prepare asked as {numbered}".encode())
        given = ", ".join(["null"] * len(numbers))
        connection.execute(f"explain execute asked{f'({given})' if given else ''}".encode())
