"""python -m dashboards.feed: publishes the parking feed. A replica is the same on another port."""

from __future__ import annotations

import argparse
import asyncio
import logging

import uvicorn

from dashboards.feed.app import Application
from dashboards.feed.front import Front
from schemas.settings import Settings
from sql.connect import read_settings

KEEP_ALIVE_S = 75
SHUTDOWN_S = 3


def server(settings: Settings, bind: str, port: int) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            Application(settings),
            host=bind,
            port=port,
            http=Front,
            loop="asyncio",
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            access_log=False,
            server_header=False,
            log_level="error",
            backlog=1024,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dashboards.feed", description=__doc__)
    parser.add_argument("--bind", help="address to listen on; as [feed] bind says if left out")
    parser.add_argument("--port", type=int, help="port to listen on; as [stack.ports] feed says if left out")
    chosen = parser.parse_args()
    settings = read_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(server(settings, chosen.bind or settings.feed.bind, chosen.port or settings.ports.feed).serve())


if __name__ == "__main__":
    main()
