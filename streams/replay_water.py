"""What would have been alerted? Recorded readings under the thresholds of a file, through the folds of water."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import pandas as pd
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from schemas.water import StationReading
from schemas.water_registers import Threshold
from sql.connect import read_settings
from streams.water.picture import HEIGHT, document, sparkline, svg
from streams.water.rehearsal import (
    FileError,
    in_order_of_arrival,
    is_recording,
    judged_element,
    read_hydrograph,
    read_thresholds,
    register_of,
)
from streams.water.replay import Replayed, Rise, replay
from streams.water.sentences import COLOUR_EN

NOTHING = msgspec.Raw()
PICTURED = 12  # series in a picture; more are named


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
) -> None:
    """The alerts that these readings raise under these thresholds; nothing is sent, nothing is written.

    Without files, rows of `connectors decode` come on standard input.
    """
    try:
        rows, rejects = read(files or ["-"])
        levels = [] if thresholds is None else read_thresholds(thresholds.read_text("utf-8-sig"), thresholds.name)
        _check(rows, levels)
    except (FileError, OSError, UnicodeDecodeError) as error:
        typer.echo(f"replay: {error}", err=True)
        raise typer.Exit(2) from error
    zone = ZoneInfo(read_settings().district.time_zone)
    played = replay(rows, register_of(rows, levels), zone)
    if rejects:
        typer.echo(f"{rejects} rejects were passed over", err=True)
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
        typer.echo(scores(played), err=True)
        return
    _print(played, zone)


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
    crossings = pd.DataFrame([msgspec.to_builtins(each) for each in played.crossings])
    episodes = len(played.episodes)
    withdrawn = sum(rise.withdrawn for rise in played.rises)
    lines = [
        f"{episodes} alerts, {played.flapped} flapped; {len(played.rises)} rises of level went out, "
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


def _in_order(rises: Iterable[Rise]) -> list[Rise]:
    return sorted(rises, key=lambda rise: (rise.raised_at, rise.alert_id, rise.revision, COLOUR_EN.index(rise.level)))


def _print(played: Replayed, zone: ZoneInfo) -> None:
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
    for shown in played.shown[:PICTURED]:
        if shown.ats:
            own = [episode for name, episode in played.episodes if name == shown.rules.station_id]
            typer.echo(f"{shown.rules.station_id} {shown.rules.element}")
            typer.echo(sparkline(shown, own, min(max(console.width - 20, 40), 160), console.is_terminal))
    typer.echo(scores(played))


def _svg(played: Replayed, zone: ZoneInfo) -> str:
    panels = []
    for place, shown in enumerate([each for each in played.shown if each.ats][:PICTURED]):
        own = [episode for name, episode in played.episodes if name == shown.rules.station_id]
        panels.append(svg(shown, own, zone, place * HEIGHT))
    return document(panels)
