"""How fast do readings of water get from Kafka into the hypertable, judged, beside raw binary COPY of the same rows?"""

from __future__ import annotations

import msgspec

from schemas.settings import Settings
from schemas.topics import WATER_READINGS
from schemas.water_registers import WaterRegister
from sql.connect import connect
from streams.water.store import READING
from tests.bench.figures import Figure, Measured, Target, median
from tests.bench.full_path import Drained, copy_chunks, drain, encoded
from tests.bench.ground import Bench, calm, count, fresh_database, new_log
from tests.bench.water_load import key_of, records, register

ROUNDS = 3
SERIES, MINUTES, ROWS_PER_RECORD = 50_000, 12, 500
STEPS = 1 + 2 * ROUNDS
TARGET = Target(0.4, "ratio", "at least")
_TABLES = {"stations": "station", "thresholds": "threshold"}


def run(bench: Bench) -> Measured:
    total = SERIES * MINUTES
    bench.screen.step(f"{total:,} readings of {SERIES:,} series into Kafka")
    sizes = new_log(bench, records(SERIES, MINUTES, ROWS_PER_RECORD), WATER_READINGS.name)
    worker: list[Drained] = []
    copy: list[Drained] = []
    chunks: list[bytes] = []
    known = register(SERIES)
    for number in range(ROUNDS):
        bench.screen.step(f"worker, round {number + 1}")
        with fresh_database(bench, "water") as settings:
            register_stations(settings, known)
            calm(settings)
            name = f"water-{number}"
            worker.append(drain(bench, settings, sizes, name, WATER_READINGS.name, READING.name))
            if not chunks:
                chunks = encoded(settings, READING)
                judged = _judged(settings)
        bench.screen.step(f"raw COPY, round {number + 1}")
        with fresh_database(bench, "copy") as settings:
            calm(settings)
            copy.append(copy_chunks(settings, chunks, total, READING))
    rate, raw = median([one.rows_per_s for one in worker]), median([one.rows_per_s for one in copy])
    client, server = median([one.client_us for one in worker]), median([one.server_us for one in worker])
    figures = (
        Figure(
            name=f"water: Kafka to hypertable, {SERIES:,} series judged",
            value=rate,
            unit="rows/s",
            reference=raw,
            beside="raw binary COPY",
            target=TARGET,
        ),
        Figure(
            name="  CPU of the worker",
            value=client,
            unit="us/row",
            reference=median([one.client_us for one in copy]),
            beside="client of COPY",
        ),
        Figure(
            name="  CPU of its backend",
            value=server,
            unit="us/row",
            reference=median([one.server_us for one in copy]),
            beside="backend of COPY",
        ),
    )
    values = {
        "water_full_path_vs_copy": rate / raw,
        "water_rows_per_s": rate,
        "water_worker_us_per_row": client,
        "water_backend_us_per_row": server,
        "water_worker_rss_mb": max(one.peak_mb for one in worker),
        "water_judged": judged,
    }
    return Measured(figures, values)


def register_stations(settings: Settings, known: WaterRegister) -> None:
    """Stations and thresholds as they are on every day but the first, and the series that they report."""
    with connect(settings.dsn("owner")) as connection, connection.cursor() as cursor:
        for name, table in _TABLES.items():
            rows = getattr(known, name)
            columns = ", ".join(f'"{column}"' for column in type(rows[0]).__struct_fields__)
            with cursor.copy(f"copy {table} ({columns}) from stdin".encode()) as copy:
                for row in rows:
                    copy.write_row(msgspec.structs.astuple(row))
        series = "copy water_series (source, station, element, first_seen) from stdin"
        with cursor.copy(series) as copy:
            for number in range(len(known.stations)):
                copy.write_row((*key_of(number), "level_m", "2026-01-01T00:00:00Z"))


def _judged(settings: Settings) -> dict[str, int]:
    """What the judging found: without it the figure would mean nothing. Raises RuntimeError when it found nothing."""
    with connect(settings.dsn("owner")) as connection:
        found = {
            "not_good": count(connection, "select count(*) from water_reading where flag <> 1"),
            "alerts": count(connection, "select count(*) from alert where kind = 'flood'"),
            "dead_letters": count(connection, "select count(*) from dead_letter"),
        }
    if not found["not_good"] or not found["alerts"] or found["dead_letters"]:
        raise RuntimeError(f"the readings were not judged as they should be: {found}")
    return found
