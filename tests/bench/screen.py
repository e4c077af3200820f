"""What does a person see of a bench: bars while it runs, a table when it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.bench.figures import Measured, shown

_REACHED = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


class Screen:
    """Bars on standard error; where that is no terminal, a line for each step."""

    def __init__(self, parts: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("[dim]{task.fields[step]}[/]"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._all = self._bars.add_task("bench", total=parts, step="")

    def __enter__(self) -> Screen:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    @contextmanager
    def part(self, name: str, steps: int) -> Iterator[None]:
        """A part of the bench with about so many steps."""
        self._current = self._bars.add_task(name, total=steps, step="")
        try:
            yield
        finally:
            self._bars.remove_task(self._current)
            self._bars.advance(self._all)

    def step(self, text: str) -> None:
        """What is done next."""
        self._bars.update(self._current, advance=1, step=text)
        if not self._console.is_terminal:
            self._console.print(f"  {text}")

    def say(self, text: str) -> None:
        self._console.print(text)


def table(measured: Sequence[Measured]) -> Table:
    """Figure, reference, ratio, target, reached?"""
    found = Table(title="CitySense bench", title_justify="left")
    found.add_column("figure")
    found.add_column("", justify="right")
    found.add_column("reference", justify="right")
    found.add_column("", style="dim")
    found.add_column("ratio", justify="right")
    found.add_column("target", justify="right")
    found.add_column("reached?")
    for part in measured:
        for figure in part.figures:
            found.add_row(
                figure.name,
                f"{shown(figure.value)} {figure.unit}",
                "" if figure.reference is None else f"{shown(figure.reference)} {figure.unit}",
                figure.beside,
                "" if figure.ratio is None else shown(figure.ratio),
                "" if figure.target is None else str(figure.target),
                _REACHED[figure.is_reached],
            )
        found.add_section()
    return found
