"""Command line of the registers: `python -m sql.registers load DIR`, held, confirm, reject, unregistered."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from schemas.registers import ParkingRegister, SourceTerms
from schemas.settings import Settings
from sql.connect import Connection, connect, read_settings
from sql.registers.database import read_database, read_holds, read_water
from sql.registers.load import Loaded, decide, load, load_water, unregistered, unregistered_water
from sql.registers.read import read_register
from sql.registers.tables import PARKING, SUBDISTRICTS_GEOJSON, Catalogue, RowProblem
from sql.registers.water_read import read_water_files, whole_tables
from sql.registers.water_tables import WATER

app = typer.Typer(
    help="The registers of parking and of water: car parks and share windows, stations and thresholds.",
    no_args_is_help=True,
    add_completion=False,
)
out = Console()
Ids = Annotated[list[int], typer.Argument(help="Numbers of holds, as `held` lists them.")]
By = Annotated[str, typer.Option("--by", help="Who decides.", default_factory=getpass.getuser)]


def directory_files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}


@app.command("load")
def load_command(
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Directory of CSV files.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, write nothing.")] = False,
) -> None:
    """Load CSV files. Good rows load; each refused one is told with its line and what to do, and the exit is 1."""
    settings = read_settings()
    files = directory_files(directory)
    at = datetime.now(UTC)
    zone, box = ZoneInfo(settings.district.time_zone), settings.district.bbox
    with _database(settings) as connection, out.status("reading") as step:
        known = read_database(connection)
        given, problems = read_register(files, at=at, zone=zone, box=box, known=known)
        codes = {one.code for one in (*known.subdistricts, *given.subdistricts)}
        water, more = read_water_files(
            files, at=at, zone=zone, box=box, known=read_water(connection), subdistricts=codes or None
        )
        problems = list(dict.fromkeys([*problems, *more]))
        step.update("writing")
        loads: list[tuple[Catalogue, Loaded]] = []
        if _are_of(PARKING, files) or not _are_of(WATER, files):
            loaded = load(connection, _with_terms(given, settings), at=at, limits=settings.parking, dry_run=dry_run)
            loads.append((PARKING, loaded))
        if _are_of(WATER, files):
            loaded = load_water(connection, water, whole=whole_tables(files, problems), dry_run=dry_run)
            loads.append((WATER, loaded))
    for catalogue, loaded in loads:
        _report(catalogue, loaded, problems)
    _report_problems(problems)
    for catalogue, loaded in loads:
        _report_outcome(catalogue, loaded, dry_run)
    raise typer.Exit(1 if problems else 0)


@app.command()
def held() -> None:
    """Capacities that wait for a person: they jumped by more than a fifth, or look like a placeholder."""
    with _database(read_settings()) as connection:
        holds = read_holds(connection, all_states=False)
    if not holds:
        out.print("no capacity is held")
        return
    table = Table("id", "lot", "pool", "capacity now", "capacity given", "why", "since")
    for hold in holds:
        since = hold.at.isoformat(timespec="minutes") if hold.at else ""
        table.add_row(
            str(hold.hold_id),
            hold.lot_id,
            hold.pool,
            _number(hold.capacity_old),
            _number(hold.capacity_new),
            hold.reason,
            since,
        )
    out.print(table)
    out.print("register confirm ID...  or  register reject ID...")


@app.command()
def confirm(ids: Ids, by: By) -> None:
    """The given capacity is right: it holds from now on."""
    _decide(ids, by, is_right=True)


@app.command()
def reject(ids: Ids, by: By) -> None:
    """The given capacity is wrong: the old one stays, and the same value is not asked about again."""
    _decide(ids, by, is_right=False)


@app.command("unregistered")
def unregistered_command() -> None:
    """What reports and no row of lot_sources.csv claims: kept, not published."""
    with _database(read_settings()) as connection:
        series = unregistered(connection)
        of_water = unregistered_water(connection)
    if not series and not of_water:
        out.print("every series that reports belongs to a lot or a station")
        return
    if series:
        table = Table("source", "ref", "pool", "since", "newest", "free", "capacity")
        for source, ref, pool, first_seen, at, free, capacity in series:
            table.add_row(source, ref, pool, _minute(first_seen), _second(at), _number(free), _number(capacity))
        out.print(table)
    if of_water:
        table = Table("source", "station", "element", "since", "newest", "value")
        for source, station, element, first_seen, at, value in of_water:
            table.add_row(source, station, element, _minute(first_seen), _second(at), _number(value))
        out.print(table)


def _database(settings: Settings) -> Connection:
    try:
        return connect(settings.dsn("owner"))
    except psycopg.OperationalError as error:
        out.print(f"[red]the database is not there:[/red] {error}\nstart it with ./citysense up")
        raise typer.Exit(2) from error


def _with_terms(given: ParkingRegister, settings: Settings) -> ParkingRegister:
    """Licence and attribution of [[source]] tables stand in for rows that source_terms.csv does not have."""
    told = {terms.source for terms in given.source_terms}
    more = tuple(
        SourceTerms(source=s.name, licence=s.licence, attribution=s.attribution, url=s.attribution_url or None)
        for s in settings.sources
        if s.licence and s.name not in told
    )
    return msgspec.structs.replace(given, source_terms=(*given.source_terms, *more))


def _are_of(catalogue: Catalogue, files: Mapping[str, bytes]) -> bool:
    named = {table.file for table in catalogue.tables}
    return any(name in named or (catalogue is PARKING and name == SUBDISTRICTS_GEOJSON) for name in files)


def _report(catalogue: Catalogue, loaded: Loaded, problems: list[RowProblem]) -> None:
    plan = loaded.plan
    table = Table(catalogue.name, "new rows", "closed versions", "removed", "unchanged", "refused rows")
    for entry in catalogue.tables:
        new = len(plan.inserts.get(entry.name, ())) + len(plan.upserts.get(entry.name, ()))
        closed = sum(close.table == entry.name for close in plan.closes)
        removed = len(plan.deletes.get(entry.name, ()))
        names = (entry.file, SUBDISTRICTS_GEOJSON) if entry.name == "subdistricts" else (entry.file,)
        refused = len({(problem.file, problem.line) for problem in problems if problem.file in names})
        numbers = (new, closed, removed, plan.unchanged.get(entry.name, 0), refused)
        table.add_row(entry.name, *(str(number) for number in numbers))
    out.print(table)


def _report_problems(problems: list[RowProblem]) -> None:
    if not problems:
        return
    report = Table("file", "line", "column", "value", "what is wrong", "what to do", title="refused")
    for problem in problems[:500]:
        line = str(problem.line) if problem.line else ""
        report.add_row(problem.file, line, problem.field, problem.value, problem.problem, problem.advice)
    out.print(report)
    if len(problems) > 500:
        out.print(f"... and {len(problems) - 500} more")


def _report_outcome(catalogue: Catalogue, loaded: Loaded, dry_run: bool) -> None:
    plan = loaded.plan
    waiting = len(plan.holds) + plan.still_held
    if waiting:
        out.print(f"[yellow]{waiting} capacities are held for confirmation:[/yellow] register held")
    if plan.rejected_before:
        out.print(f"{plan.rejected_before} capacities were rejected before and stay as they are")
    if dry_run:
        out.print(f"{catalogue.name}: dry run: nothing was written")
    elif loaded.version is None:
        out.print(f"{catalogue.name}: nothing changed")
    else:
        out.print(f"{catalogue.name}: the register is now version {loaded.version}")


def _decide(ids: list[int], by: str, *, is_right: bool) -> None:
    with _database(read_settings()) as connection:
        decisions = decide(connection, ids, confirm=is_right, at=datetime.now(UTC), by=by)
    for decision in decisions:
        out.print(f"{'done' if decision.done else '[red]not done[/red]'}: {decision.hold_id}: {decision.detail}")
    if not all(decision.done for decision in decisions):
        raise typer.Exit(1)


def _number(value: float | None) -> str:
    return "unknown" if value is None else str(value)


def _minute(at: datetime) -> str:
    return at.isoformat(timespec="minutes")


def _second(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def main() -> None:
    try:
        app()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        out.print("[red]the database has the schema of another release:[/red]", str(error).partition("\n")[0])
        out.print("./citysense migrate brings it to this one")
        sys.exit(2)


if __name__ == "__main__":
    main()
