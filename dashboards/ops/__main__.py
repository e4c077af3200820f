"""python -m dashboards.ops: the operations centre, as far as it goes: where authorities acknowledge alerts."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import uvicorn

from dashboards.ops.app import KEY, application
from schemas.settings import Settings
from sql.connect import read_settings

KEEP_ALIVE_S = 75
SHUTDOWN_S = 5
CONNECTIONS = 512


def server(settings: Settings, bind: str, port: int) -> uvicorn.Server:
    """Raises ValueError without the key of the secrets."""
    return uvicorn.Server(
        uvicorn.Config(
            application(settings),
            host=bind,
            port=port,
            loop="asyncio",
            ws="none",
            proxy_headers=False,
            access_log=False,
            server_header=False,
            log_level="error",
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=32 * 1024,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dashboards.ops", description=__doc__)
    parser.add_argument("--bind", help="address to listen on; as [ops] bind says if left out")
    parser.add_argument("--port", type=int, help="port to listen on; as [stack.ports] ops says if left out")
    chosen = parser.parse_args()
    settings = read_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        made = server(settings, chosen.bind or settings.ops.bind, chosen.port or settings.ports.ops)
    except ValueError:
        sys.exit(f"ops: {KEY} is not in the environment or is no key: acknowledgements cannot be verified")
    asyncio.run(made.serve())


if __name__ == "__main__":
    main()
