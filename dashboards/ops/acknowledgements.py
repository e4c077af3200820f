"""Has an authority an alert in hand? It says so, signed with its endpoint's secret; the first one to say so counts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from schemas.alerts import ACKNOWLEDGED, Acknowledged, Acknowledgement
from schemas.signatures import SignatureError, verify
from schemas.topics import topic_of_domain
from sql.connect import Connection
from sql.named import named

_SQL = named("ops")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "citysense/alert/acknowledged")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class NotBelieved(Exception):
    """401: nobody whom we know has signed this."""


class Unknown(Exception):
    """404: this endpoint was never told of such an alert."""


def acknowledge(
    connection: Connection,
    key: Fernet,
    alert_id: uuid.UUID,
    endpoint: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> tuple[Acknowledged, bool]:
    """The acknowledgement that counts, and whether it is this one. Safe to repeat.

    Raises NotBelieved, Unknown, or msgspec.ValidationError when what is signed cannot be read.
    """
    endpoint_id, name = _signer(connection, key, endpoint, headers, body, now)
    said = msgspec.json.decode(body, type=Acknowledgement)
    told = _SQL.told(connection, endpoint_id=endpoint_id, alert_id=alert_id)
    if told is None:
        raise Unknown(f"{name} was not told of alert {alert_id}")
    domain, delivered_at, raised_at = told
    act: dict[str, Any] = {
        "alert_id": str(alert_id),
        "domain": domain,
        "endpoint": name,
        "revision": said.revision,
        "message_id": headers["webhook-id"][:128],
    }
    added = _SQL.acknowledge(
        connection,
        action_id=uuid.uuid5(NAMESPACE, str(alert_id)),
        topic=topic_of_domain(domain).name,
        schema=ACKNOWLEDGED,
        who=said.by,
        why=said.note,
        body=msgspec.json.encode(act).decode(),
    )
    at, who, why, by_endpoint, revision = _SQL.acknowledgement(connection, alert_id=str(alert_id))
    answer = Acknowledged(
        alert_id=alert_id,
        acknowledged_at=at,
        acknowledged_by=who,
        endpoint=by_endpoint,
        note=why,
        revision=revision,
        raised_at=raised_at,
        delivered_at=delivered_at,
    )
    return answer, added == 1


def _signer(
    connection: Connection, key: Fernet, endpoint: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> tuple[uuid.UUID, str]:
    """The endpoint whose secret made the signature."""
    if endpoint and not _NAME.fullmatch(endpoint):
        raise NotBelieved("no endpoint has such a name")
    why = "no such endpoint" if endpoint else "there is no endpoint"
    for endpoint_id, name, ciphertexts in _SQL.signers(connection, name=endpoint):
        try:
            secrets = [key.decrypt(bytes(one)).decode() for one in ciphertexts]
            verify(headers, secrets, body, now)
        except SignatureError as error:
            why = str(error)
        except InvalidToken:
            why = "its secret cannot be read here"
        else:
            return endpoint_id, name
    raise NotBelieved(why)
