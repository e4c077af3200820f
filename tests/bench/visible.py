"""How long from a message at the connector to a row that another connection sees?"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

import psycopg

from connectors.kafka import Publisher
from deploy.local import database as server
from deploy.local.topics import fresh_topics
from schemas.parking import Observation
from schemas.settings import Settings
from schemas.topics import PARKING_OBSERVATIONS
from sql.connect import connect
from tests.bench.figures import Figure, Measured, Target, percentile
from tests.bench.ground import Bench, count, fresh_database, register_series, until
from tests.bench.load import key_of
from tests.processes import running, settings_file

ROWS_PER_S = 1_000
EVERY_S = 0.01  # so often the next rows are due
SECONDS = 25.0
WARM_S = 5.0  # left out: the first takes load what later ones have in memory
LOOK_S = 0.003
SERIES = 5_000
PROBE = 5  # one row in so many is watched
STEPS = 3
P99 = Target(400.0)

_SEEN = """
select series_id, at from unnest(%s::int[], %s::timestamptz[]) as w (series_id, at)
where exists (select from parking_observation as o where o.series_id = w.series_id and o.at = w.at)
"""
Probe = tuple[int, datetime]  # series id and time: the key of a row


def run(bench: Bench) -> Measured:
    bench.screen.step("starting a worker")
    fresh_topics(bench.settings)
    with fresh_database(bench, "visible") as settings:
        register_series(settings, SERIES)
        ids = _ids(settings)
        file = settings_file(settings, bench.folder)
        log = bench.folder / "visible.log"
        with running(settings, file, "streams", "worker", "--metrics-port", "-1", log=log) as worker:
            with connect(settings.dsn("owner"), autocommit=True) as looking:
                fenced = "select count(*) from stream_fence"
                until(lambda: worker.poll() is not None or count(looking, fenced) > 0, "the worker starts", 60)
            bench.screen.step(f"{SECONDS:.0f} s of {ROWS_PER_S:,} rows/s")
            watch = Watch(server.admin_dsn(settings, settings.database.name))
            confirmed = asyncio.run(_publish(settings, ids, watch))
            bench.screen.step("the last rows")
            seen = watch.finish(15.0)
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended: {log.read_text()[-2000:]}")
    if watch.lost:
        raise RuntimeError(f"{watch.lost} rows were not visible 15 s after the last one")
    figures = tuple(
        Figure(
            name=f"message to visible row, p{share}",
            value=percentile(seen, share),
            unit="ms",
            reference=percentile(confirmed, share),
            beside="message to Kafka's confirmation",
            target=P99 if share == 99 else None,
        )
        for share in (50, 95, 99)
    )
    values = {f"visible_ms_p{share}": percentile(seen, share) for share in (50, 95, 99)}
    return Measured(figures, values | {"visible_rows": len(seen)})


class Watch:
    """Looks for the rows that were sent, on a connection and a thread of its own, every 3 ms."""

    def __init__(self, dsn: str) -> None:
        self.lost = 0
        self._dsn = dsn
        self._lock = threading.Lock()
        self._waiting: dict[Probe, float] = {}
        self._seen: list[float] = []
        self._stop = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def expect(self, probe: Probe, sent_at: float) -> None:
        with self._lock:
            self._waiting[probe] = sent_at

    def finish(self, within_s: float) -> list[float]:
        """Milliseconds from message to row, of all that were expected."""
        deadline = time.monotonic() + within_s
        while self._waiting and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        self._stop.set()
        self._thread.join(10)
        if self._failed is not None:
            raise self._failed
        self.lost = len(self._waiting)
        return self._seen

    def _look(self) -> None:
        try:
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                while not self._stop.wait(LOOK_S):
                    with self._lock:
                        probes = list(self._waiting)
                    if not probes:
                        continue
                    wanted = ([number for number, _ in probes], [at for _, at in probes])
                    found = connection.execute(_SEEN, wanted, prepare=True).fetchall()
                    now = time.perf_counter()
                    with self._lock:
                        for probe in found:
                            self._seen.append((now - self._waiting.pop(probe)) * 1e3)
        except BaseException as error:
            self._failed = error


async def _publish(settings: Settings, ids: list[int], watch: Watch) -> list[float]:
    """As a connector does it: rows as they come, grouped for 100 ms, ticks between. Milliseconds to confirmation."""
    publisher = Publisher(settings.bootstrap, settings.publisher, (PARKING_OBSERVATIONS,), "bench")
    publisher.start()
    confirmed: list[float] = []
    waiting: set[asyncio.Task[None]] = set()
    per_turn = int(ROWS_PER_S * EVERY_S)

    async def confirm(ticket: object, sent_at: float, counts: bool) -> None:
        await ticket.confirmed()  # type: ignore[attr-defined]
        if counts:
            confirmed.append((time.perf_counter() - sent_at) * 1e3)

    began = time.perf_counter()
    for turn in range(int(SECONDS / EVERY_S)):
        due = began + turn * EVERY_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        rows, now, sent_at = [], datetime.now(UTC), time.perf_counter()
        counts = sent_at - began > WARM_S
        for number in range(turn * per_turn, (turn + 1) * per_turn):
            source, ref = key_of(number % SERIES)
            rows.append(
                Observation(source=source, ref=ref, free=number % 90, capacity=100, observed_at=now, received_at=now)
            )
            if counts and number % PROBE == 0:
                watch.expect((ids[number % SERIES], now), sent_at)
        task = asyncio.create_task(confirm(await publisher.offer(rows), sent_at, counts))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    await publisher.close()
    return confirmed


def _ids(settings: Settings) -> list[int]:
    with connect(settings.dsn("owner")) as connection:
        rows = connection.execute("select source, ref, series_id from parking_series").fetchall()
    known = {(source, ref): series_id for source, ref, series_id in rows}
    return [known[key_of(number)] for number in range(SERIES)]
