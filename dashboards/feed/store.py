"""Which bytes do all replicas serve? Those that the first of them stored.

A view is a pure function of rows, so replicas agree anyway; the table makes it so between releases and libraries too.
gzip and br are stored, identity is unpacked from gzip. Writing is safe to repeat: what is there stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dashboards.feed.edition import Edition
from dashboards.feed.encodings import Encoding, Prepared, Variant, restored, variants
from dashboards.feed.files import ALL, LOT_STATUS, File
from dashboards.feed.rows import QUERIES
from dashboards.feed.snapshot import Snapshot
from schemas.registers import ParkingRegister
from sql.connect import Connection

STORED: tuple[Encoding, ...] = ("br", "gzip")


def edition_of(
    connection: Connection, snapshot: Snapshot, register: ParkingRegister, before: Edition | None
) -> Edition:
    """All files of a snapshot as stored, rendered and stored first where they are not. Commits."""
    files: dict[str, Prepared] = {}
    minute = [file for file in ALL if file.family == "minute"]
    files.update(_stored(connection, minute, snapshot))
    for file in ALL:
        if file.family == "register":
            files[file.path] = _of_register(connection, file, snapshot, before)
    connection.commit()
    return Edition(snapshot=snapshot, register=register, files=files)


def minute_file(connection: Connection, snapshot: Snapshot, file: File) -> Prepared:
    """One file of any minute: the stored body, or the one that its rows make."""
    found = _stored(connection, [file], snapshot)
    connection.commit()
    return found[file.path]


def stored_status(connection: Connection, minute: datetime, revision: int) -> Prepared | None:
    """lot_status.json of a minute, when it is stored."""
    name = LOT_STATUS.rpartition("/")[2]
    return _read(connection, [name], minute, revision).get(name)


def _stored(connection: Connection, files: list[File], snapshot: Snapshot) -> dict[str, Prepared]:
    run = snapshot.run
    names = [file.name for file in files]
    known = _read(connection, names, run.minute, run.revision)
    missing = [file for file in files if file.name not in known]
    if missing:
        _write(
            connection,
            [(file, variants(file.render(snapshot))) for file in missing],
            run.minute,
            run.revision,
            run.minute if run.revision == 1 else run.computed_at,
        )
        known = _read(connection, names, run.minute, run.revision)
    return {file.path: known[file.name] for file in files}


def _of_register(connection: Connection, file: File, snapshot: Snapshot, before: Edition | None) -> Prepared:
    """A file of the register lies under the instant of its change; its content tells releases and settings apart."""
    body = file.render(snapshot)
    if before is not None and file.path in before.files:
        held = before.files[file.path]
        if held.variants["identity"].body == body:
            return held
    at, mark = snapshot.register.changed_at, zlib.crc32(body) & 0x7FFFFFFF
    known = _read(connection, [file.name], at, mark)
    if file.name not in known:
        _write(connection, [(file, variants(body))], at, mark, at)
        known = _read(connection, [file.name], at, mark)
    return known[file.name]


def _read(connection: Connection, names: list[str], minute: datetime, revision: int) -> dict[str, Prepared]:
    found: dict[str, dict[str, Variant]] = {}
    kinds: dict[str, tuple[str, datetime]] = {}
    rows = QUERIES.snapshots(connection, views=names, minute=minute, revision=revision)
    for name, encoding, etag, media_type, modified_at, body in rows:
        found.setdefault(name, {})[encoding] = Variant(etag, bytes(body))
        kinds[name] = (media_type, modified_at)
    return {
        name: Prepared(
            media_type=kinds[name][0],
            modified_at=kinds[name][1],
            policy="tick",
            variants=restored(stored["gzip"], stored["br"]),
        )
        for name, stored in found.items()
        if set(stored) >= set(STORED)
    }


def _write(
    connection: Connection,
    rendered: Iterable[tuple[File, dict[Encoding, Variant]]],
    minute: datetime,
    revision: int,
    modified_at: datetime,
) -> None:
    rows: list[Any] = [
        (file.name, encoding, bodies[encoding].etag, file.media_type, bodies[encoding].body)
        for file, bodies in rendered
        for encoding in STORED
    ]
    views, encodings, etags, media_types, contents = (list(column) for column in zip(*rows, strict=True))
    QUERIES.put_snapshots(
        connection,
        views=views,
        encodings=encodings,
        minute=minute,
        revision=revision,
        etags=etags,
        content_types=media_types,
        modified_at=modified_at,
        bodies=contents,
    )
