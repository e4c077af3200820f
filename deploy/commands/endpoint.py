"""Who is told about alerts: endpoint add, list, test, rotate, log, replay, and what a person does after a 410."""

from __future__ import annotations

import getpass
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import typer
from cryptography.fernet import Fernet
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from connectors.webhooks import endpoints
from connectors.webhooks.endpoints import Draft, EndpointError
from deploy.commands.shared import notes, screen, settings_now
from deploy.local.credentials import SECRET_KEY, with_environment
from deploy.local.progress import StackError
from schemas.alerts import COLOURS
from schemas.settings import Settings
from sql.connect import Connection, connect

LEVELS = {colour: level for level, colour in COLOURS.items()}
OUTCOME_WITHIN_S = 30.0
ATTEMPT_WITHIN_S = 10.0  # a sender that runs is woken at once
LOOK_S = 0.2
WIDE = 130  # a terminal of so many columns is told the last attempt and the alert's id too
STYLES = {"blue": "blue", "yellow": "yellow", "orange": "dark_orange", "red": "red"}

endpoint = typer.Typer(help="Who is told about alerts: addresses, secrets, what was delivered.")
Name = Annotated[str, typer.Argument(help="Its name, from `endpoint list`.")]
Colour = Literal["blue", "yellow", "orange", "red"]


@endpoint.command("add")
def add(
    name: Annotated[str, typer.Argument(help="How we call it: small letters, digits, dashes.")],
    url: Annotated[str, typer.Argument(help="https address that takes the messages.")],
    fallback: Annotated[str, typer.Option(help="A second address, taken when the first fails for 30 s.")] = "",
    form: Annotated[Literal["cloudevent", "cap"], typer.Option(help="What the body is.")] = "cloudevent",
    gb_prefix: Annotated[
        str, typer.Option(help="Identifiers as GB/T 35965: area, industry, unit, extension in 14 characters.")
    ] = "",
    domain: Annotated[list[str] | None, typer.Option(help="Only alerts of this domain; several are possible.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only alerts of this kind; several are possible.")] = None,
    level: Annotated[Colour, typer.Option(help="From this level on.")] = "blue",
    allow: Annotated[
        list[str] | None, typer.Option(help="A network that is not public, on which it may be: 10.20.0.0/16.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of the authority that signed its certificate.")] = None,
    expire_h: Annotated[float, typer.Option(help="Hours after which an undelivered alert is given up.")] = 24.0,
    heartbeat: Annotated[bool, typer.Option(help="Tell it every minute how many alerts are active.")] = True,
) -> None:
    """Tell somebody about alerts from now on; prints the secret that signs, once.

    [bold]./citysense endpoint add water-authority https://alerts.water.example/in --domain water --level yellow[/]
    [bold]./citysense endpoint add duty http://10.20.0.5/hook --allow 10.20.0.0/16 --form cap[/]
    """
    draft = Draft(
        name=name,
        url=url,
        fallback_url=fallback or None,
        form=form,
        gb_prefix=gb_prefix or None,
        domains=tuple(domain or ()),
        kinds=tuple(kind or ()),
        min_level=LEVELS[level],
        allowed=tuple(allow or ()),
        ca_pem=ca.read_text(encoding="utf-8") if ca else None,
        expire_s=int(expire_h * 3600),
        heartbeat=heartbeat,
    )
    with _as_owner() as (connection, settings):
        secret = endpoints.add(connection, draft, _key(settings), getpass.getuser())
    notes.print(f"{name} is told from now on, of what is active first. Its secret, which is not shown again:")
    screen.print(secret, markup=False)
    notes.print(f"./citysense endpoint test {name}  tries it.")


@endpoint.command("list")
def list_() -> None:
    """All endpoints and how they fare."""
    with _as_owner() as (connection, _):
        rows = endpoints.listed(connection)
    if not rows:
        screen.print("Nobody is told about alerts: ./citysense endpoint add NAME URL")
        return
    for name, state, form, url, fallback, failing, held, gone, last, waiting, open_, secrets in rows:
        fares = f"failing since {_at(failing)}" if failing else f"asks to wait until {_at(held)}" if held else state
        parts = [
            f"[bold]{name}[/]",
            state if state != "active" else fares,
            form,
            f"last delivered {_at(last)}" if last else "nothing delivered yet",
            f"{waiting} waiting" if waiting else "",
            f"[red]{open_} incidents: ./citysense endpoint log {name}[/]" if open_ else "",
            f"{secrets} secrets sign" if secrets > 1 else "",
        ]
        screen.print("  ".join(part for part in parts if part), soft_wrap=True)
        for one in (url, fallback):
            if one:
                screen.print(f"    {one}{' (gone)' if one in gone else ''}", markup=False, soft_wrap=True)


@endpoint.command("test")
def test(
    name: Name,
    exercise: Annotated[bool, typer.Option("--exercise", help="An exercise, which people act on, not a test.")] = False,
    level: Annotated[Colour, typer.Option(help="Of an exercise.")] = "blue",
) -> None:
    """Send a message that says that it is no alert, and wait for what comes of it; exit code 1 without a 2xx."""
    with _as_owner() as (connection, _):
        kind: Literal["test", "exercise"] = "exercise" if exercise else "test"
        delivery_id = endpoints.send_test(connection, name, kind, LEVELS[level], datetime.now(UTC))
        began = time.monotonic()
        state, attempts, url, status, detail, took_s = endpoints.outcome(connection, delivery_id)
        while state == "waiting" and time.monotonic() - began < (OUTCOME_WITHIN_S if attempts else ATTEMPT_WITHIN_S):
            time.sleep(LOOK_S)
            found = endpoints.outcome(connection, delivery_id)
            if found[1] != attempts and found[4]:
                notes.print(f"attempt {found[1]}: {found[3] or ''} {found[4]}", markup=False)
            state, attempts, url, status, detail, took_s = found
    if state == "delivered":
        screen.print(f"delivered: {url} answered {status} in {took_s * 1000:.0f} ms, attempt {attempts}")
        return
    if not attempts:
        raise StackError(f"nobody has tried to send it: ./citysense status (webhooks), ./citysense endpoint log {name}")
    raise StackError(
        f"not delivered in {OUTCOME_WITHIN_S:.0f} s, tried {attempts} times: {status or ''} {detail or ''}"
    )


