"""What would have been alerted? Recorded readings under the thresholds of a file, through the folds of water."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from schemas.water import StationReading
from schemas.water_registers import Threshold, WaterRegister
from sql.connect import read_settings
from streams.replay_range import Range, range_of, register_files, replay_range
from streams.water.danger import Episode
from streams.water.picture import HEIGHT, document, sparkline, svg
from streams.water.rehearsal import (
    FileError,
    in_order_of_arrival,
    is_recording,
    judged_element,
    read_hydrograph,
    read_thresholds,
    register_of,
    with_thresholds,
)
from streams.water.replay import Replayed, Shown, replay
from streams.water.rises import Rise
from streams.water.sentences import COLOUR_EN
from streams.water.summaries import summaries

NOTHING = msgspec.Raw()
PICTURED = 12  # series in a picture, those with alerts first
AT_MOST = 20_000_000  # readings: three months of the district's levels, and minutes of work
SUMMARIES = 40  # thresholds; of more only those that something is to be said of are told one by one


class _Line(msgspec.Struct):
    """A line of `connectors decode`: a row or a reject; or a bare row, whose element tells it from a station's test."""

    row: msgspec.Raw = NOTHING
    reject: msgspec.Raw = NOTHING
    element: str | None = None


def water(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="time,station,element,value in order of arrival, or decoded rows."),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(help="CSV: station,element,level,on,off,confirm,hold_min,source.", exists=True, dir_okay=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One rise of level a line, as JSON.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write a picture (SVG) to this file.")] = None,
    since: Annotated[str, typer.Option("--from", help="With --to: what the database received from then on.")] = "",
    until: Annotated[str, typer.Option("--to", help="Read the database's log up to here (exclusive).")] = "",
    registers: Annotated[
        Path | None,
        typer.Option(help="Directory of the register's CSV files, instead of the database's.", exists=True),
    ] = None,
    at_most: Annotated[int, typer.Option(help="Readings of the database; more are refused.", min=1)] = AT_MOST,
) -> None:
    """The alerts that these readings raise under these thresholds; nothing is sent, nothing is written.

    Without files, rows of `connectors decode` come on standard input. With --from and --to the readings are those that
    the database received in that time, under its registers as they were, unless --thresholds or --registers replace
    them. Times without an offset are the district's.
    """
    settings = read_settings()
    zone = ZoneInfo(settings.district.time_zone)
    try:
        levels = [] if thresholds is None else read_thresholds(thresholds.read_text("utf-8-sig"), thresholds.name)
        register = None if registers is None else register_files(registers, settings, _say)
        if since or until:
            if files:
                raise FileError("give files, or a range of the database with --from and --to, not both")
            asked = range_of(since, until, zone, _say)
            played = replay_range(settings, asked, levels, register, at_most, _say)
            title = _title(asked, zone)
        else:
            played, title = _of_files(files or ["-"], levels, register, zone), ""
    except (FileError, OSError, UnicodeDecodeError) as error:
        typer.echo(f"replay: {error}", err=True)
        raise typer.Exit(2) from error
    except psycopg.OperationalError as error:
        typer.echo(f"replay: the database is away: {str(error).strip()}", err=True)
        raise typer.Exit(1) from error
    if picture is not None:
        picture.write_text(_svg(played, zone), encoding="utf-8")
    if as_json:
        for rise in _in_order(played.rises):
            local = {"raised_at": rise.raised_at, "observed_at": rise.observed_at, "ended_at": rise.ended_at}
            plain = msgspec.to_builtins(rise) | {
                name: None if at is None else at.astimezone(zone).isoformat() for name, at in local.items()
            }
            sys.stdout.buffer.write(msgspec.json.encode(plain) + b"\n")
        sys.stdout.buffer.flush()
        typer.echo(title + scores(played), err=True)
        return
    _print(played, zone, title)


def _say(text: str) -> None:
    typer.echo(f"replay: {text}", err=True)


def _title(asked: Range, zone: ZoneInfo) -> str:
    since, until = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (asked.since, asked.until))
    return f"{since} to {until} ({zone.key}):\n"


def _of_files(files: list[str], levels: list[Threshold], register: WaterRegister | None, zone: ZoneInfo) -> Replayed:
    """Raises FileError, OSError, UnicodeDecodeError."""
    rows, rejects = read(files)
    if rejects:
        typer.echo(f"{rejects} rejects were passed over", err=True)
    if register is None:
        _check(rows, levels)
        return replay(rows, register_of(rows, levels), zone)
    played = replay(rows, with_thresholds(register, levels) if levels else register, zone)
    if played.readings == played.unjudged:
        raise FileError("no reading is of a station of the register: are its `source` and `station` those of the file?")
    return played


def read(files: Iterable[str]) -> tuple[list[StationReading], int]:
    """Readings of all files in their order, and how many rejects were among them. Raises FileError, OSError."""
    rows: list[StationReading] = []
    rejects = 0
    for file in files:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        name = "standard input" if file == "-" else Path(file).name
        if raw.lstrip()[:1] == b"{":
            decoded: list[StationReading] = []
            rejects += _read_lines(raw, name, decoded)
            rows += in_order_of_arrival(decoded) if is_recording(decoded) else decoded
        elif raw.strip():
            heard = max((row.received_at for row in rows), default=None)
            text = raw.decode("utf-8-sig")
            rows += read_hydrograph(text, name, "hydrograph", *([] if heard is None else [heard]))
    return rows, rejects


