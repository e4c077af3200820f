"""aiokafka and psycopg's executemany, as one writes it by hand: at least once, repeats left to the unique key."""

from __future__ import annotations

import asyncio

import aiokafka  # type: ignore[import-untyped]
import orjson  # type: ignore[import-not-found]
import psycopg
from job import COLUMNS, Meter, given, stored  # type: ignore[import-not-found]

TAKE = 64  # records a transaction, as the worker's
TAKE_SINGLE = 2_000


async def main() -> None:
    job = given()
    meter = Meter(job["rows"])
    take = TAKE if job["rows"] > job["records"] else TAKE_SINGLE
    marks = ", ".join(["%s"] * len(COLUMNS))
    insert = f"insert into parking_observation ({', '.join(COLUMNS)}) values ({marks}) on conflict do nothing"  # noqa: S608
    connection = psycopg.connect(
        autocommit=True, **{name: job[name] for name in ("host", "port", "dbname", "user", "password")}
    )
    series = {
        tuple(row[:3]): row[3] for row in connection.execute("select source, ref, pool, series_id from parking_series")
    }
    consumer = aiokafka.AIOKafkaConsumer(
        job["topic"], bootstrap_servers=job["bootstrap"], group_id=job["group"], auto_offset_reset="earliest",
        enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=200, max_records=take)
            rows = []
            for records in fetched.values():
                for record in records:
                    for row in orjson.loads(record.value)["rows"]:
                        told = stored(row, series)
                        rows.append([told[name] for name in COLUMNS])
            if not rows:
                continue
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(insert, rows)
            await consumer.commit()
            if meter.committed(len(rows)):
                return
    finally:
        await consumer.stop()


asyncio.run(main())
