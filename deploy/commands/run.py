"""Start, watch and stop the platform: demo, up, status, logs, down."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType
from typing import Annotated

import msgspec
import typer
from rich.live import Live
from rich.table import Table

from demo.water.sources import AUTHORITY
from demo.water.storm import BEFORE_PEAK_MIN, FACTOR, FASTEST, LABEL_EN, LABEL_ZH
from deploy.commands.shared import hand_over, notes, screen, settings_now, steps
from deploy.local import district, platform
from deploy.local.district import Weather
from deploy.local.machine import FOR_STACK, install_missing, install_page_libraries
from deploy.local.places import places
from deploy.local.platform import Fare
from deploy.local.progress import Silent, StackError
from deploy.local.stack import down as stack_down
from deploy.local.stack import up as stack_up
from deploy.processes import BY_NAME, Overlay
from schemas.settings import Settings

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when all is up; `./citysense down` stops it.")]

WIDE = 130  # a terminal of so many columns is told what each process is for


def demo(
    factor: Annotated[
        float | None,
        typer.Argument(
            metavar="FACTOR", min=1, max=FASTEST, help="With --storm: so many times as fast as it would it passes."
        ),
    ] = None,
    storm: Annotated[
        bool, typer.Option("--storm", help=f"A synthetic storm passes, {FACTOR:g} times as fast.")
    ] = False,
    water: Annotated[
        bool, typer.Option("--water/--no-water", help="Rivers, pipes, rain gauges and a water authority too.")
    ] = True,
    detach: Detach = False,
) -> None:
    """The whole platform with a simulated district that speaks the real protocols over real sockets.

    313 car parks, polled and pushed; 69 rain gauges, 24 stations on rivers and reservoirs, 60 pipe nodes and 20
    underpasses over SL 651, HJ 212 and LoRaWAN; and a water authority that verifies and acknowledges alerts.
    The first time downloads Kafka and TimescaleDB (some minutes); later starts take seconds.

    [bold]./citysense demo[/]                       stays in the foreground, Ctrl-C stops everything
    [bold]./citysense demo --detach[/]              returns when it is up
    [bold]./citysense demo --storm[/]               the storm too, six of its hours before the peak; sensors fail in it
    [bold]./citysense demo --storm 60 --detach[/]   an hour of the storm in a minute: its peak is six minutes away
    """
    if factor is not None and not storm:
        raise typer.BadParameter("a factor is that of a storm: --storm", param_hint="FACTOR")
    if storm and not water:
        raise typer.BadParameter("a storm needs water stations", param_hint="--no-water")
    weather = Weather(water=water, storm=(factor or FACTOR) if storm else None)
    _bring_up(settings_now(), weather=weather, detach=detach)


def up(detach: Detach = False) -> None:
    """The platform with the real sources that citysense.toml enables.

    [bold]./citysense up[/]               stays in the foreground, Ctrl-C stops everything
    [bold]./citysense up --detach[/]      returns when it is up
    """
    _bring_up(settings_now(), weather=None, detach=detach)


def down(
    wipe: Annotated[bool, typer.Option("--wipe", help="Remove all its data too. There is no way back.")] = False,
) -> None:
    """Stop everything, the platform first. What was accepted is kept, and applied at the next start.

    [bold]./citysense down --wipe[/]      removes the data as well (downloaded programs stay)
    """
    settings = settings_now()
    stack_down(settings, steps(), wipe=wipe)
    notes.print("All stopped." + (f" The data of {settings.instance!r} is gone." if wipe else ""))


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a process.")] = False) -> None:
    """How each process fares. Exit code 1 when one is not well.

    [bold]./citysense status --json[/]    for programs
    """
    settings = settings_now()
    found = platform.fares(settings)
    if as_json:
        for fare in found:
            screen.print(msgspec.json.encode(fare).decode(), soft_wrap=True)
    elif found:
        screen.print(_table(settings, found))
    else:
        screen.print("Nothing runs. `./citysense demo` or `./citysense up` starts it.")
    if not found or not all(fare.is_well for fare in found):
        raise typer.Exit(1)


def logs(
    name: Annotated[
        str, typer.Argument(help="As `status` names them: kafka, postgres, worker, feed, ...; or supervisord")
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 50,
) -> None:
    """The log of one process.

    [bold]./citysense logs worker -f[/]
    """
    where = places(settings_now())
    log = where.log(name)
    if not log.exists():
        there = ", ".join(sorted(path.stem for path in where.logs.glob("*.log"))) or "none yet"
        raise StackError(f"there is no log of {name!r}. Those there: {there}")
    hand_over(["tail", "-n", str(lines), *(["-F"] if follow else []), str(log)], os.environ)


def _bring_up(settings: Settings, *, weather: Weather | None, detach: bool) -> None:
    """The platform; in a demo, which has a weather, the simulated district too."""
    show = steps()
    try:
        install_missing(FOR_STACK, show)
        install_page_libraries(show)
        ready = stack_up(district.with_broker(settings) if weather and weather.water else settings, show)
        overlay = district.prepare(ready, show, weather) if weather else Overlay()
        platform.start(ready, show, demo=weather is not None, overlay=overlay)
    except KeyboardInterrupt:
        notes.print("Interrupted: stopping what was started.")
        stack_down(settings, show)
        raise typer.Exit(130) from None
    except StackError:
        notes.print("What did start still runs: `./citysense status` shows it, `./citysense down` stops it.")
        raise
    for line in _where_to_look(ready, weather):
        screen.print(line, soft_wrap=True)
    if detach:
        screen.print("./citysense status  tells how it fares,  ./citysense down  stops it.")
        return
    try:
        _watch(ready)
    except OSError:  # the terminal is gone
        stack_down(settings, Silent())
    else:
        stack_down(settings, show)


def _where_to_look(settings: Settings, weather: Weather | None) -> list[str]:
    """What there is to see now, in Chinese and in English."""
    ports = settings.ports
    lines = [
        f"停车数据与页面 The parking feed and its page:  http://127.0.0.1:{ports.feed}/",
        f"指挥中心接口 The operations centre's API:  http://127.0.0.1:{ports.ops}/schema/openapi.json",
    ]
    if weather and weather.water:
        lines.append(f"预警送达与确认 Alerts, delivered and acknowledged:  ./citysense endpoint log {AUTHORITY}")
    if weather and weather.storm:
        peak_min = BEFORE_PEAK_MIN / weather.storm
        lines += [
            "处置建议：先关哪里、接下来哪里升级 What to close first, what crosses next:  ./citysense storm --lang zh",
            f"{LABEL_ZH}；快放 {weather.storm:g} 倍，约 {peak_min:.0f} 分钟后雨最大。",
            f"{LABEL_EN[0].upper()}{LABEL_EN[1:]}; {weather.storm:g} times as fast,",
            f"  its heaviest hour begins in about {peak_min:.0f} min. Until it rains hard there is no storm to show.",
        ]
    return lines


def _watch(settings: Settings) -> None:
    """Show how all fares until Ctrl-C or a termination signal."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        if screen.is_terminal:
            with Live(console=screen, auto_refresh=False) as live:
                while found := platform.fares(settings):
                    live.update(_table(settings, found, "Ctrl-C stops everything"), refresh=True)
                    time.sleep(2)
        else:
            _watch_plainly(settings)
        notes.print("All was stopped from elsewhere.")
    except KeyboardInterrupt:
        notes.print("Stopping.")


