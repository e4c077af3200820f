"""What would the feed have said? Decoded rows, or a range of the database, through the same minutes. Writes nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from schemas.minute import LotMinute
from schemas.parking import Observation
from schemas.registers import ParkingRegister, ShareWindowChange
from schemas.settings import Settings
from sql.connect import connect, read_settings
from sql.registers import read_database, read_register
from streams.parking.due import ceil_minute
from streams.parking.minute import MinuteResult
from streams.parking.playback import minutes, with_changes
from streams.parking.replay_store import load_rows
from streams.replay_water import water

app = typer.Typer(
    help="What would the feed have said? Rows in, lots out; no Kafka, nothing is written.", no_args_is_help=True
)
RUN_UP = timedelta(hours=1)  # minutes before the one that is printed: dwell and trend come from them
HEARD_BEFORE = timedelta(hours=3)  # of a range of the database: rows from before it that still count in it


NOTHING = msgspec.Raw()


class _Line(msgspec.Struct):
    """A line of `connectors decode`: a row or a reject; or a bare row, then both are missing."""

    row: msgspec.Raw = NOTHING
    reject: msgspec.Raw = NOTHING
    window_id: str | None = None


class UsageError(ValueError):
    """What was asked cannot be done; the message says what to mend."""


class Heard(msgspec.Struct):
    rows: list[Observation] = msgspec.field(default_factory=list)
    changes: list[ShareWindowChange] = msgspec.field(default_factory=list)
    rejects: int = 0


app.command(name="water")(water)


@app.callback()
def replay() -> None:
    """Rows in, lots out; no Kafka, nothing is written."""


@app.command()
def parking(
    at: Annotated[str, typer.Option(help="The minute to print, RFC 3339. Default: the last one.")] = "",
    registers: Annotated[Path | None, typer.Option(help="Directory of the register's CSV files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")] = False,
    every: Annotated[bool, typer.Option("--every", help="Print every minute on the way, not only the last.")] = False,
    since: Annotated[str, typer.Option("--from", help="First minute. With --to: of the database's log.")] = "",
    until: Annotated[str, typer.Option("--to", help="Read the database's log up to here, not standard input.")] = "",
) -> None:
    """The status of every lot at a time, from rows of `connectors decode` on standard input or from the database.

    Without --registers (and without a database) every source and id is a lot of its own.
    """
    settings = read_settings()
    try:
        found = (
            _from_database(settings, since, until, at, registers)
            if until
            else _from_input(settings, since, at, registers)
        )
        printed = list(found) if every else _last(found)
    except UsageError as error:
        typer.echo(f"replay: {error}", err=True)
        raise typer.Exit(2) from error
    except psycopg.OperationalError as error:
        typer.echo(f"replay: the database is away: {error}", err=True)
        raise typer.Exit(1) from error
    zone = ZoneInfo(settings.district.time_zone)
    for result in printed:
        _print(result, zone, as_json)


def _from_input(settings: Settings, since: str, at: str, registers: Path | None) -> Iterator[MinuteResult]:
    heard = read_lines(sys.stdin.buffer)
    if heard.rejects:
        typer.echo(f"{heard.rejects} rejects were passed over", err=True)
    if not heard.rows:
        raise UsageError("there are no observations: pipe `connectors decode` in, or give --from and --to")
    received = [row.received_at for row in heard.rows]
    last = _instant("--at", at) if at else ceil_minute(max(received))
    first = _instant("--from", since) if since else max(min(received), last - RUN_UP)
    register = _read_registers(registers, settings) if registers else ParkingRegister()
    return _minutes(settings, heard.rows, with_changes(register, heard.changes), min(first, last), last)


def _from_database(
    settings: Settings, since: str, until: str, at: str, registers: Path | None
) -> Iterator[MinuteResult]:
    last = _instant("--at", at) if at else _instant("--to", until)
    first = _instant("--from", since) if since else last - RUN_UP
    with closing(connect(settings.dsn("streams"))) as connection:
        rows = load_rows(connection, first - HEARD_BEFORE, min(last, _instant("--to", until)))
        register = _read_registers(registers, settings) if registers else read_database(connection)
    return _minutes(settings, rows, register, first, last)


def _minutes(
    settings: Settings, rows: list[Observation], register: ParkingRegister, first: datetime, last: datetime
) -> Iterator[MinuteResult]:
    floor = last.replace(second=0, microsecond=0)
    return minutes(
        rows,
        register,
        min(first, floor),
        floor,
        settings.parking,
        settings.district,
        {source.name: source.authoritative for source in settings.sources},
        {source.name: source.cadence_s for source in settings.sources},
    )


def read_lines(lines: Iterable[bytes]) -> Heard:
    """Rows of observations and share windows. Raises UsageError that names the line that is neither."""
    heard = Heard()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            outer = msgspec.json.decode(line, type=_Line)
            if bytes(outer.reject):
                heard.rejects += 1
                continue
            raw = bytes(outer.row) or line
            if msgspec.json.decode(raw, type=_Line).window_id is None:
                heard.rows.append(msgspec.json.decode(raw, type=Observation))
            else:
                heard.changes.append(msgspec.json.decode(raw, type=ShareWindowChange))
        except msgspec.MsgspecError as error:
            raise UsageError(f"line {number}: {error}") from error
    return heard


def published(lot: LotMinute, zone: ZoneInfo) -> dict[str, Any]:
    """The fields of a lot that are published, times in the district's zone; the next minute's state is left out."""
    fields = {name: getattr(lot, name) for name in lot.__struct_fields__ if name not in ("state", "revision")}
    plain: dict[str, Any] = _local(msgspec.to_builtins(fields, builtin_types=(datetime,)), zone)
    return plain


def _local(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, dict):
        return {key: _local(item, zone) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_local(item, zone) for item in value]
    return value


def _print(result: MinuteResult, zone: ZoneInfo, as_json: bool) -> None:
    if as_json:
        for lot in result.lots:
            sys.stdout.buffer.write(msgspec.json.encode(published(lot, zone)) + b"\n")
        sys.stdout.buffer.flush()
        return
    minute = result.lots[0].minute.astimezone(zone).isoformat() if result.lots else "no lots"
    table = Table(title=minute, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("lot", "status", "available", "capacity", "freshness", "observed", "trend", "reason", "flags"):
        whole = heading in ("lot", "status", "available")  # what a narrow terminal must not cut
        table.add_column(heading, justify="right" if heading in ("available", "capacity") else "left", no_wrap=whole)
    for lot in result.lots:
        observed = "" if lot.observed_at is None else f"{lot.observed_at.astimezone(zone):%m-%d %H:%M:%S}"
        table.add_row(
            lot.lot_id, lot.status, _number(lot.available), _number(lot.capacity), lot.freshness, observed,
            lot.trend or "", lot.reason or "", ", ".join(lot.flags),
        )  # fmt: skip
    Console().print(table)
    counts = Counter(lot.status for lot in result.lots)
    typer.echo(f"{len(result.lots)} lots: " + ", ".join(f"{counts[word]} {word}" for word in sorted(counts)), err=True)


def _number(value: int | None) -> str:
    return "–" if value is None else str(value)


def _last(results: Iterator[MinuteResult]) -> list[MinuteResult]:
    last: list[MinuteResult] = []
    for result in results:
        last = [result]
    return last


def _instant(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error
    if at.tzinfo is None:
        raise UsageError(f"{name} {text}: say the zone too, as in 2026-11-24T10:30:00+08:00")
    return at


def _read_registers(directory: Path, settings: Settings) -> ParkingRegister:
    if not directory.is_dir():
        raise UsageError(f"--registers {directory}: there is no such directory")
    files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}
    register, problems = read_register(files, zone=ZoneInfo(settings.district.time_zone), box=settings.district.bbox)
    for problem in problems:
        typer.echo(f"{problem.file}:{problem.line} {problem.field}: {problem.problem}", err=True)
    return register


if __name__ == "__main__":
    app()
