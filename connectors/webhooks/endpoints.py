"""Who is told about alerts? Endpoints are added, tried, rotated and looked after here, each act one transaction.

The connection is the owner's: processes of the platform cannot add an address to which alerts go.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import ssl
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import httpx
import msgspec
from cryptography.fernet import Fernet

from connectors.transports.addresses import NEVER
from schemas.alerts import COLOURS, DELIVERY_CHANNEL, ENDPOINT_CHANNEL, AlertNotice
from schemas.signatures import secret_of
from sql.connect import Connection
from sql.named import named

_SQL = named("endpoints")
_OUTBOX = named("webhooks")
SECRET_BYTES = 32
TEST_EXPIRE_S = 600
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_GB_PREFIX = re.compile(r"[0-9]{6}[0-9A-Z]{8}")
FORMS = ("cloudevent", "cap")


class EndpointError(ValueError):
    """It cannot be done; the message says why and what to do."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    url: str
    fallback_url: str | None = None
    form: str = "cloudevent"
    gb_prefix: str | None = None
    domains: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    min_level: int = 1
    allowed: tuple[str, ...] = ()
    ca_pem: str | None = None
    expire_s: int = 86_400
    heartbeat: bool = True


def add(connection: Connection, draft: Draft, key: Fernet, by: str) -> str:
    """Its secret, which is shown once. What is active is sent to it as soon as it is there. Raises EndpointError."""
    wrong = list(faults(draft))
    if wrong:
        raise EndpointError("; ".join(wrong))
    endpoint_id = uuid.uuid4()
    with connection.transaction():
        if _SQL.known(connection, name=draft.name) is not None:
            raise EndpointError(f"there is an endpoint {draft.name!r} already")
        fields = msgspec.structs.asdict(draft) | {
            name: list(getattr(draft, name)) for name in ("domains", "kinds", "allowed")
        }
        _SQL.add(connection, endpoint_id=endpoint_id, added_by=by, **fields)
        secret = _new_secret(connection, endpoint_id, key)
        _wake(connection, endpoint_id)
    return secret


def faults(draft: Draft) -> list[str]:
    """All that is wrong with it."""
    wrong = []
    if not _NAME.fullmatch(draft.name):
        wrong.append("the name has small letters, digits and dashes, and begins with a letter")
    for cidr in draft.allowed:
        wrong += _network_faults(cidr)
    for url in filter(None, (draft.url, draft.fallback_url)):
        wrong += _url_faults(url, bool(draft.allowed))
    if draft.fallback_url == draft.url:
        wrong.append("the second url is the first one")
    if draft.form not in FORMS:
        wrong.append(f"the form is one of {', '.join(FORMS)}")
    if draft.gb_prefix is not None and not _GB_PREFIX.fullmatch(draft.gb_prefix):
        wrong.append("the prefix has 14 characters: area (6 digits), industry (3), unit (3), extension (2)")
    if draft.min_level not in COLOURS:
        wrong.append("the level is 1 (blue) to 4 (red)")
    if draft.ca_pem is not None:
        try:
            ssl.create_default_context(cadata=draft.ca_pem)
        except ssl.SSLError as error:
            wrong.append(f"the certificates cannot be read: {error}")
    return wrong


def rotate(connection: Connection, name: str, key: Fernet, overlap_s: float) -> str:
    """A new secret. The one before signs as well for `overlap_s`; older ones are over. Raises EndpointError."""
    with connection.transaction():
        endpoint_id = id_of(connection, name)
        secret = _new_secret(connection, endpoint_id, key, overlap_s)
        _wake(connection, endpoint_id)
    return secret


def send_test(
    connection: Connection, name: str, kind: Literal["test", "exercise"], level: int, at: datetime
) -> uuid.UUID:
    """Queue a message that is no alert; its id. Raises EndpointError."""
    word = {"test": ("测试", "Test"), "exercise": ("演练", "Exercise")}[kind]
    notice = AlertNotice(
        alert_id=uuid.uuid4(),
        revision=1,
        change="raised",
        domain="platform",
        kind=kind,
        subject=name,
        level=level,
        colour=COLOURS[level],
        certainty="observed",
        raised_at=at,
        at=at,
        sentence_zh=f"{word[0]}:这不是真实预警,仅用于检验告警通道。",
        sentence_en=f"{word[1]}: this is no real alert, it only tries the channel.",
    )
    with connection.transaction():
        endpoint_id = id_of(connection, name)
        if _OUTBOX.endpoint(connection, endpoint_id=endpoint_id)[6] == "paused":
            raise EndpointError(f"{name} is paused: ./citysense endpoint resume {name}")
        known_by = uuid.uuid4()
        _OUTBOX.open_lane(connection, endpoint_id=endpoint_id, alert_id=notice.alert_id)
        _OUTBOX.put_delivery(
            connection,
            delivery_id=known_by,
            endpoint_id=endpoint_id,
            alert_id=notice.alert_id,
            revision=1,
            kind=kind,
            level=level,
            at=at,
            notice=msgspec.json.encode(notice).decode(),
            expire_s=TEST_EXPIRE_S,
        )
        _wake(connection, endpoint_id)
    return known_by


