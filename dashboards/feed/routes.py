"""What can be asked beyond the prepared files? Snapshots, deltas, histories, dumps, arrivals, the stream.

Prepared files have routes too: for the OpenAPI document, and for paths that a client has spelt in another way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
import psycopg
from litestar import Request, get, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import FromPath, FromQuery, HeaderParameter, PathParameter, QueryParameter
from litestar.types import ASGIApp

from dashboards.feed import problems
from dashboards.feed.answers import Answer, cors, refusal
from dashboards.feed.asked import BadRequest, NotThere, dump_name, instant, snapshot_minute, stay
from dashboards.feed.dumps import Dumps
from dashboards.feed.edition import Edition
from dashboards.feed.example import example
from dashboards.feed.files import ALL, BY_PATH, JSON, LOT_STATUS, File
from dashboards.feed.history import SPANS, LotHistory, Resolution
from dashboards.feed.lookup import Away, Lookup
from dashboards.feed.recent import Recent
from dashboards.feed.records import Envelope, LotStatusData
from dashboards.feed.replies import event_reply, file_reply, reply
from dashboards.feed.site import Site, unavailable
from dashboards.feed.stream import Full, Stream, seq_of
from dashboards.feed.usable import UsableData, usable
from dashboards.feed.views.discovery import ROOT
from schemas.civil import calendar_of

AWAY_RETRY_S = 5
DATE_TIME = {"format": "date-time", "examples": ["2026-11-24T18:40:00+08:00"]}

Asked = Request[Any, Any, Any]


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        problems.Problem, description=description, media_type=problems.MEDIA_TYPE, generate_examples=False
    )


def _good(record: Any, media_type: str = JSON, example: Any = None) -> ResponseSpec:
    examples = None if example is None else [Example(summary="a minute", value=example)]
    return ResponseSpec(
        record or str, description="as asked", media_type=media_type, generate_examples=False, examples=examples
    )


NOT_MODIFIED = ResponseSpec(None, description="what the client has is current", generate_examples=False)
COMMON = {304: NOT_MODIFIED, 400: _problem("the request cannot be understood"), 406: _problem("no encoding suits")}
BUSY = {429: _problem("too many requests"), 503: _problem("the database is away, or no minute has been read yet")}


def _reading(path: str, handler: Callable[..., Any], *, responses: dict[int, ResponseSpec], tag: str) -> list[Any]:
    """GET as documented, and HEAD beside it."""
    documented: HTTPRouteHandler = get(
        path, responses={**COMMON, **BUSY, **responses}, tags=[tag], summary=(handler.__doc__ or "").strip()
    )(handler)
    silent = route(path, http_method=[HttpMethod.HEAD], include_in_schema=False)(handler)
    return [documented, silent]


def routes(site: Site, lookup: Lookup, stream: Stream, dumps: Dumps) -> list[Any]:
    """The handlers of one process."""
    minute = example()
    learner = Learner(lookup, site.recent)
    found: list[Any] = []
    for file in ALL:
        if file.path != LOT_STATUS:
            found += _file_routes(site, file, minute)

    async def lot_status(
        request: Asked,
        since_seq: Annotated[
            int | None,
            QueryParameter(
                ge=0,
                le=2**62,
                schema_extra={"minimum": 0, "maximum": 2**62},
                description="content_seq that the client has: only lots that changed since",
            ),
        ] = None,
    ) -> ASGIApp:
        """The state of every lot, or of those that changed since a content_seq."""
        edition = site.edition
        if edition is None:
            return reply(unavailable())
        if since_seq is None:
            return _prepared(site, request, LOT_STATUS)
        await learner.learn(since_seq, edition)
        found = site.recent.since(since_seq)
        if found is None:
            return reply(unavailable())
        return reply(site.prepared_answer(request.method, _headers(request), found))

    shown = msgspec.json.decode(BY_PATH[LOT_STATUS].render(minute))
    found += _reading(
        LOT_STATUS, lot_status, responses={200: _good(Envelope[LotStatusData], JSON, shown)}, tag="minute"
    )

    async def snapshot(
        request: Asked,
        name: Annotated[str, PathParameter(description="2026-11-24T1031+0800.json")],
        revision: Annotated[
            int | None, QueryParameter(ge=1, le=10_000, schema_extra={"minimum": 1, "maximum": 10_000})
        ] = None,
        as_of: Annotated[
            str | None, QueryParameter(description="the newest revision that was known then", schema_extra=DATE_TIME)
        ] = None,
    ) -> ASGIApp:
        """lot_status.json of any minute as it was published; it never changes. Revisions and as_of show corrections."""
        at = snapshot_minute(name)
        known_at = None if as_of is None else instant("as_of", as_of)
        kept, number = await lookup.ask(lambda connection: lookup.status_of(connection, at, revision, known_at))
        policy: Literal["tick", "immutable"] = "immutable" if known_at is None else "tick"
        answer = site.prepared_answer(request.method, _headers(request), msgspec.structs.replace(kept, policy=policy))
        location = f"{ROOT}/snapshots/{name}?revision={number}"
        return reply(msgspec.structs.replace(answer, headers={**answer.headers, "Content-Location": location}))

    found += _reading(
        f"{ROOT}/snapshots/{{name:str}}",
        snapshot,
        responses={200: _good(Envelope[LotStatusData]), 404: _problem("there is no such minute")},
        tag="history",
    )

    async def history(
        request: Asked,
        lot_id: FromPath[str],
        start: Annotated[
            str | None, QueryParameter(name="from", description="a day before `to` if left out", schema_extra=DATE_TIME)
        ] = None,
        until: Annotated[str | None, QueryParameter(name="to", schema_extra=DATE_TIME)] = None,
        resolution: FromQuery[Resolution] = "1m",
        as_of: Annotated[
            str | None, QueryParameter(description="what was known then; now if left out", schema_extra=DATE_TIME)
        ] = None,
    ) -> ASGIApp:
        """The minutes of a lot, corrections applied, alone or in buckets of 15 minutes or an hour."""
        edition = site.edition
        if edition is None:
            return reply(unavailable())
        end = edition.next_tick if until is None else instant("to", until)
        begin = end - timedelta(days=1) if start is None else instant("from", start)
        known_at = datetime.now(UTC) if as_of is None else instant("as_of", as_of)
        _check_span(begin, end, resolution)
        if begin < edition.minute - timedelta(days=site.settings.feed.history_days):
            raise BadRequest(f"History is kept for {site.settings.feed.history_days} days.")
        document = await lookup.ask(
            lambda connection: lookup.history(connection, lot_id, begin, end, resolution, known_at)
        )
        return _fresh(site, request, await asyncio.to_thread(msgspec.json.encode, document), edition.minute)

    found += _reading(
        f"{ROOT}/lots/{{lot_id:str}}/history",
        history,
        responses={200: _good(LotHistory), 404: _problem("there is no such lot")},
        tag="history",
    )

    async def usable_lots(
        request: Asked,
        eta: Annotated[str, QueryParameter(description="arrival, with offset", schema_extra=DATE_TIME)],
        staying: Annotated[
            str, QueryParameter(name="stay", description="ISO 8601", schema_extra={"format": "duration"})
        ] = "PT1H",
    ) -> ASGIApp:
        """Whether a driver who arrives then and stays so long can use each lot."""
        arrival, length = instant("eta", eta), stay(staying)
        edition = site.edition
        if edition is None:
            return reply(unavailable())
        district = site.settings.district
        calendar = calendar_of(district.time_zone, district.holiday_country, edition.register.calendar)
        body = await asyncio.to_thread(usable, edition.snapshot, edition.register, calendar, arrival, length)
        return _fresh(site, request, body, edition.minute)

    found += _reading(f"{ROOT}/lots/usable", usable_lots, responses={200: _good(Envelope[UsableData])}, tag="minute")

    async def dump(
        request: Asked, name: Annotated[str, PathParameter(description="2026-11-23.csv or .parquet")]
    ) -> ASGIApp:
        """A whole day of all lots, minute by minute, once the day is over."""
        wanted = dump_name(name)
        try:
            file = await asyncio.to_thread(dumps.file, wanted)
        except psycopg.OperationalError as error:
            raise Away from error
        packed = wanted.kind == "csv"
        media_type = "text/csv; charset=utf-8" if packed else "application/vnd.apache.parquet"
        head = site.file_answer(request.method, _headers(request), file.digest, media_type, file.made_at, packed)
        if head.status != 200:
            return reply(head)
        fields = dict(head.headers)
        unpacks = packed and "Content-Encoding" not in fields
        if unpacks:
            del fields["Content-Length"]  # its length is known when it has been unpacked
        else:
            fields["Content-Length"] = str(file.bytes)
        found = msgspec.structs.replace(head, headers=fields)
        return reply(found) if request.method == "HEAD" else file_reply(found, file.path, unpacks=unpacks)

    found += _reading(
        f"{ROOT}/dumps/{{name:str}}",
        dump,
        responses={200: _good(None, "text/csv"), 404: _problem("there is no such day")},
        tag="history",
    )

    async def events(
        request: Asked,
        last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=128)] = None,
    ) -> ASGIApp:
        """Server-sent events: `snapshot` with all lots first, then `delta` at each tick; Last-Event-ID resumes."""
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            **cors(),
        }
        if request.method == "HEAD":
            return reply(Answer(200, headers, b""))
        edition = site.edition
        if edition is None:
            return reply(unavailable())
        seq = seq_of(last_event_id)
        if seq is not None:
            await learner.learn(seq, edition)
        try:
            client = stream.join(site.address_of(request.scope))
        except Full:
            return reply(refusal(503, "Too many clients listen already.", 30))
        return event_reply(headers, stream.events(client, last_event_id))

    found += _reading(f"{ROOT}/stream", events, responses={200: _good(None, "text/event-stream")}, tag="minute")
    return found


def refused(error: Exception) -> Answer | None:
    """The answer to what a handler raised on purpose."""
    if isinstance(error, BadRequest):
        return refusal(400, str(error))
    if isinstance(error, NotThere):
        return refusal(404, str(error))
    if isinstance(error, Away):
        return refusal(503, "This answer needs the database, which is away.", AWAY_RETRY_S)
    return None


def _file_routes(site: Site, file: File, minute: Any) -> list[Any]:
    async def prepared_file(request: Asked) -> ASGIApp:
        return _prepared(site, request, file.path)

    prepared_file.__doc__ = file.title_en
    shown = msgspec.json.decode(file.render(minute)) if file.record is not None else None
    spec = _good(file.record, file.media_type.partition(";")[0], shown)
    return _reading(file.path, prepared_file, responses={200: spec}, tag=file.family)


def _prepared(site: Site, request: Asked, path: str) -> ASGIApp:
    found = site.respond(request.method, path.encode(), _headers(request))
    return reply(unavailable() if found is None else found)


def _fresh(site: Site, request: Asked, body: bytes, modified_at: datetime) -> ASGIApp:
    return reply(site.fresh_answer(request.method, _headers(request), body, JSON, modified_at))


def _headers(request: Asked) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in request.scope["headers"]:
        found[name] = found[name] + b", " + value if name in found else value
    return found


def _check_span(begin: datetime, end: datetime, resolution: Resolution) -> None:
    if begin >= end:
        raise BadRequest("from must lie before to.")
    if end - begin > SPANS[resolution]:
        days = SPANS[resolution].days
        raise BadRequest(
            f"At resolution {resolution} a range has {days} days at most; ask in pieces, or take the dumps."
        )


class Learner:
    """Asks the database what was said before this process began; once, however many clients want to know."""

    def __init__(self, lookup: Lookup, recent: Recent) -> None:
        self.lookup = lookup
        self.recent = recent
        self.one_at_a_time = asyncio.Lock()

    async def learn(self, content_seq: int, edition: Edition) -> None:
        async with self.one_at_a_time:
            if self.recent.is_settled(content_seq):
                return
            try:
                found = await self.lookup.ask(
                    lambda connection: self.lookup.marks_of(connection, content_seq, edition.minute)
                )
            except Away:
                return  # the client gets all lots
            self.recent.learn(content_seq, found)
