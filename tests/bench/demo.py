"""How soon after the tick is a minute published, and how much memory does the whole demo hold? On the real demo."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
from psycopg import sql

from dashboards.feed.files import LOT_STATUS
from deploy.local import database as server
from deploy.local import district, platform
from deploy.local.progress import Silent
from deploy.local.stack import up
from deploy.local.topics import fresh_topics
from schemas.minute import LotMinute
from schemas.settings import Settings
from streams.parking.store import OBSERVATION
from tests.bench.figures import Figure, Measured, Target, median
from tests.bench.ground import Bench, TooSlow, count, until

TICKS = 3
LOOK_S = 0.1  # ten requests a second are what the feed allows one address
PUBLISHED_WITHIN_S = 30.0
AFTER_TICK_S = Target(5.0)
MEMORY_MB = Target(2048.0)
STEPS = 4 + TICKS
MINUTE = timedelta(minutes=1)
_LAST_UPDATED = re.compile(rb'"last_updated":\s*"([^"]+)"')

_SHIFTED = {"at", "observed_at", "received_at", "minute"}


def _copied(columns: Sequence[str]) -> str:
    """The columns of a row as it would have been n minutes ago."""
    return ", ".join(f"{one} - n * interval '1 minute'" if one in _SHIFTED else one for one in columns)


# What a platform has after three weeks: a day of observations, and those minutes that a forecast looks back on.
_HISTORY = (
    f"""insert into parking_observation ({", ".join(OBSERVATION.columns)})
    select {_copied(OBSERVATION.columns)}
    from (select distinct on (series_id) * from parking_observation order by series_id, at desc) as o
    cross join generate_series(120, 1440) as n
    on conflict do nothing""",  # noqa: S608 our columns
    f"""insert into parking_minute ({", ".join(LotMinute.__struct_fields__)})
    select {_copied(LotMinute.__struct_fields__)}
    from parking_minute
    cross join (select w * 10080 + d as n from generate_series(1, 3) as w, generate_series(-60, 120, 5) as d) as back
    where minute = (select max(minute) from parking_minute) and revision = 1
    on conflict do nothing""",  # noqa: S608 our columns
)


def run(bench: Bench) -> Measured:
    bench.screen.step("an empty database and an empty log")
    settings = _emptied(bench.settings)
    bench.screen.step("starting the platform and the district")
    platform.start(settings, Silent(), demo=True, overlay=district.prepare(settings, Silent()))
    try:
        return _measured(bench, settings)
    finally:
        platform.stop(settings, Silent())


def _measured(bench: Bench, settings: Settings) -> Measured:
    url = f"http://127.0.0.1:{settings.ports.feed}{LOT_STATUS}"
    with (
        httpx.Client(headers={"Accept-Encoding": "gzip"}, timeout=5) as http,
        psycopg.connect(server.admin_dsn(settings, settings.database.name), autocommit=True) as database,
    ):
        bench.screen.step("waiting for the first minutes")
        until(
            lambda: count(database, "select count(*) from parking_minute_run") >= 2,
            "two minutes are computed",
            150,
            0.5,
        )
        bench.screen.step("history: a day of observations, weeks of minutes")
        for statement in _HISTORY:
            database.execute(statement.encode())
        database.execute("analyze")
        published: list[float] = []
        memory: list[float] = []
        committed = _Committed(settings)
        try:
            for number in range(TICKS):
                tick = _next_tick(datetime.now(UTC))
                bench.screen.step(f"tick {number + 1} of {TICKS}")
                time.sleep(max(0.0, (tick - datetime.now(UTC)).total_seconds()))
                published.append(_published_after(http, url, tick))
                memory.append(sum(fare.rss_mb for fare in platform.fares(settings)))
        finally:
            committed.stop()
        parts = {fare.name: fare.rss_mb for fare in platform.fares(settings)}
        lots = count(
            database, "select count(*) from parking_minute where minute = (select max(minute) from parking_minute)"
        )
    seen = [committed.after_tick[at] for at in sorted(committed.after_tick)][-TICKS:]
    figures = (
        Figure(
            name=f"minute of {lots} lots published after its tick (worst of {TICKS})",
            value=max(published),
            unit="s",
            reference=max(seen) if seen else None,
            beside="minute committed",
            target=AFTER_TICK_S,
        ),
        Figure(name="memory of the whole demo", value=max(memory), unit="MB", target=MEMORY_MB),
    )
    values = {
        "publish_after_tick_s": max(published),
        "publish_after_tick_median_s": median(published),
        "published_after_ticks_s": published,
        "committed_after_ticks_s": seen,
        "demo_rss_mb": max(memory),
        "demo_rss_parts_mb": parts,
        "demo_lots": lots,
    }
    return Measured(figures, values)


def _emptied(settings: Settings) -> Settings:
    """The instance's own database and topics, as new."""
    platform.stop(settings, Silent())
    with psycopg.connect(server.admin_dsn(settings, "postgres"), autocommit=True) as connection:
        name = sql.Identifier(settings.database.name)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
    fresh_topics(settings)
    return up(district.with_broker(settings))


def _published_after(http: httpx.Client, url: str, tick: datetime) -> float:
    """Seconds from the tick until the feed answers with it."""
    while True:
        found = _LAST_UPDATED.search(http.get(url).content)
        now = datetime.now(UTC)
        if found is not None and datetime.fromisoformat(found[1].decode()) >= tick:
            return (now - tick).total_seconds()
        if (now - tick).total_seconds() > PUBLISHED_WITHIN_S:
            raise TooSlow(f"minute {tick:%H:%M} was not published within {PUBLISHED_WITHIN_S:.0f} s")
        time.sleep(LOOK_S)


def _next_tick(now: datetime) -> datetime:
    """The next whole minute that is not already upon us."""
    return (now + MINUTE + timedelta(seconds=1)).replace(second=0, microsecond=0)


class _Committed:
    """When each minute was committed, as its notification tells."""

    def __init__(self, settings: Settings) -> None:
        self.after_tick: dict[datetime, float] = {}
        self._stop = threading.Event()
        self._dsn = server.admin_dsn(settings, settings.database.name)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _listen(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("listen parking_minute")
            while not self._stop.is_set():
                for told in connection.notifies(timeout=0.5):
                    minute = datetime.fromisoformat(told.payload.rpartition("/")[0])
                    self.after_tick.setdefault(minute, (datetime.now(UTC) - minute).total_seconds())