def replay(
    connection: Connection, name: str, since: datetime, alert_id: uuid.UUID | None = None, only_missed: bool = False
) -> int:
    """Send the newest state of each alert again; of how many. Never an older one. Raises EndpointError."""
    with connection.transaction():
        endpoint_id = id_of(connection, name)
        found = list(
            _SQL.replay(connection, endpoint_id=endpoint_id, since=since, alert_id=alert_id, only_missed=only_missed)
        )
        _wake(connection, endpoint_id)
    return len(found)


def resume(connection: Connection, name: str) -> None:
    """A person has looked: its urls are tried again, what waits goes out now. Raises EndpointError."""
    with connection.transaction():
        endpoint_id = id_of(connection, name)
        _SQL.put_state(connection, endpoint_id=endpoint_id, state="active")
        _SQL.hurry(connection, endpoint_id=endpoint_id)
        _SQL.close_incidents(connection, endpoint_id=endpoint_id)
        _wake(connection, endpoint_id)


def put_state(connection: Connection, name: str, state: Literal["paused", "removed"]) -> None:
    """Raises EndpointError."""
    with connection.transaction():
        endpoint_id = id_of(connection, name)
        _SQL.put_state(connection, endpoint_id=endpoint_id, state=state)
        _wake(connection, endpoint_id)


def id_of(connection: Connection, name: str) -> uuid.UUID:
    found: uuid.UUID | None = _SQL.known(connection, name=name)
    if found is None:
        raise EndpointError(f"there is no endpoint {name!r}: ./citysense endpoint list")
    return found


def listed(connection: Connection) -> Sequence[Any]:
    return list(_SQL.list(connection))


def logged(connection: Connection, name: str, heartbeats: bool, at_most: int) -> Sequence[Any]:
    return list(_SQL.log(connection, endpoint_id=id_of(connection, name), heartbeats=heartbeats, at_most=at_most))


def incidents(connection: Connection, name: str) -> Sequence[Any]:
    return list(_SQL.incidents(connection, endpoint_id=id_of(connection, name)))


def outcome(connection: Connection, delivery_id: uuid.UUID) -> Any:
    return _SQL.outcome(connection, delivery_id=delivery_id)


def _new_secret(connection: Connection, endpoint_id: uuid.UUID, key: Fernet, overlap_s: float = 0.0) -> str:
    secret = secret_of(secrets.token_bytes(SECRET_BYTES))
    newest = _SQL.add_secret(connection, endpoint_id=endpoint_id, ciphertext=key.encrypt(secret.encode()))
    _SQL.retire_secrets(connection, endpoint_id=endpoint_id, newest=newest, overlap_s=overlap_s)
    return secret


def _wake(connection: Connection, endpoint_id: uuid.UUID) -> None:
    _OUTBOX.wake(connection, channel=ENDPOINT_CHANNEL, payload=str(endpoint_id))
    _OUTBOX.wake(connection, channel=DELIVERY_CHANNEL, payload=str(endpoint_id))


def _url_faults(url: str, may_be_plain: bool) -> list[str]:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        return [f"{url}: {error}"]
    if parsed.scheme not in ("http", "https") or not parsed.host:
        return [f"{url}: https://host/path is what is needed"]
    if parsed.userinfo or parsed.fragment:
        return [f"{url}: without user, password and #"]
    if parsed.scheme == "http" and not may_be_plain:
        return [f"{url}: https, unless it is on a network that --allow names"]
    return []


def _network_faults(cidr: str) -> list[str]:
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        return [str(error)]
    if any(one.version == network.version and network.subnet_of(one) for one in NEVER):  # type: ignore[arg-type]
        return [f"{cidr}: no endpoint can be there"]
    if network.prefixlen < (8 if network.version == 4 else 16):
        return [f"{cidr}: name the network itself, not half of the world"]
    return []
