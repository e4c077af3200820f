"""python -m tests.chaos.receiver PORT FOLDER: a water authority in a bad mood, which writes down all that it is told.

FOLDER/secret has the secret of its endpoint, FOLDER/mood a word that can change at any time: ok, slow, error, hang.
FOLDER/told gets a line when a message has come, before anything is answered, and another before a 2xx goes out; so what
was written is true although the process may be killed at any moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError

SLOW_S = 3.0
MOODS = ("ok", "slow", "error", "hang")
HEARTBEAT = "citysense.heartbeat"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened at the receiver."""

    what: str  # came, answered (with a 2xx), unsigned
    message_id: str
    alert_id: str = ""
    revision: int = 0
    digest: str = ""  # of the body


class Receiver:
    """An ASGI application."""

    def __init__(self, folder: Path) -> None:
        self._webhook = Webhook((folder / "secret").read_text())
        self._mood = folder / "mood"
        self._told = os.open(folder / "told", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        else:
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = await self._answer(headers, bytes(body))
        if status:
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _answer(self, headers: dict[str, str], body: bytes) -> int:
        """0: none."""
        message_id = headers.get("webhook-id", "")
        try:
            event: Any = self._webhook.verify(body, headers)
        except WebhookVerificationError:
            self._write(Line(what="unsigned", message_id=message_id))
            return 401
        came = Line(what="came", message_id=message_id)
        if event["type"] != HEARTBEAT:
            came = Line(
                what="came",
                message_id=message_id,
                alert_id=event["data"]["alert_id"],
                revision=event["data"]["revision"],
                digest=hashlib.sha256(body).hexdigest(),
            )
            self._write(came)
        mood = self._mood.read_text()
        if mood in ("error", "hang"):
            return 500 if mood == "error" else 0
        if mood == "slow":
            await asyncio.sleep(SLOW_S)
        if came.alert_id:
            self._write(msgspec.structs.replace(came, what="answered"))
        return 204

    def _write(self, line: Line) -> None:
        os.write(self._told, msgspec.json.encode(line) + b"\n")


def set_mood(folder: Path, mood: str) -> None:
    """In one step: a reader sees a whole word."""
    beside = folder / "mood.new"
    beside.write_text(mood)
    beside.replace(folder / "mood")


def told(folder: Path) -> Iterable[Line]:
    """In the order in which it happened."""
    return [msgspec.json.decode(line, type=Line) for line in (folder / "told").read_bytes().splitlines()]


if __name__ == "__main__":
    uvicorn.run(
        Receiver(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_level="warning"
    )