def _read_lines(raw: bytes, name: str, rows: list[StationReading]) -> int:
    rejects = 0
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            outer = msgspec.json.decode(line, type=_Line)
            if bytes(outer.reject):
                rejects += 1
                continue
            row = bytes(outer.row) or line
            if msgspec.json.decode(row, type=_Line).element is not None:
                rows.append(msgspec.json.decode(row, type=StationReading))
        except msgspec.MsgspecError as error:
            raise FileError(f"{name}:{number}: {error}") from error
    return rejects


def _check(rows: list[StationReading], thresholds: list[Threshold]) -> None:
    if not rows:
        raise FileError("there are no readings")
    if not thresholds:
        raise FileError("no thresholds: give --thresholds CSV")
    known = {(row.station, str(row.element)) for row in rows}
    wanted = {(each.station_id, judged_element(each.element)) for each in thresholds}
    unknown = [f"{station} {element}" for station, element in sorted(wanted - known)]
    if unknown:
        typer.echo(f"no reading is of {', '.join(unknown)}", err=True)
    if len(unknown) == len(wanted):
        there = ", ".join(f"{station} {element}" for station, element in sorted(known)[:10])
        raise FileError(f"the thresholds are of other stations or elements; the readings are of {there}")


def scores(played: Replayed) -> str:
    """How good it was: crossings told, missed and false, and how long they took, in words for an officer."""
    import pandas as pd  # here: workers and sweeps load this module too, and have no memory for it

    crossings = pd.DataFrame([msgspec.to_builtins(each) for each in played.crossings])
    episodes = len(played.episodes)
    withdrawn = sum(rise.withdrawn for rise in played.rises)
    lines = _summary_lines(played)
    lines += [
        f"in all {episodes} alerts, {played.flapped} flapped; {len(played.rises)} rises of level went out, "
        f"{withdrawn} of them withdrawn (false)"
    ]
    if len(crossings):
        counts = crossings.groupby(["station", "level", "found"]).size().unstack(fill_value=0)
        for found in ("hit", "missed", "unconfirmed"):
            if found not in counts:
                counts[found] = 0
        counts = counts[["hit", "missed", "unconfirmed"]].reset_index()
        counts["level"] = [COLOUR_EN[level] for level in counts["level"]]
        lines.append("crossings of the good samples:")
        lines.append(counts.to_string(index=False))
        delays = crossings["delay_min"].dropna()
        if len(delays):
            spread = delays.quantile([0.0, 0.5, 0.9, 1.0])
            told = zip(("least", "median", "p90", "most"), spread, strict=True)
            lines.append("delay from crossing to alert, minutes: " + ", ".join(f"{word} {q:.1f}" for word, q in told))
    for name, outlook in sorted(played.outlooks.items()):
        lead = f", lead {pd.Series(outlook.leads_min).median():.1f} min (median)" if outlook.leads_min else ""
        off = "" if outlook.is_told else "; switched off here"
        lines.append(f"forecasts, {name}: {outlook.hits} came true, {outlook.false} did not{lead}{off}")
    flags = pd.Series([mark.tests for shown in played.shown for mark in shown.marks], dtype=str).value_counts()
    if len(flags):
        lines.append("samples that are not good: " + ", ".join(f"{n} {test or 'missing'}" for test, n in flags.items()))
    lines.append(f"{played.readings} readings, {played.unjudged} of series without thresholds")
    return "\n".join(lines)


def _summary_lines(played: Replayed) -> list[str]:
    """One for each threshold; of many only for those that something is to be said of."""
    every = summaries(played)
    told = [each for each in every if each.has_news or not each.samples] if len(every) > SUMMARIES else every
    lines = [each.text() for each in told]
    if len(told) < len(every):
        lines.append(f"{len(every) - len(told)} other thresholds: 0 alerts")
    return lines


def _in_order(rises: Iterable[Rise]) -> list[Rise]:
    return sorted(rises, key=lambda rise: (rise.raised_at, rise.alert_id, rise.revision, COLOUR_EN.index(rise.level)))


def _print(played: Replayed, zone: ZoneInfo, title: str) -> None:
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("station", "level", "raised", "observed", "ended", "peak", "notes"):
        table.add_column(heading, justify="right" if heading == "peak" else "left")
    for rise in _in_order(played.rises):
        notes = [name for name in ("delayed", "retrospective", "withdrawn", "flapping") if getattr(rise, name)]
        ended = "" if rise.ended_at is None else f"{rise.ended_at.astimezone(zone):%m-%d %H:%M}"
        table.add_row(
            rise.station, rise.level, f"{rise.raised_at.astimezone(zone):%m-%d %H:%M}",
            f"{rise.observed_at.astimezone(zone):%m-%d %H:%M}", ended, f"{rise.peak:.2f}", ", ".join(notes),
        )  # fmt: skip
    console.print(table if played.rises else "No alert.")
    for shown, own in _pictured(played):
        typer.echo(f"{shown.rules.station_id} {shown.rules.element}")
        typer.echo(sparkline(shown, own, min(max(console.width - 20, 40), 160), console.is_terminal))
    typer.echo(title + scores(played))


def _svg(played: Replayed, zone: ZoneInfo) -> str:
    return document([svg(shown, own, zone, place * HEIGHT) for place, (shown, own) in enumerate(_pictured(played))])


def _pictured(played: Replayed) -> list[tuple[Shown, list[Episode]]]:
    """The series to look at and the alerts of each; those that had any come first."""
    found = []
    for shown in played.shown:
        own = [episode for name, episode in played.episodes if name == shown.rules.station_id]
        is_judged = any(period.hazards for period in shown.rules.periods)
        if len(shown.ats) and is_judged:
            found.append((shown, own))
    return sorted(found, key=lambda each: not each[1])[:PICTURED]
