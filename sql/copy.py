"""How do many rows get into a series table at once? New ones by COPY; what may collide by insert .. on conflict."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Self

import msgspec
import psycopg
from psycopg import sql
from psycopg.copy import QueuedLibpqWriter

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # of binary COPY: signature, flags, length of the extension
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"


class Table(msgspec.Struct, frozen=True):
    """A table with a unique key of its first `key` columns; types are PostgreSQL's names, in the order of columns."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: int = 2


def copy_rows(
    cursor: psycopg.Cursor[Any], table: Table, rows: Iterable[Sequence[Any]], into: str | None = None
) -> None:
    """Binary COPY. For rows that cannot collide: a UniqueViolation fails the transaction."""
    with cursor.copy(_copy_statement(table, into or table.name)) as copy:
        copy.set_types(table.types)
        write = copy.write_row
        for row in rows:
            write(row)


class Streaming:
    """A COPY that opens with its first row and takes rows while others are still being computed.

    The server stores what it has got meanwhile: that halves the wall time of a take. Between the first row and the
    end of the `with` the cursor is busy. An exception inside aborts the COPY, and so the transaction.
    """

    def __init__(self, cursor: psycopg.Cursor[Any], table: Table) -> None:
        self._cursor = cursor
        self._table = table
        self._open = contextlib.ExitStack()
        self._copy: psycopg.Copy | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        if self._copy is None:
            self._copy = self._begin()
            self._copy.set_types(self._table.types)
        write = self._copy.write_row
        for row in rows:
            write(row)

    def write_block(self, rows: bytes) -> None:
        """Rows that have the bytes of binary COPY already. A stream takes blocks, or rows, not both."""
        if self._copy is None:
            self._copy = self._begin()
            self._open.push(self._finish)
            self._copy.write(HEADER)
        self._copy.write(rows)

    def _begin(self) -> psycopg.Copy:
        writer = QueuedLibpqWriter(self._cursor)  # in a thread: a block is larger than what a socket takes at once
        statement = _copy_statement(self._table, self._table.name)
        return self._open.enter_context(self._cursor.copy(statement, writer=writer))

    def _finish(self, *error: Any) -> None:
        if self._copy is not None and error[0] is None:
            self._copy.write(TRAILER)


def not_streaming(cursor: psycopg.Cursor[Any]) -> contextlib.AbstractContextManager[None]:
    """For slices that write everything at the end of a take."""
    return contextlib.nullcontext()


def insert_rows(cursor: psycopg.Cursor[Any], table: Table, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Insert rows of which some may be stored already; the keys of those that collided, which are left as they were."""
    if not rows:
        return []
    late = f"late_{table.name}"
    cursor.execute(
        sql.SQL("create temp table if not exists {} (like {}) on commit delete rows").format(
            sql.Identifier(late), sql.Identifier(table.name)
        )
    )
    cursor.execute(sql.SQL("delete from {}").format(sql.Identifier(late)))
    copy_rows(cursor, table, rows, into=late)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    key = sql.SQL(", ").join(map(sql.Identifier, table.columns[: table.key]))
    stored = cursor.execute(
        sql.SQL("insert into {} ({}) select {} from {} on conflict ({}) do nothing returning {}").format(
            sql.Identifier(table.name), columns, columns, sql.Identifier(late), key, key
        )
    ).fetchall()
    inserted = set(stored)
    return [key_of for row in rows if (key_of := tuple(row[: table.key])) not in inserted]


def _copy_statement(table: Table, into: str) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(into), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )
