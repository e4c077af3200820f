"""A town whose alerts go out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.connectors.webhooks.receivers import Receiver
from tests.connectors.webhooks.senders import Town


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    made = Town(database)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as made:
        yield made


@pytest.fixture
def another() -> Iterator[Receiver]:
    with Receiver().serving() as made:
        yield made