def _watch_plainly(settings: Settings) -> None:
    """Where there is no terminal: a line when something changes."""
    before: dict[str, str] = {}
    while found := platform.fares(settings):
        now = {fare.name: f"{fare.state} {fare.health}".strip() for fare in found}
        for name, state in now.items():
            if before.get(name) != state:
                screen.print(f"{name}: {state}")
        before = now
        time.sleep(2)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _table(settings: Settings, found: list[Fare], caption: str = "") -> Table:
    table = Table(title=f"CitySense, instance {settings.instance}", caption=caption or None, title_justify="left")
    for heading, justify in (("process", "left"), ("state", "left"), ("health", "left"), ("port", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for heading in ("for", "memory"):
        table.add_column(heading, justify="right")
    explained = screen.width >= WIDE
    if explained:
        table.add_column("what")
    for fare in found:
        colour = "green" if fare.is_well else "red"
        process = BY_NAME.get(fare.name)
        table.add_row(
            fare.name,
            f"[{colour}]{fare.state.lower()}[/]",
            f"[{colour}]{fare.health or '-'}[/]",
            str(getattr(settings.ports, process.port))
            if process and process.port
            else _stack_port(settings, fare.name),
            _duration(fare.seconds),
            f"{fare.rss_mb:.0f} MB",
            *([process.what if process else ""] if explained else []),
        )
    total = sum(fare.rss_mb for fare in found)
    table.add_section()
    table.add_row("all", "", "", "", "", f"{total:.0f} MB")
    return table


def _stack_port(settings: Settings, name: str) -> str:
    field = "mqtt" if name == "mosquitto" else name.replace("-", "_")
    return str(getattr(settings.ports, field, ""))


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s" if minutes else f"{left} s"
