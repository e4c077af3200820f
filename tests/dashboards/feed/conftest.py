"""A database with a register in it, for tests of the running feed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.registers import ParkingRegister
from sql.connect import Connection, connect
from tests.conftest import Database
from tests.dashboards.feed.minutes import register
from tests.dashboards.feed.tables import insert_register

LOTS = 16


@pytest.fixture
def whole() -> ParkingRegister:
    return register(LOTS)


@pytest.fixture
def owner(database: Database, whole: ParkingRegister) -> Iterator[Connection]:
    with connect(database.dsn("owner")) as connection:
        insert_register(connection, whole)
        yield connection
