"""The command `./citysense`: from words on the command line to the modules that do it."""

from __future__ import annotations

import logging
import sys

import typer

from deploy.commands import care, data, proof, run
from deploy.commands.endpoint import endpoint
from deploy.commands.shared import PASS_HELP_ON, PASS_ON, notes
from deploy.commands.storm import storm
from deploy.local.progress import StackError
from schemas.settings import SettingsError

app = typer.Typer(
    name="citysense",
    help="CitySense, the streaming platform of a city district.\n\n"
    "[bold]./citysense demo[/] shows all of it on this machine, [bold]./citysense COMMAND --help[/] teaches a command.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
RUNNING, DATA, CARE, PROOF = "Run", "Data", "Care", "Proof"
app.command(rich_help_panel=RUNNING)(run.demo)
app.command(rich_help_panel=RUNNING)(run.up)
app.command(rich_help_panel=RUNNING)(run.status)
app.command(rich_help_panel=RUNNING)(run.logs)
app.command(rich_help_panel=RUNNING)(run.down)
app.command(rich_help_panel=DATA, context_settings=PASS_HELP_ON)(data.decode)
app.command(rich_help_panel=DATA, context_settings=PASS_HELP_ON)(data.replay)
app.command(rich_help_panel=DATA, context_settings=PASS_HELP_ON)(data.register)
app.add_typer(data.deadletter, name="deadletter", rich_help_panel=DATA, no_args_is_help=True)
app.command(rich_help_panel=DATA)(storm)
app.add_typer(endpoint, name="endpoint", rich_help_panel=DATA, no_args_is_help=True)
app.command(rich_help_panel=CARE)(care.doctor)
app.command(rich_help_panel=CARE)(care.migrate)
app.command(rich_help_panel=CARE)(care.provision)
app.command(rich_help_panel=CARE)(care.backup)
app.command(rich_help_panel=CARE)(care.restore)
app.command(rich_help_panel=PROOF, context_settings=PASS_ON)(proof.test)
app.command(rich_help_panel=PROOF, context_settings=PASS_HELP_ON)(proof.bench)
app.command(rich_help_panel=PROOF, context_settings=PASS_HELP_ON)(proof.chaos)


def main() -> None:
    logging.basicConfig(level=logging.CRITICAL)  # each command says itself what failed and what to do
    try:
        app(prog_name="./citysense")
    except StackError as error:
        notes.print("[red]citysense:[/] ", end="")
        notes.print(str(error), markup=False, soft_wrap=True)
        sys.exit(1)
    except SettingsError as error:
        notes.print("[red]citysense.toml cannot be used:[/]")
        notes.print(str(error), markup=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
