"""`python -m demo`: the district, servers and clients. `python -m demo prepare FOLDER`: what a platform needs of it.

With `--water` the district has water stations and an authority, with `--storm [FACTOR]` a synthetic storm passes over
it, FACTOR times as fast as it would; `--since TIME` is when it began, for a demo that is started again. `--kept`:
loggers first send what they kept of the 70 minutes before that, unless it began more than five minutes ago.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from demo import clients, registers, sources
from demo.servers import Servers
from demo.water import registers as water_registers
from demo.water import sources as water_sources
from demo.water import stations as water_stations
from demo.water.authority import PATH, Authority
from demo.water.storm import FACTOR, FASTEST, Storm
from schemas.settings import Settings
from sql.connect import read_settings

log = logging.getLogger("demo")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--water", action="store_true", help="water stations and a water authority too")
    options.add_argument("--storm", nargs="?", type=_factor, const=FACTOR, metavar="FACTOR", help="and a storm")
    options.add_argument("--since", type=_instant, metavar="TIME", help="when it began; now if left out")
    options.add_argument("--kept", action="store_true", help="loggers send what they kept of the time before")
    commands.add_parser("run", parents=[options], help="servers and clients, until a signal")
    prepared = commands.add_parser("prepare", parents=[options], help="sources.toml, registers/ and secrets.env")
    prepared.add_argument("folder", type=Path)
    given = parser.parse_args(arguments or ["run"])
    began = given.since or datetime.now(UTC)
    storm = None if given.storm is None else Storm(began=began, factor=given.storm)
    has_water = given.water or storm is not None
    if given.command == "prepare":
        prepare(given.folder, read_settings(), has_water=has_water)
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        kept_before = began if given.kept else None
        asyncio.run(_serve(read_settings(), os.environ, has_water=has_water, storm=storm, kept_before=kept_before))
    return 0


def prepare(folder: Path, settings: Settings, *, has_water: bool = False) -> None:
    """Writes sources.toml, registers/ and secrets.env, which keeps the secrets that it has."""
    (folder / "registers").mkdir(parents=True, exist_ok=True)
    files, text = registers.files(), sources.toml(settings.ports.demo)
    if has_water:
        files |= water_registers.files()
        text += "\n" + water_sources.toml(settings.ports.demo)
    for name, data in files.items():
        (folder / "registers" / name).write_bytes(data)
    (folder / "sources.toml").write_text(text, encoding="utf-8")
    _write_secrets(folder / "secrets.env", has_water)


async def _serve(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    has_water: bool,
    storm: Storm | None,
    kept_before: datetime | None,
) -> None:
    """Both sides until a signal or Ctrl-C; the servers drain first."""
    ports = settings.ports
    servers = [_server(Servers(environ), ports.demo)]
    working = [clients.run(f"http://127.0.0.1:{ports.push}", environ)]
    if has_water:
        secret = environ.get(sources.secret_variable(water_sources.AUTHORITY), "")
        port = water_sources.ports(ports.demo)[water_sources.AUTHORITY]
        servers.append(_server(Authority(secret.split()), port))
        working.append(water_stations.run(ports.demo, ports.mqtt, environ, storm, kept_before=kept_before))
        log.info("the water authority listens on http://127.0.0.1:%d%s", port, PATH)
    log.info("feeds on http://127.0.0.1:%d, pushes to port %d", ports.demo, ports.push)
    pushing = [asyncio.create_task(work) for work in working]
    serving = [asyncio.create_task(server.serve()) for server in servers]
    done, _ = await asyncio.wait({*pushing, *serving}, return_when=asyncio.FIRST_COMPLETED)
    for task in pushing:
        task.cancel()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*pushing, *serving, return_exceptions=True)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


def _server(app: Any, port: int) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
        )
    )


def _factor(text: str) -> float:
    factor = float(text)
    if not 1 <= factor <= FASTEST:
        raise argparse.ArgumentTypeError(f"a storm passes 1 to {FASTEST:g} times as fast")
    return factor


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("say the zone too, as in 2026-11-24T10:30:00+08:00")
    return at


def _write_secrets(path: Path, has_water: bool) -> None:
    kept: dict[str, str] = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = dict(line.split("=", 1) for line in lines if "=" in line)
    names = [sources.secret_variable(source) for source in sources.sources_with_secrets()]
    values = {name: kept.get(name) or secrets.token_urlsafe(24) for name in names}
    if has_water:
        for source in water_sources.SOURCES_WITH_SECRETS:
            name = sources.secret_variable(source)
            values[name] = kept.get(name) or water_sources.new_secret(source)
    values = kept | values  # what others keep there (the authority's secret) stays
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
