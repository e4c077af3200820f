"""The whole platform once for all proofs: its sources begin to speak before the first test, and go on to the last."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from deploy.local import topics
from deploy.local.places import places
from deploy.local.programs import locked
from schemas.settings import Settings
from tests.conftest import Database
from tests.proof import current, current_lots, hostile, recorded, registers, repaired
from tests.proof.attack import Attacked, attack
from tests.proof.chain import Chain, answering, listens


@pytest.fixture(scope="module")
def city(stack: Settings, module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("city")
    has_samples = recorded.SAMPLES.is_dir()
    supplies = (*current.SUPPLIES, repaired.SUPPLY, *(recorded.SUPPLIES if has_samples else ()))
    lots = (*current_lots.LOTS, repaired.LOT, *hostile.LOTS, *(recorded.LOTS if has_samples else ()))
    with contextlib.ExitStack() as ends:
        ends.enter_context(locked(places(stack).instance / "kafka.lock"))
        topics.fresh_topics(stack)
        feed = ends.enter_context(answering(supplies).serving())
        chain = Chain(module_database.settings, folder, supplies, feed)
        registers.write(folder / "registers", lots, recorded.PLACES if has_samples else {}, current_lots.CLAIMS)
        told = chain.call("sql.registers", "load", str(folder / "registers"))
        assert "version 1" in told
        ends.enter_context(chain.start("worker", "streams", "worker", "--metrics-port", "-1"))
        ends.enter_context(chain.start("sweeps", "streams", "sweeps"))
        ends.enter_context(chain.start("feed", "dashboards.feed", "--port", str(chain.feed_port)))
        ends.enter_context(chain.start("connectors", "connectors", "run"))
        chain.eventually(lambda: listens(chain.push_port), "the push server listens")
        for supply in supplies:
            if supply.pushes is not None:
                for message in supply.pushes(datetime.now(UTC)):
                    answer = chain.push(supply.name, message)
                    assert answer.status_code == 200, (supply.name, answer.text)
        chain.pushed_at = datetime.now(UTC)
        yield chain


@pytest.fixture(scope="module")
def attacked(city: Chain) -> Iterator[Attacked]:
    with attack(city) as under:
        yield under
