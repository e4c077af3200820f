"""Receivers of webhooks on real sockets that misbehave as they are told: each request is answered by a function."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Got:
    """One request, and the socket to answer it on."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.at = time.monotonic()
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self._handler = handler
        self.status: int | None = None

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.event["data"]
        return found

    def answer(self, status: int = 204, body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.status = status
        self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def raw(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def hang_up(self) -> None:
        self._handler.close_connection = True


def well(got: Got) -> None:
    got.answer(204)


def silent_until(release: threading.Event) -> Callable[[Got], None]:
    """Takes the message and says nothing."""

    def silent(_: Got) -> None:
        release.wait(60)

    return silent


class Receiver:
    """`behave` may be exchanged while it serves."""

    def __init__(self, behave: Callable[[Got], None] = well, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.behave = behave
        self.got: list[Got] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                got = Got(self, self.rfile.read(int(self.headers["content-length"])))
                receiver.got.append(got)
                with contextlib.suppress(OSError):
                    receiver.behave(got)

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                return  # a client that hangs up is a case, not a fault

        self._server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/in"

    @contextlib.contextmanager
    def serving(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    @property
    def alerts(self) -> list[Got]:
        """What was received, without heartbeats."""
        return [got for got in self.got if not got.event["type"].endswith("heartbeat")]


def revisions(receiver: Receiver) -> list[int]:
    """Those of the alerts that were received, in their order."""
    return [got.data["revision"] for got in receiver.alerts]