@endpoint.command("rotate")
def rotate(
    name: Name,
    overlap_h: Annotated[float, typer.Option(help="So long the old secret signs as well.")] = 24.0,
) -> None:
    """A new secret, printed once. Until the overlap is over messages have two signatures, of the new and of the old."""
    with _as_owner() as (connection, settings):
        secret = endpoints.rotate(connection, name, _key(settings), overlap_h * 3600)
    notes.print(f"{name} has a new secret; the old one signs for {overlap_h:g} hours more:")
    screen.print(secret, markup=False)


@endpoint.command("log")
def log(
    name: Name,
    heartbeats: Annotated[bool, typer.Option("--heartbeats", help="Those too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
) -> None:
    """The newest deliveries, each with its last attempt; and what a person must look at."""
    with _as_owner() as (connection, _):
        rows = endpoints.logged(connection, name, heartbeats, limit)
        open_ = endpoints.incidents(connection, name)
    for (
        queued,
        kind,
        sentence,
        level,
        revision,
        state,
        tries,
        delivered,
        at,
        _,
        status,
        outcome,
        why,
        alert,
        _,
        act,
    ) in rows:
        last = (
            "" if at is None else f"{_at(at)} {status or ''} {why or ('' if outcome else 'no answer known')}".rstrip()
        )
        colour = COLOURS.get(level, "")
        parts = [
            f"{_at(queued)}  [{STYLES.get(colour, 'dim')}]{colour or kind:9}[/] r{revision}",
            _fared(state, tries, None if delivered is None else (delivered - queued).total_seconds()),
            f"acknowledged {act.astimezone():%H:%M:%S}" if act else "",
            f"last attempt {escape(last)}" if last and (state != "delivered" or screen.width >= WIDE) else "",
            f"alert {alert}" if screen.width >= WIDE else "",
        ]
        screen.print("  ".join(part for part in parts if part), soft_wrap=True)
        said = f"{'' if kind == 'alert' else f'{kind}: '}{sentence or 'active alerts'}"
        screen.print(Padding(Text(said), (0, 0, 0, 4)))
    for at, kind, detail in open_:
        screen.print(f"{_at(at)} {kind}: {detail}", markup=False)


@endpoint.command("replay")
def replay(
    name: Name,
    hours: Annotated[float, typer.Option(help="Alerts queued within so many hours.")] = 24.0,
    alert: Annotated[str, typer.Option(help="Only this alert.")] = "",
    missed: Annotated[bool, typer.Option("--missed", help="Only what was given up.")] = False,
) -> None:
    """Send the newest state of each alert again, under the same id: who has it already knows it by that."""
    since = datetime.now(UTC) - timedelta(hours=hours)
    try:
        alert_id = uuid.UUID(alert) if alert else None
    except ValueError as error:
        raise StackError(f"{alert!r} is no id of an alert: ./citysense endpoint log {name}") from error
    with _as_owner() as (connection, _):
        count = endpoints.replay(connection, name, since, alert_id, missed)
    screen.print(f"{count} alerts are sent again.")


@endpoint.command("resume")
def resume(name: Name) -> None:
    """You have looked (after a 410, or a pause): try all its addresses again, now."""
    with _as_owner() as (connection, _):
        endpoints.resume(connection, name)
    screen.print(f"{name} is told again, of what waits first.")


@endpoint.command("pause")
def pause(name: Name) -> None:
    """Send nothing until `resume`. What waits is kept; a newer state of an alert replaces the older."""
    with _as_owner() as (connection, _):
        endpoints.put_state(connection, name, "paused")
    screen.print(f"{name} is paused.")


@endpoint.command("remove")
def remove(name: Name) -> None:
    """Tell it nothing any more. Its log stays."""
    with _as_owner() as (connection, _):
        endpoints.put_state(connection, name, "removed")
    screen.print(f"{name} is removed.")


@contextmanager
def _as_owner() -> Iterator[tuple[Connection, Settings]]:
    settings = with_environment(settings_now())
    try:
        with connect(settings.dsn("owner"), autocommit=True) as connection:
            yield connection, settings
    except EndpointError as error:
        raise StackError(str(error)) from error
    except psycopg.errors.UndefinedTable as error:
        raise StackError("the database has an older schema: ./citysense migrate") from error
    except psycopg.OperationalError as error:
        raise StackError(
            f"the database does not answer: {error}\n`./citysense status` tells whether it runs."
        ) from error


def _key(settings: Settings) -> Fernet:
    try:
        return Fernet(settings.environ.get(SECRET_KEY, "").encode())
    except ValueError as error:
        raise StackError(f"{SECRET_KEY} is not in the environment: the secret could not be kept") from error


def _fared(state: str, tries: int, after_s: float | None) -> str:
    """What became of a delivery, in a word or two."""
    after = "" if after_s is None else f" in {after_s:.2f} s"
    return f"{state}{after}" + (f", {tries} tries" if tries > 1 else "")


def _at(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone():%m-%d %H:%M:%S}"
