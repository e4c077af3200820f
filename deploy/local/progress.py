"""How does a person see that a long step goes on, and what to do when it fails?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console


class StackError(RuntimeError):
    """A step of the local stack failed; the message says what to do and where the log is."""


class Progress(Protocol):
    def step(self, text: str) -> AbstractContextManager[None]: ...


class Silent:
    """For callers that show their own progress."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        yield


class Steps:
    """One line per step: a spinner while it runs, its seconds when it is done."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            if self.console.is_terminal:
                with self.console.status(text):
                    yield
            else:
                yield
        except BaseException:
            self.console.print(f"[red]failed[/] {text}", highlight=False, soft_wrap=True)
            raise
        seconds = time.monotonic() - started
        if seconds >= 0.1 or not self.console.is_terminal:
            self.console.print(f"[green]done[/]   {text} [dim]{seconds:.1f} s[/]", highlight=False, soft_wrap=True)
