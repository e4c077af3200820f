"""Look after the platform: doctor, migrate, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import psycopg
import typer

from deploy.commands.shared import notes, screen, settings_now, steps
from deploy.local import backups, checks, database, platform, supervision
from deploy.local.credentials import ADMIN, ROLES, password_variable, with_environment
from deploy.local.places import places
from deploy.local.progress import StackError
from deploy.local.stack import ensure_schema, up


def migrate() -> None:
    """Create missing topics, bring the schema of the database to this release. `demo` and `up` do it by themselves."""
    settings = settings_now()
    if settings.local_kafka or settings.local_database:
        up(settings, steps())
    else:
        ensure_schema(with_environment(settings), steps())
    notes.print("Topics and schema are those of this release.")


def provision() -> None:
    """Make roles, database and extension on the server that citysense.toml names, then topics and schema. Once.

    Needs CITYSENSE_DB_PASSWORD_ADMIN of its superuser citysense_admin, and the password each role is to have:
    CITYSENSE_DB_PASSWORD_OWNER, _STREAMS, _CONNECTORS, _FEED, _OPS. The local stack does this by itself.
    """
    settings = with_environment(settings_now())
    missing = [name for name in map(password_variable, (*ROLES, ADMIN)) if not settings.environ.get(name)]
    if missing:
        raise StackError(f"set {', '.join(missing)}")
    with steps().step(f"Roles and database at {settings.database_host}"):
        try:
            database.provision(settings)
        except psycopg.OperationalError as error:
            raise StackError(f"the database refused: {error}") from error
    ensure_schema(settings, steps())
    notes.print("The server is ready for `./citysense up` on any host that has these variables, less the admin's.")


def doctor() -> None:
    """Check all that the platform stands on. Each thing that is wrong says what to do. Exit code 1 when one is."""
    failed = 0
    for check in checks.run_all(with_environment(settings_now())):
        mark = "[green]ok[/]  " if check.passed else "[red]bad[/] "
        screen.print(f"{mark} [bold]{check.name}[/]  {check.found}")
        if not check.passed:
            failed += 1
            screen.print(f"       {check.remedy}", style="yellow")
    if failed:
        raise typer.Exit(1)


def backup(file: Annotated[Path, typer.Argument(help="Where to write it.")]) -> None:
    """The database into one file, while everything runs: registers, history, alerts, and how far each topic is applied.

    [bold]./citysense backup citysense-monday.dump[/]
    """
    settings = with_environment(settings_now())
    with steps().step(f"Writing {file}"):
        backups.write(settings, file)
    notes.print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB. The passwords are not in it: keep {places(settings).secrets}."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup wrote.", exists=True, dir_okay=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of the database. The platform then goes on where the backup's fences stand.

    What Kafka still has is applied again, so nothing that was accepted since the backup is lost while it is within the
    topics' retention.

    [bold]./citysense restore citysense-monday.dump[/]
    """
    settings = settings_now()
    if not settings.local_database:
        raise StackError("the database that citysense.toml names is not ours to replace: use pg_restore there")
    if not yes:
        typer.confirm(f"Replace the database of instance {settings.instance!r} by {file}?", abort=True)
    show = steps()
    ready = up(settings, show)
    running = [name for name, state in supervision.states(places(ready)).items() if state.is_running]
    platform.stop(ready, show)
    with show.step(f"Restoring {file}"):
        backups.read(ready, file)
    up(ready, show)
    platform.start_again(ready, show, running)
    notes.print("Restored. The worker goes on at the backup's fences.")
