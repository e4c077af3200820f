"""What is old of water goes, and what somebody still waits for stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.settings import Settings
from sql.connect import connect
from streams.sweep_retention import drop_old
from tests.conftest import Database

pytestmark = pytest.mark.stack


def test_old_rows_of_water_go(database: Database) -> None:
    owner = connect(database.dsn("owner"), autocommit=True)
    wall = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    old, young = wall - timedelta(days=100), wall - timedelta(days=10)
    for when in (old, young):
        owner.execute(
            "insert into water_reading (series_id, at, received_at, value, quality_source, flag, tests)"
            " values (1, %s, %s, 1, 1, 1, 0)",
            (when, when),
        )
        owner.execute("insert into water_test (source, station, received_at) values ('s', 's0', %s)", (when,))
        owner.execute(
            "insert into water_revision (series_id, at, received_at, digest, quality_source, flag, tests)"
            " values (1, %s, %s, '', 1, 1, 0)",
            (when, when),
        )
    owner.execute(
        "insert into endpoint (endpoint_id, name, url, added_by)"
        " values (gen_random_uuid(), 'a', 'https://a.example', 't')"
    )
    owner.execute("insert into delivery_lane (endpoint_id, alert_id) select endpoint_id, endpoint_id from endpoint")
    for revision, (when, state) in enumerate([(old, "delivered"), (old, "waiting"), (young, "delivered")]):
        owner.execute(
            "insert into delivery (delivery_id, endpoint_id, alert_id, revision, kind, level, at, notice, created_at,"
            " expires_at, state) select gen_random_uuid(), endpoint_id, endpoint_id, %s, 'alert', 2, %s, '{}', %s, %s,"
            " %s from endpoint",
            (revision, when, when, wall, state),
        )
    with connect(database.dsn("streams"), autocommit=True) as streams:
        while drop_old(streams, Settings().retention, wall):
            pass
    assert owner.execute("select at from water_reading").fetchall() == [(young,)]
    assert owner.execute("select at from water_revision").fetchall() == [(young,)]
    assert owner.execute("select received_at from water_test").fetchall() == [(young,)]
    assert sorted(owner.execute("select created_at, state from delivery").fetchall()) == [
        (old, "waiting"),
        (young, "delivered"),
    ]
    owner.close()
