"""What is one feed process made of? The site, the stream, the lookups and the routes, as one ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Litestar, Request, get
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Contact, License
from litestar.response import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from dashboards.feed import metrics, static
from dashboards.feed.answers import Answer, refusal
from dashboards.feed.dumps import Dumps
from dashboards.feed.encodings import prepared
from dashboards.feed.lookup import Lookup
from dashboards.feed.records import VERSION
from dashboards.feed.replies import reply
from dashboards.feed.routes import refused, routes
from dashboards.feed.site import Site
from dashboards.feed.snapshot import publisher_of
from dashboards.feed.stream import Stream
from dashboards.feed.watch import Watch
from schemas.civil import calendar_of, day_kind
from schemas.settings import Settings

SECOND_S = 1.0
LOOPBACK = ("127.0.0.1", "::1")

log = logging.getLogger("citysense.feed")


class Application:
    """ASGI. `site` is what the front protocol answers from before this is called."""

    def __init__(self, settings: Settings) -> None:
        publisher = publisher_of(settings)
        dsn = settings.dsn("feed")
        self.site = Site(settings, static.page_files())
        self.stream = Stream(self.site.recent)
        self.site.listeners.append(self.stream.publish)
        self.lookup = Lookup(dsn, publisher)
        self.dumps = Dumps(dsn, publisher.zone, settings.feed.dumps_dir, settings.feed.dumps_kept)
        self.watch = Watch(dsn, publisher, self._publish, self._database)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.litestar = Litestar(
            [*routes(self.site, self.lookup, self.stream, self.dumps), *_inside(self)],
            openapi_config=OpenAPIConfig(
                title=f"{settings.feed.publisher_en}: parking feed",
                version=VERSION,
                description="Availability of every car park of the district, each minute. Reading needs no key.",
                contact=Contact(email=settings.feed.contact),
                license=License(name=settings.feed.licence, url=settings.feed.licence_url),
                render_plugins=[JsonRenderPlugin()],  # the other ones load scripts from elsewhere
            ),
            lifespan=[self._lifespan],
            exception_handlers={HTTPException: _refuse, Exception: _refuse},
            logging_config=None,
        )
        document = msgspec.json.encode(self.litestar.openapi_schema.to_schema())
        self.site.static = {
            **self.site.static,
            "/openapi.json": prepared(document, "application/json", datetime.now(UTC).replace(microsecond=0), "static"),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.litestar(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        self.loop = asyncio.get_running_loop()
        self.lookup.pool.open(wait=False)
        self.watch.thread.start()
        seconds = asyncio.create_task(self._seconds())
        district = self.site.settings.district
        calendar = calendar_of(district.time_zone, district.holiday_country)
        # the holidays of a year take a second to read: before the first arrival is asked for, not in it
        await asyncio.to_thread(day_kind, calendar, datetime.now(UTC).date())
        try:
            yield
        finally:
            seconds.cancel()
            self.watch.stop()
            self.stream.close()
            await asyncio.to_thread(self.watch.thread.join, 5)
            await asyncio.to_thread(self.lookup.pool.close, 2)
            self.dumps.close()

    async def _seconds(self) -> None:
        """max-age, X-Next-Update and Date move each second, so what was written for one is forgotten with it."""
        while True:
            await asyncio.sleep(SECOND_S)
            self.site.memo.clear()

    def _publish(self, edition: Any) -> None:
        self._in_loop(self.site.publish, edition)

    def _database(self, there: bool, at: datetime) -> None:
        self._in_loop(lambda: self.site.database_is(there=there, at=at))

    def _in_loop(self, call: Any, *arguments: Any) -> None:
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(call, *arguments)


def _inside(application: Application) -> list[Any]:
    """What only this machine may ask: a proxy of ours would say for whom it asks."""

    @get("/health", include_in_schema=False)
    async def health(request: Request[Any, Any, Any]) -> ASGIApp:
        if not _is_local(request.scope):
            return reply(_hidden())
        site, now = application.site, datetime.now(UTC)
        since = site.stale_since(now)
        edition = site.edition
        body = msgspec.json.encode(
            {
                "status": "starting" if edition is None else "stale" if since else "ok",
                "minute": None if edition is None else edition.minute,
                "stale_since": since,
                "database": "away" if site.database_lost_at else "up",
            }
        )
        fields = {"Content-Type": "application/json", "Cache-Control": "no-store", "Content-Length": str(len(body))}
        return reply(Answer(503 if edition is None else 200, fields, body))

    @get("/metrics", include_in_schema=False)
    async def show_metrics(request: Request[Any, Any, Any]) -> ASGIApp:
        if not _is_local(request.scope):
            return reply(_hidden())
        body = metrics.exposition(application.site, application.stream)
        fields = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Content-Length": str(len(body))}
        return reply(Answer(200, fields, body))

    return [health, show_metrics]


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    forwarded = any(name in (b"x-forwarded-for", b"forwarded", b"x-real-ip") for name, _ in scope["headers"])
    return client is not None and client[0] in LOOPBACK and not forwarded


def _hidden() -> Answer:
    return refusal(404, "There is nothing here.")


def _refuse(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    found = refused(error)
    if found is None and isinstance(error, HTTPException) and error.status_code < 500:
        detail = error.detail
        extra = getattr(error, "extra", None)
        if isinstance(extra, list):
            detail += ": " + "; ".join(
                f"{item.get('key')}: {item.get('message')}" for item in extra if isinstance(item, dict)
            )
        found = refusal(error.status_code, detail)
    if found is None:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        found = refusal(500, "The feed failed to answer this; it has been logged.")
    media_type = found.headers["Content-Type"]
    headers = {name: value for name, value in found.headers.items() if name not in ("Content-Type", "Content-Length")}
    body = b"" if request.method == "HEAD" else found.body
    return Response(body, status_code=found.status, headers=headers, media_type=media_type)
