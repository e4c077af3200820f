"""Work with what comes in and what is kept: decode, replay, register, deadletter."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.table import Table

from deploy.commands.shared import hand_over, part, part_environment, screen, settings_now, steps, teach
from deploy.local import platform, supervision
from deploy.local.credentials import with_environment
from deploy.local.places import places
from deploy.local.progress import StackError
from schemas.settings import Settings

WITH_VALUE = (
    "--at",
    "--registers",
    "--from",
    "--to",
    "--thresholds",
    "--picture",
    "--at-most",
)  # the options of the replay that have one
FRAMES = {b"7E7E": "sl651", b"##": "hj212", b"68": "szy206"}  # how recorded frames of water begin, hex or text
FOR_DECODE = ("--format", "-F", "--source", "--received-at")  # the options of replay that the decoder takes

GROUPS = """
    select source, reason, count(*), date_trunc('second', max(at)) from dead_letter
    where (%(every)s or state = 'open')
      and (%(source)s = '' or source = %(source)s) and (%(reason)s = '' or reason = %(reason)s)
    group by 1, 2 order by 3 desc limit 20"""
LETTERS = """
    select letter_id, date_trunc('second', at), state, source, reason, left(detail, 120)
    from dead_letter
    where (%(every)s or state = 'open')
      and (%(source)s = '' or source = %(source)s) and (%(reason)s = '' or reason = %(reason)s)
    order by letter_id desc limit %(limit)s"""


def decode(context: typer.Context) -> None:
    """Turn payload files into rows and rejects, one JSON object a line; nothing is stored.

    [bold]./citysense decode hdb payload.json[/]
    [bold]./citysense decode datex2 status.xml --source basel.toml --received-at 2026-01-05T08:00:00Z[/]
    """
    teach(context, *part("connectors", "decode"))
    hand_over(part("connectors", "decode", *context.args), part_environment(settings_now()))


def replay(context: typer.Context) -> None:
    """What the feed would have said: recorded payloads through the same decoder and folds, without Kafka or database.

    [bold]./citysense replay parking payload.json --format hdb --at 2026-01-05T08:01:00Z[/]
    [bold]./citysense replay parking day/*.xml --format datex2 --source basel.toml --registers registers/ --json[/]
    [bold]./citysense replay parking --from 2026-01-05T08:00+08:00 --to 2026-01-05T09:00+08:00[/]   of the database
    [bold]./citysense replay water river.csv --thresholds thresholds.csv[/]   which alerts other thresholds had raised
    [bold]./citysense replay water frames.hex --thresholds thresholds.csv --json[/]   recorded frames, one a line
    [bold]./citysense replay water --from 2026-06-01 --to 2026-07-01 --thresholds thresholds.csv[/]   last June
    """
    teach(context, *part("streams", "replay", "water" if "water" in context.args else "parking"))
    domain, files, decoding, replaying = _sorted_out(context.args)
    if not files or not decoding[0]:
        hand_over(part("streams", "replay", domain, *files, *replaying), part_environment(settings_now(), "streams"))
    environ = part_environment(settings_now())
    decoder = subprocess.Popen(part("connectors", "decode", *decoding, *files), env=environ, stdout=subprocess.PIPE)
    player = subprocess.Popen(part("streams", "replay", domain, *replaying), env=environ, stdin=decoder.stdout)
    if decoder.stdout:
        decoder.stdout.close()  # the player alone holds it: when that ends, the decoder ends too
    played, undecoded = player.wait(), decoder.wait()
    raise typer.Exit(played or undecoded)


def _sorted_out(arguments: list[str]) -> tuple[str, list[str], list[str], list[str]]:
    """The domain, the files, and the options of either half.

    Raises StackError when the domain or the format is missing.
    """
    words, decoding, replaying = [], [], []
    form = ""
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if name in FOR_DECODE:
            value = value if equals else next(rest, "")
            if name in ("--format", "-F"):
                form = value
            else:
                decoding += [name, value]
        else:
            replaying.append(word)
            if not equals and name in WITH_VALUE:
                replaying.append(next(rest, ""))
    at = _value_of("--at", replaying)
    if at and not _value_of("--received-at", decoding):
        decoding += ["--received-at", at]  # a recording that does not say when it was received was so by then
    if words[:1] == ["water"] and words[1:] and not form:
        form = _frames_of(words[1])
    elif not words or bool(words[1:]) != bool(form):
        raise StackError("say what to replay: ./citysense replay parking FILE... --format FORMAT [--at TIME] [--json]")
    return words[0], words[1:], [form, *decoding], replaying


def _frames_of(file: str) -> str:
    """The format of recorded frames; none: the file is read by the replay itself (a hydrograph, decoded rows)."""
    try:
        head = b"" if file == "-" else Path(file).read_bytes()[:64].lstrip().upper()
    except OSError as error:
        raise StackError(f"{file}: {error.strerror}") from error
    return next((form for begin, form in FRAMES.items() if head.startswith(begin)), "")


def _value_of(option: str, arguments: list[str]) -> str:
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else "".join(arguments[index + 1 : index + 2])
    return ""


def register(context: typer.Context) -> None:
    """The registers: car parks, prices, share windows, calendar; stations, thresholds, the pipe network.

    [bold]./citysense register load FOLDER[/]       CSV files, with a report row by row
    [bold]./citysense register held[/]              changes that wait for a person (a capacity that jumped)
    [bold]./citysense register confirm ID[/]        let a held change in
    [bold]./citysense register reject ID[/]         throw it away
    [bold]./citysense register unregistered[/]      what reports and no register claims
    """
    if context.args[:1] in ([], ["--help"]):
        context.args = ["--help"]
        teach(context, *part("sql.registers"))
    hand_over(part("sql.registers", *context.args), part_environment(settings_now(), "owner"))


deadletter = typer.Typer(help="Rows that could not be used: look at them, mend the cause, send them again.")


@deadletter.command("list")
def deadletter_list(
    source: Annotated[str, typer.Option(help="Only of this source.")] = "",
    reason: Annotated[str, typer.Option(help="Only with this reason.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Those replayed or dropped too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """The newest ones, and how many there are of each reason.

    [bold]./citysense deadletter list --source basel --reason "not a number"[/]
    """
    values = {"source": source, "reason": reason, "every": every, "limit": limit}
    with _as_ops(with_environment(settings_now())) as connection:
        groups = connection.execute(GROUPS, values).fetchall()
        rows = connection.execute(LETTERS, values).fetchall()
    if not rows:
        screen.print("No dead letters.")
        return
    _print(("source", "reason", "letters", "newest"), groups)
    _print(("id", "at", "state", "source", "reason", "detail"), rows)
    screen.print("./citysense deadletter show ID  has the whole of one,  replay ID...  sends them again.")


@deadletter.command("show")
def deadletter_show(letter: Annotated[int, typer.Argument(help="Its id, from `deadletter list`.")]) -> None:
    """One letter, with the raw row or payload that it is about."""
    with _as_ops(with_environment(settings_now())) as connection:
        cursor = connection.execute("select * from dead_letter where letter_id = %s", (letter,))
        row = cursor.fetchone()
        names = [column.name for column in cursor.description or ()]
    if row is None:
        raise StackError(f"there is no dead letter {letter}: ./citysense deadletter list --all")
    for name, value in zip(names, row, strict=True):
        shown = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        screen.print(f"[bold]{name}[/]: ", end="")
        screen.print(str(shown), markup=False, soft_wrap=True)


@deadletter.command("replay", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def deadletter_replay(context: typer.Context) -> None:
    """Decode them again with today's decoder and publish what comes out; a letter is closed when Kafka has its rows.

    [bold]./citysense deadletter replay 17 18[/]
    [bold]./citysense deadletter replay --source basel[/]
    """
    environ = part_environment(settings_now(), "connectors", holds_secrets=True)
    hand_over(part("connectors", "deadletter-replay", *context.args), environ)


@deadletter.command("resume")
def deadletter_resume(
    topic: Annotated[str, typer.Argument(help="The topic that a flood of dead letters stopped.")],
) -> None:
    """Let a stopped topic go on: its cause is mended. Each row that still fails becomes a dead letter again.

    [bold]./citysense deadletter resume parking.observations[/]
    """
    settings = with_environment(settings_now())
    with psycopg.connect(settings.dsn("owner"), connect_timeout=5) as connection:
        closed = connection.execute(
            "update stream_incident set closed_at = now()"
            " where topic = %s and kind = 'poison_stop' and closed_at is null returning incident_id",
            (topic,),
        ).fetchall()
    if not closed:
        raise StackError(f"{topic} is not stopped by dead letters: ./citysense doctor names those that are")
    running = [name for name, state in supervision.states(places(settings)).items() if name == "worker" and state.pid]
    if running:
        supervision.stop(places(settings), running)
        platform.start_again(settings, steps(), running)
    screen.print(f"{topic} goes on{'' if running else ' when the worker is started'}.")


def _as_ops(settings: Settings) -> psycopg.Connection:
    try:
        return psycopg.connect(settings.dsn("ops"), connect_timeout=5)
    except psycopg.OperationalError as error:
        raise StackError(
            f"the database does not answer: {error}\n`./citysense status` tells whether it runs."
        ) from error


def _print(headings: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    table = Table(*headings)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    screen.print(table)
