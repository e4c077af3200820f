"""What would this payload become? `python -m connectors decode`: files in, one JSON object a line out, no Kafka."""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from connectors.decoding import Decoded, SourceContext, Unreadable, context_of, reject
from connectors.formats import DECODERS, TOPICS, ZONES
from connectors.times import instant
from schemas.batch import Row
from schemas.settings import Connectors, Source
from schemas.source import Reject

LIMIT_BYTES = Connectors().body_limit_bytes  # of one file, as of one body


class _Limits(msgspec.Struct, frozen=True):
    rows_limit: Annotated[int, msgspec.Meta(ge=1)] = 50_000
    future_limit_s: Annotated[float, msgspec.Meta(ge=0)] = 120.0


class UsageError(ValueError):
    """What was asked cannot be done; the message says what to mend."""


def decode_command(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of: {', '.join(DECODERS)}.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Payloads as they came; - is standard input.")],
    source: Annotated[
        str, typer.Option(metavar="TOML", help="A file with the fields of one source: zone, pools, options.")
    ] = "",
    received_at: Annotated[
        str, typer.Option(metavar="TIME", help="When the payloads were received (RFC 3339). Default: now.")
    ] = "",
) -> None:
    """Print what payloads become: {"row": {...}} or {"reject": {...}} a line, then a summary on standard error.

    Rejects are data: the exit code is 0 with them too. It is 2 when the call itself is wrong.
    """
    try:
        context = context_for(format_name, _text_of(source) if source else "", received_at, datetime.now(UTC))
        for file in files:
            _check(file)
    except UsageError as error:
        typer.echo(f"decode: {error}", err=True)
        raise typer.Exit(2) from error
    rows = 0
    reasons: Counter[str] = Counter()
    for file in files:
        decoded = decode_bytes(format_name, _read(file), context)
        rows += len(decoded.rows)
        reasons.update(rejected.reason for rejected in decoded.rejects)
        for line in lines(decoded):
            sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
    typer.echo(summary(rows, reasons, len(files)), err=True)


def context_for(format_name: str, source_toml: str, received_at: str, now: datetime) -> SourceContext:
    """The context of a call. Raises UsageError."""
    if format_name not in DECODERS:
        raise UsageError(f"there is no format {format_name!r}; known: {', '.join(DECODERS)}")
    table = _source_table(format_name, source_toml)
    own = {name: table.pop(name) for name in ("rows_limit", "future_limit_s", "received_at") if name in table}
    told = received_at or own.pop("received_at", None)
    try:
        limits = msgspec.convert(own, _Limits)
        configured = msgspec.convert({"transport": "http_poll"} | table, Source)
        context = context_of(configured, now, limits.future_limit_s, limits.rows_limit)
        at = told if isinstance(told, datetime) else instant(told, "iso", context.zone)
    except msgspec.ValidationError as error:
        raise UsageError(f"--source: {error}") from error
    except Unreadable as error:
        raise UsageError(f"--received-at: {error.detail}; write it like 2026-11-24T10:31:00+08:00") from error
    except (KeyError, ValueError, OSError) as error:  # of ZoneInfo
        raise UsageError(f"--source: {error}") from error
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=context.zone)
    return msgspec.structs.replace(context, received_at=now if at is None else at.astimezone(UTC))


def decode_bytes(format_name: str, payload: bytes, context: SourceContext) -> Decoded:
    if len(payload) > LIMIT_BYTES:
        detail = f"more than {LIMIT_BYTES} bytes, which no body may have"
        return Decoded(rows=[], rejects=[reject(context, b"", "too_large", detail)])
    return DECODERS[format_name](payload, context)


def lines(decoded: Decoded) -> list[bytes]:
    """One JSON object for each row, with all its fields, and for each reject."""
    found = [msgspec.json.encode({"row": _all_fields(row)}) for row in decoded.rows]
    return found + [msgspec.json.encode({"reject": _told(rejected)}) for rejected in decoded.rejects]


def summary(rows: int, reasons: Counter[str], files: int) -> str:
    parts = [f"{reason} {count}" for reason, count in sorted(reasons.items())]
    told = f" ({', '.join(parts)})" if parts else ""
    return f"{files} file{'' if files == 1 else 's'}: {rows} rows, {reasons.total()} rejects{told}"


def _all_fields(row: Row) -> dict[str, Any]:
    return msgspec.structs.asdict(row)


def _told(rejected: Reject) -> dict[str, Any]:
    told = {"reason": rejected.reason, "detail": rejected.detail, "raw": rejected.raw}
    if rejected.raw_encoding != "utf-8":
        told["raw_encoding"] = rejected.raw_encoding
    if rejected.raw_sha256 is not None:
        told["raw_sha256"] = rejected.raw_sha256  # of the whole, of which raw is the beginning
    return told


def _source_table(format_name: str, text: str) -> dict[str, Any]:
    """The one source of this format in a TOML text, with what is usual for the format where it says nothing."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--source is not TOML: {error}") from error
    found = document.get("source", document)
    tables = found if isinstance(found, list) else [found]
    if not all(isinstance(table, dict) for table in tables):
        raise UsageError("--source: source must be a table or an array of tables")
    fitting = [table for table in tables if table.get("decoder", format_name) == format_name]
    if len(fitting) != 1:
        names = ", ".join(f"{table.get('name', '?')} ({table.get('decoder', format_name)})" for table in tables)
        raise UsageError(f"--source has {len(fitting)} sources of format {format_name}, not one; in it: {names or '-'}")
    usual: dict[str, Any] = {"name": format_name, "decoder": format_name, "time_zone": ZONES[format_name]}
    usual |= {"topic": TOPICS[format_name]} if format_name in TOPICS else {}
    usual.update(fitting[0])
    return usual


def _text_of(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--source {file}: {_why(error)}") from error


def _check(file: str) -> None:
    if file == "-":
        return
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{file}: {_why(error)}") from error


def _read(file: str) -> bytes:
    """At most one byte more than is allowed, so that too much can be told from enough."""
    if file == "-":
        return sys.stdin.buffer.read(LIMIT_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(LIMIT_BYTES + 1)


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
