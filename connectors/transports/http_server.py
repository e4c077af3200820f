"""Who listens for pushes? uvicorn, with a limit on the time of a client, inside the connector's own life."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from schemas.settings import Connectors


def _protocol(head_timeout_s: float) -> type[H11Protocol]:
    """uvicorn's own has no limit on the time that a request line and headers may take."""

    class Impatient(H11Protocol):
        _due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            waiting = self.cycle is None or self.cycle.response_complete
            if not waiting:
                self._unexpect()
            elif self._due is None and not self.transport.is_closing():
                self._expect()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.trailing_data[0] and self._due is None and not self.transport.is_closing():
                self._expect()  # the beginning of the next request came with the last one

        def connection_lost(self, exc: Exception | None) -> None:
            self._unexpect()
            super().connection_lost(exc)

        def _expect(self) -> None:
            self._due = self.loop.call_later(head_timeout_s, self._cut_off)

        def _unexpect(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

        def _cut_off(self) -> None:
            self._due = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Impatient


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the connector's own: polls and the publisher stop with the server


async def serve(app: Any, bind: str, port: int, limits: Connectors, stop: asyncio.Event) -> None:
    """Serves until `stop` is set, then lets the requests under way end. Raises OSError when the port is taken."""
    listening = socket.create_server(
        (bind, port), family=socket.AF_INET6 if ":" in bind else socket.AF_INET, backlog=512
    )
    server = _Server(
        uvicorn.Config(
            app,
            http=_protocol(limits.push_head_timeout_s),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            limit_concurrency=limits.push_connections,
            h11_max_incomplete_event_size=32 * 1024,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(limits.stop_timeout_s),
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
    if not stop.is_set():
        raise RuntimeError(f"the push server on {bind}:{port} has ended")
