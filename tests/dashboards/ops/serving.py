"""The operations centre for tests: on a port of its own, and an authority that speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from dashboards.ops.__main__ import server
from schemas.settings import Settings
from schemas.signatures import headers
from tests.processes import eventually

SAID = {"by": "李工, 排水所", "note": "已派抢险队", "revision": 1}


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    made = server(settings, "127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(made.serve([listening])), daemon=True)
    thread.start()
    try:
        eventually(lambda: made.started, "it serves")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        made.should_exit = True
        thread.join(20)
        listening.close()


def acknowledge(
    url: str,
    alert_id: uuid.UUID,
    secret: str,
    said: Any = SAID,
    *,
    endpoint: str = "authority",
    at: datetime | None = None,
    body: bytes | None = None,
) -> httpx.Response:
    signed = msgspec.json.encode(said)
    sent = headers(f"ack-{uuid.uuid4()}", at or datetime.now(UTC), [secret], signed)
    return httpx.post(
        f"{url}/alerts/{alert_id}/acknowledgements",
        params={"endpoint": endpoint} if endpoint else {},
        content=signed if body is None else body,
        headers={**sent, "content-type": "application/json"},
        timeout=10,
    )
