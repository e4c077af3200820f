"""What does the operations centre answer? The acknowledgements of authorities, the storm of now, its own health."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import psycopg_pool
from cryptography.fernet import Fernet
from litestar import Litestar, Request, get, post
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Response

from dashboards.ops.acknowledgements import NotBelieved, Unknown, acknowledge
from dashboards.ops.storm import storm_now
from schemas.alerts import Acknowledged
from schemas.settings import Settings
from schemas.storm import StormAnswer
from sql.connect import Connection

KEY = "CITYSENSE_SECRET_KEY"
BODY_LIMIT_BYTES = 16 * 1024
CONNECTIONS = 4
WAIT_S = 3.0
RETRY_AFTER_S = 5
STATEMENT_TIMEOUT_MS = 5_000
VERSION = "1.0.0"

log = logging.getLogger("citysense.ops")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


def now() -> datetime:
    return datetime.now(UTC)


def application(settings: Settings, wall: Callable[[], datetime] = now) -> Litestar:
    """Raises ValueError without the key of the secrets."""
    key = Fernet(settings.environ.get(KEY, "").encode())
    zone = ZoneInfo(settings.district.time_zone)
    pool: psycopg_pool.ConnectionPool[Connection] = psycopg_pool.ConnectionPool(
        settings.dsn("ops"),
        min_size=0,
        max_size=CONNECTIONS,
        timeout=WAIT_S,
        max_waiting=64,
        open=False,
        check=psycopg_pool.ConnectionPool.check_connection,
        kwargs={"connect_timeout": 3, "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"},
    )

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        pool.open(wait=False)
        yield
        pool.close(2)

    @post("/alerts/{alert_id:uuid}/acknowledgements", status_code=201, sync_to_thread=True)
    def acknowledgements(
        request: Request[Any, Any, Any], alert_id: FromPath[UUID], body: RawBody, endpoint: FromQuery[str] = ""
    ) -> Response[Acknowledged | Problem]:
        """Acknowledge an alert. Signed as Standard Webhooks with the secret of the endpoint that was told of it.

        201: this acknowledgement counts. 200: an earlier one does, and is shown. Repeating it is safe.
        """
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            with pool.connection() as connection:
                found, is_first = acknowledge(connection, key, alert_id, endpoint, headers, body, wall())
        except NotBelieved as error:
            return refusal(401, str(error))
        except Unknown as error:
            return refusal(404, str(error))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return refusal(400, f"the body is not an acknowledgement: {error}")
        except (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests, psycopg.OperationalError) as error:
            log.warning("an acknowledgement cannot be stored: %s", str(error).strip())
            return refusal(503, "the database is away: send it again")
        return Response(found, status_code=201 if is_first else 200, headers={"Cache-Control": "no-store"})

    @get("/storm", sync_to_thread=True)
    def storm() -> Response[StormAnswer | Problem]:
        """The decision aid: is a storm on, what crosses next, who is blind, what is closed first, each with reasons.

        "No storm, as of .." is an answer, and so is "unknown". is_stale: the log's clock is more than 3 minutes old.
        """
        try:
            with pool.connection() as connection:
                found = storm_now(connection, wall(), zone)
        except (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests, psycopg.OperationalError) as error:
            log.warning("the storm cannot be read: %s", str(error).strip())
            return refusal(503, "the database is away: ask again")
        return Response(found, headers={"Cache-Control": "no-store"})

    @get("/health", include_in_schema=False, sync_to_thread=True)
    def health() -> Response[dict[str, str]]:
        try:
            with pool.connection(timeout=WAIT_S) as connection:
                connection.execute("select 1")
        except (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests, psycopg.OperationalError):
            return Response({"status": "the database is away"}, status_code=503)
        return Response({"status": "ok"})

    return Litestar(
        [acknowledgements, storm, health],
        lifespan=[lifespan],
        request_max_body_size=BODY_LIMIT_BYTES,
        openapi_config=OpenAPIConfig(
            title="CitySense: operations centre", version=VERSION, render_plugins=[JsonRenderPlugin()]
        ),
        exception_handlers={HTTPException: _refuse, Exception: _refuse},
        logging_config=None,
    )


def refusal(status: int, detail: str) -> Response[Any]:
    title = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable"}.get(status, "Error")
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})
    return Response(
        Problem(title=title, status=status, detail=detail),
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


def _refuse(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    if isinstance(error, HTTPException) and error.status_code < 500:
        return refusal(error.status_code, error.detail)
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal(500, "this failed; it has been logged")
