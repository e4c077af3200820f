"""Where is the SQL that has a name? sql/queries/<word>.sql, each query a function of its parameters (aiosql)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiosql

QUERIES = Path(__file__).parent / "queries"


def named(word: str) -> Any:
    """The queries of one file. Call them with a connection and the named parameters."""
    return aiosql.from_path(QUERIES / f"{word}.sql", "psycopg", mandatory_parameters=False)
