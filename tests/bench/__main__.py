"""python -m tests.bench: every figure beside its reference in the same run. Exit 1 when one could not be measured."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from deploy.local.stack import settings_of, up
from schemas.settings import Settings
from tests.bench import (
    catchup,
    cpu,
    demo,
    feed,
    full_path,
    visible,
    water_alert,
    water_catchup,
    water_full,
    water_sl651,
    water_storm,
)
from tests.bench.figures import Measured, document
from tests.bench.ground import Bench
from tests.bench.peers import compare
from tests.bench.screen import Screen, table


class Part(msgspec.Struct, frozen=True):
    run: Callable[[Bench], Measured]
    steps: int
    what: str
    needs_stack: bool = True


PARTS = {
    "decode": Part(cpu.decode, cpu.DECODE_STEPS, "CPU of each decoder", needs_stack=False),
    "apply": Part(cpu.apply, cpu.APPLY_STEPS, "CPU of reading a record, fold and write"),
    "full": Part(full_path.run, full_path.STEPS, "rows from Kafka into the hypertable, beside raw binary COPY"),
    "visible": Part(visible.run, visible.STEPS, "from a message to a row that others see"),
    "feed": Part(feed.run, feed.STEPS, "the published minute, beside nginx"),
    "catchup": Part(catchup.run, catchup.STEPS, "an hour's outage"),
    "water_full": Part(water_full.run, water_full.STEPS, "readings judged and stored, beside raw binary COPY"),
    "water_alert": Part(water_alert.run, water_alert.STEPS, "from a station's frame to the authority"),
    "water_sl651": Part(water_sl651.run, water_sl651.STEPS, "frames of 2,000 stations, and their memory"),
    "water_storm": Part(water_storm.run, water_storm.STEPS, "a hundred districts in the storm, live"),
    "water_catchup": Part(water_catchup.run, water_catchup.STEPS, "an hour's outage of water"),
    "demo": Part(demo.run, demo.STEPS, "the tick and the memory of the whole demo"),
}
PEERS = Part(compare.run, compare.STEPS, "quixstreams and aiokafka on the same work")
Only = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help=f"Parts to run: {', '.join(PARTS)}, peers. Repeat it.")
]


def main(
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object.")] = False,
    only: Only = None,
    peers: Annotated[bool, typer.Option("--peers", help="quixstreams and aiokafka on the same work, too.")] = False,
    keep_logs: Annotated[bool, typer.Option(help="Keep the logs of the processes, and say where.")] = False,
) -> None:
    """Measure, each figure beside its reference in the same run."""
    names = [name for given in only or [",".join(PARTS)] for name in given.split(",")]
    known = PARTS | {"peers": PEERS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"no part is called {', '.join(unknown)}; there are {', '.join(known)}")
    parts = {name: known[name] for name in names} | ({"peers": PEERS} if peers else {})
    machine = {"cores": os.cpu_count() or 1, "load_before": os.getloadavg()[0]}
    folder = Path(tempfile.mkdtemp(prefix="citysense-bench-"))
    folder.chmod(0o755)
    try:
        measured, failed = _run(parts, folder)
    finally:
        if not keep_logs:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.write(msgspec.json.encode(document(measured, failed) | {"machine": machine}).decode() + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(measured))
    if machine["load_before"] > machine["cores"] / 2:
        Console(stderr=True).print(
            f"The machine was busy before (load {machine['load_before']:.1f}). Worker and backend need two cores,"
            " raw COPY one: the first ratio comes out worse than it is."
        )
    raise typer.Exit(1 if failed else 0)


def _run(parts: dict[str, Part], folder: Path) -> tuple[list[Measured], dict[str, str]]:
    measured: list[Measured] = []
    failed: dict[str, str] = {}
    settings = up(settings_of("bench")) if any(part.needs_stack for part in parts.values()) else Settings()
    with Screen(len(parts)) as screen:
        bench = Bench(settings, folder, screen)
        for name, part in parts.items():
            began = time.monotonic()
            screen.say(f"[bold]{name}[/]: {part.what}")
            with screen.part(name, part.steps):
                try:
                    measured.append(part.run(bench))
                except Exception as error:
                    failed[name] = f"{type(error).__name__}: {error}"
                    screen.say(f"[red]{name} failed[/]: {failed[name]}")
            screen.say(f"[dim]{name}: {time.monotonic() - began:.0f} s[/]")
    return measured, failed


if __name__ == "__main__":
    typer.run(main)
