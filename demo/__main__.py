"""`python -m demo`: the district, servers and clients. `python -m demo prepare FOLDER`: what a platform needs of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from demo import clients, registers, sources
from demo.servers import Servers
from schemas.settings import Settings
from sql.connect import read_settings

log = logging.getLogger("demo")

_USAGE = "usage: python -m demo [run | prepare FOLDER]\n"


def main(arguments: list[str]) -> int:
    if arguments in ([], ["run"]):
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("httpx").setLevel(logging.WARNING)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(read_settings(), os.environ))
        return 0
    if len(arguments) == 2 and arguments[0] == "prepare":
        prepare(Path(arguments[1]), read_settings())
        return 0
    sys.stderr.write(_USAGE)
    return 2


def prepare(folder: Path, settings: Settings) -> None:
    """Writes sources.toml, registers/ and secrets.env, which keeps the secrets that it has."""
    (folder / "registers").mkdir(parents=True, exist_ok=True)
    for name, data in registers.files().items():
        (folder / "registers" / name).write_bytes(data)
    (folder / "sources.toml").write_text(sources.toml(settings.ports.demo), encoding="utf-8")
    _write_secrets(folder / "secrets.env")


async def _serve(settings: Settings, environ: Mapping[str, str]) -> None:
    """Both sides until a signal or Ctrl-C; the servers drain first."""
    ports = settings.ports
    config = uvicorn.Config(
        Servers(environ),
        host="127.0.0.1",
        port=ports.demo,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    pushing = asyncio.create_task(clients.run(f"http://127.0.0.1:{ports.push}", environ))
    log.info("feeds on http://127.0.0.1:%d, pushes to port %d", ports.demo, ports.push)
    serving = asyncio.create_task(server.serve())
    done, _ = await asyncio.wait({pushing, serving}, return_when=asyncio.FIRST_COMPLETED)
    pushing.cancel()
    server.should_exit = True
    await asyncio.gather(pushing, serving, return_exceptions=True)
    for task in done:
        if not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]


def _write_secrets(path: Path) -> None:
    kept: dict[str, str] = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = dict(line.split("=", 1) for line in lines if "=" in line)
    names = [sources.secret_variable(source) for source in sources.sources_with_secrets()]
    values = {name: kept.get(name) or secrets.token_urlsafe(24) for name in names}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
