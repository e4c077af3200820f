"""quixstreams with its PostgreSQLSink, as its documentation has it: batches are written at each checkpoint.

The sink takes the columns of a batch from its first row, so what that row leaves out is not written for the others
either: that is less work than the worker's, and it is left so.
"""

from __future__ import annotations

from typing import Any

import orjson  # type: ignore[import-not-found]
import psycopg2  # type: ignore[import-not-found,import-untyped,unused-ignore]
from job import Meter, given, stored  # type: ignore[import-not-found]
from quixstreams import Application  # type: ignore[import-not-found]
from quixstreams.sinks.community.postgresql import PostgreSQLSink  # type: ignore[import-not-found]

TAKE = 64  # records a checkpoint, as the worker's
TAKE_SINGLE = 2_000


def main() -> None:
    job = given()
    meter = Meter(job["rows"])
    place = {name: job[name] for name in ("host", "port", "dbname", "user", "password")}
    with psycopg2.connect(**place) as connection, connection.cursor() as cursor:
        cursor.execute("select source, ref, pool, series_id from parking_series")
        series = {tuple(row[:3]): row[3] for row in cursor}
    application = Application(
        broker_address=job["bootstrap"],
        consumer_group=job["group"],
        auto_offset_reset="earliest",
        commit_every=TAKE if job["rows"] > job["records"] else TAKE_SINGLE,
        loglevel="WARNING",
    )
    sink = PostgreSQLSink(
        **place,
        table_name="parking_observation",
        schema_auto_update=False,
        include_metadata=False,
        on_conflict_do_nothing=True,
    )
    write = sink.write

    def metered(batch: Any) -> None:
        write(batch)
        if meter.committed(batch.size):
            application.stop()

    sink.write = metered
    topic = application.topic(job["topic"], value_deserializer="bytes", key_deserializer="bytes")
    frame = application.dataframe(topic)
    frame = frame.apply(lambda value: [stored(row, series) for row in orjson.loads(value)["rows"]], expand=True)
    frame.sink(sink)
    application.run()


main()
