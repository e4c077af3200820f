"""What can be done with connectors from a command line? `python -m connectors --help` says it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from connectors.credentials import NoSecret, secret_of
from connectors.database import Database
from connectors.deadletters import Outcome, replay
from connectors.decode import decode_command
from connectors.kafka import Publisher
from connectors.lanes import NotConfirmed
from connectors.routes import RouteError, plug, state_of
from connectors.run import run, serve_metrics, stop_on_signals
from connectors.spool import SpoolBusy
from connectors.webhooks.deliver import deliver
from schemas.settings import Settings, SettingsError
from schemas.topics import TOPICS
from sql.connect import connect, read_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The city in: connectors of CitySense.")
app.command("decode")(decode_command)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Sources; all that are enabled if none.")]


@app.callback()
def connectors() -> None:
    """The city in: connectors of CitySense."""


@app.command("run")
def run_command(names: Names = None) -> None:
    """Poll, listen, publish, until Ctrl-C or SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for talkative in ("kafka", "httpx", "httpcore"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    settings = _settings()
    try:
        routes = plug(settings, names or [], _secrets(settings))
    except RouteError as error:
        _fail(str(error))
    if not routes:
        logging.warning("no [[source]] is enabled: only the clock is published")
    serve_metrics(settings.ports.connectors_metrics)

    async def running() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await run(settings, routes, _spool_dir(settings), stop)

    try:
        asyncio.run(running())
    except SpoolBusy as error:
        _fail(str(error))


@app.command("webhooks")
def webhooks_command() -> None:
    """Deliver alerts to their endpoints, until Ctrl-C or SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for talkative in ("httpx", "httpcore"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    settings = _settings()
    serve_metrics(settings.ports.webhooks_metrics)

    async def running() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await deliver(settings, stop)

    try:
        asyncio.run(running())
    except NoSecret as error:
        _fail(str(error))


@app.command("list")
def list_command() -> None:
    """All sources, and whether they can run."""
    settings = _settings()
    secrets = _secrets(settings)
    table = Table("source", "state", "transport", "decoder", "topic", "every", "from")
    for source in settings.sources:
        state = state_of(source, secrets)
        style = {"ready": "green", "off": "dim"}.get(state, "red")
        places = {
            "http_push": f"/push/{source.name} on {settings.connectors.bind}:{settings.ports.push}",
            "tcp": f"stations on {settings.connectors.bind}:{source.port}",
        }
        place = places.get(source.transport, source.url)
        table.add_row(
            source.name,
            f"[{style}]{state}[/]",
            source.transport,
            source.decoder,
            source.topic,
            f"{source.cadence_s:g} s",
            place,
        )
    Console(width=None if sys.stdout.isatty() else 220).print(table)


@app.command("deadletter-replay")
def deadletter_replay_command(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID...]", help="Letters by their id.")] = None,
    source: Annotated[str, typer.Option(help="Only of this source.")] = "",
    reason: Annotated[str, typer.Option(help="Only with this reason.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
) -> None:
    """Decode open dead letters again and publish what comes out; marked replayed when Kafka has every row.

    The exit code is 1 when letters stay open.
    """
    if not (ids or source or reason or every):
        _fail("say which: ids, --source, --reason or --all")
    settings = _settings()

    async def replaying() -> Outcome:
        publisher = Publisher(settings.bootstrap, settings.publisher, TOPICS, f"deadletters-{os.getpid()}")
        publisher.start(ticking=False)  # old rows: the clock is not ours to move
        try:
            with connect(settings.dsn("connectors")) as connection:
                by = os.environ.get("USER", "operator")
                return await replay(connection, publisher, settings, by, ids or None, source, reason)
        finally:
            await publisher.close()

    outcome = _trying(replaying)
    for letter_id, why in outcome.still_bad.items():
        typer.echo(f"letter {letter_id} stays open: {why}", err=True)
    typer.echo(f"{outcome.replayed} letters replayed as {outcome.rows} rows, {len(outcome.still_bad)} stay open")
    if outcome.still_bad:
        raise typer.Exit(1)


def _trying(work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
    try:
        return asyncio.run(work())
    except NotConfirmed as error:
        _fail(f"Kafka has not confirmed ({error}); what it did not confirm stays open, try again")
    except psycopg.OperationalError as error:
        _fail(f"the database is away: {error}")


def _settings() -> Settings:
    try:
        return read_settings()
    except (SettingsError, OSError) as error:
        _fail(str(error))


def _secrets(settings: Settings) -> Callable[[str], str]:
    database = Database(settings.dsn("connectors"))
    return lambda name: secret_of(name, settings.environ, database.ciphertext)


def _spool_dir(settings: Settings) -> Path:
    """The settings' own, else beside the state of the stack (its supervisor says where), else in the checkout."""
    if settings.connectors.spool_dir:
        return Path(settings.connectors.spool_dir)
    state = settings.environ.get("CITYSENSE_STATE_DIR")
    base = Path(state) if state else Path(__file__).parent.parent / ".local" / settings.instance
    return base / "spool"


def _fail(message: str) -> NoReturn:
    typer.echo(f"connectors: {message}", err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="connectors")
