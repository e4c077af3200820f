"""A water authority: it takes signed alerts, looks at them for a while, and acknowledges each with its own signature.

Standard Webhooks 1.0 is written here a second time, so that a mistake in the sender is not made on both sides.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from demo.draws import between

log = logging.getLogger(__name__)

PATH = "/alerts"
OFFICER = "罗湖区水务值班员（演示）"
TOLERANCE = timedelta(minutes=5)
BODY_LIMIT_BYTES = 1024 * 1024
LOOKS_S = (2.0, 12.0)  # so long an officer looks at an alert
PATIENCE = timedelta(hours=1)
SILENT_AFTER = timedelta(minutes=3)  # without a heartbeat
REMEMBERED = 20_000

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Authority:
    """An ASGI application. `secrets`: of its endpoint, two while one of them is being replaced."""

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        looks_s: tuple[float, float] = LOOKS_S,
    ) -> None:
        self.taken = self.repeated = self.refused = self.acknowledged = 0
        self.heartbeat_at: datetime | None = None
        self.newest: dict[str, dict[str, Any]] = {}  # what is known of each alert: its newest revision
        self._secrets, self._now, self._looks_s = tuple(secrets), now, looks_s
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._in_hand: set[str] = set()
        self._acting: set[asyncio.Task[None]] = set()
        self._http = httpx.AsyncClient(timeout=10.0, trust_env=False)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body, is_whole = await _body(receive)
        status = 413
        if is_whole and scope["type"] == "http":
            status = self.answer(str(scope["method"]), str(scope["path"]), headers, body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        """The status for one request. A message that came before is taken again, and changes nothing."""
        if path != PATH:
            return 404
        if method != "POST":
            return 405
        if not is_signed(headers, body, self._secrets, self._now()):
            self.refused += 1
            return 401
        message_id = headers["webhook-id"]
        if message_id in self._seen:
            self.repeated += 1
            return 204
        try:
            event = json.loads(body)
            kind, data = str(event["type"]), event["data"]
        except (ValueError, KeyError, TypeError):
            self.refused += 1
            return 400
        self._seen[message_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self.taken += 1
        if kind == "citysense.heartbeat":
            self.heartbeat_at = self._now()
        else:
            self._told(kind, data)
        return 204

    def is_silent(self) -> bool:
        """No heartbeat for minutes: silence is no calm."""
        return self.heartbeat_at is not None and self._now() - self.heartbeat_at > SILENT_AFTER

    async def settled(self) -> None:
        """Until no acknowledgement is under way."""
        while self._acting:
            await asyncio.wait(self._acting)

    def _told(self, kind: str, data: dict[str, Any]) -> None:
        alert_id, revision = str(data["alert_id"]), int(data["revision"])
        known = self.newest.get(alert_id)
        if known is not None and known["revision"] >= revision:
            return
        self.newest[alert_id] = data
        log.info("%s %s r%d %s: %s", kind, alert_id, revision, data.get("colour"), data.get("sentence_zh"))
        if data.get("change") != "ended" and alert_id not in self._in_hand:
            self._in_hand.add(alert_id)
            task = asyncio.get_running_loop().create_task(self._acknowledge(alert_id))
            self._acting.add(task)
            task.add_done_callback(self._acting.discard)

    async def _acknowledge(self, alert_id: str) -> None:
        """Sent again until it is answered; what nobody knows or believes is given up."""
        await asyncio.sleep(between(*self._looks_s, "looks", alert_id))
        until, pause_s = self._now() + PATIENCE, 1.0
        while self._now() < until:
            data = self.newest[alert_id]
            body = json.dumps({"by": OFFICER, "note": "已安排现场处置（演示）", "revision": data["revision"]}).encode()
            headers = signed(self._secrets[0], body, self._now()) | {"content-type": "application/json"}
            try:
                answer = await self._http.post(data["acknowledge_url"], content=body, headers=headers)
            except httpx.HTTPError as error:
                log.debug("%s: %r", alert_id, error)
            else:
                if answer.status_code in (200, 201):
                    self.acknowledged += 1
                    return
                if answer.status_code in (400, 401, 404):
                    log.warning("%s: %d %s", alert_id, answer.status_code, answer.text[:200])
                    self._in_hand.discard(alert_id)
                    return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 30.0)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                for task in self._acting:
                    task.cancel()
                await asyncio.gather(*self._acting, return_exceptions=True)
                await self._http.aclose()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def is_signed(headers: dict[str, str], body: bytes, secrets: Sequence[str], at: datetime) -> bool:
    """Whether one of the signatures is that of one of the secrets, of within five minutes."""
    message_id, second = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not second.isdecimal() or abs(at.timestamp() - int(second)) > TOLERANCE.total_seconds():
        return False
    words = headers.get("webhook-signature", "").split()
    given = [word.removeprefix("v1,").encode() for word in words if word.startswith("v1,")]
    wanted = [signature(secret, message_id, second, body).encode() for secret in secrets]
    return any(hmac.compare_digest(one, other) for one in given for other in wanted)


def signed(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    message_id, second = f"ack_{uuid4().hex}", str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": second,
        "webhook-signature": f"v1,{signature(secret, message_id, second, body)}",
    }


def signature(secret: str, message_id: str, second: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{message_id}.{second}.".encode() + body
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


async def _body(receive: Receive) -> tuple[bytes, bool]:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT_BYTES:
            return b"", False
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body), message["type"] != "http.disconnect"
