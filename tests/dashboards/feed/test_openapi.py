"""The OpenAPI document against the server that it describes: schemathesis tries to make it lie."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from dashboards.feed.files import ALL
from schemas.registers import ParkingRegister
from sql.connect import Connection
from tests.conftest import Database
from tests.dashboards.feed.servers import running, this_minute, until
from tests.dashboards.feed.tables import publish

ASKS_FOR_TIMES = ("/history", "/usable", "/{name}")  # from before to, not too long, this century: no schema says that
Case = schemathesis.Case[Any]
BOUNDED = settings(  # examples of each operation
    max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.stack
def test_the_server_does_what_its_document_says(database: Database, owner: Connection, whole: ParkingRegister) -> None:
    minute = this_minute()
    publish(owner, whole, minute)
    with running(database.settings) as feed:
        until(lambda: feed.shows(minute))
        schema = schemathesis.openapi.from_url(f"{feed.url}/openapi.json")
        tried = set()
        for result in schema.exclude(path="/parking/v1/stream").get_all_operations():  # which does not end
            assert isinstance(result, Ok)
            try_out(result.ok())
            tried.add(result.ok().path)
        assert {file.path for file in ALL} <= tried


def try_out(operation: schemathesis.APIOperation[Any, Any, Any, Any]) -> None:
    excluded: list[Any] | None = [positive_data_acceptance] if operation.path.endswith(ASKS_FOR_TIMES) else None

    @BOUNDED
    @given(case=operation.as_strategy())
    def keeps_its_word(case: Case) -> None:
        case.call_and_validate(excluded_checks=excluded)

    keeps_its_word()


@pytest.mark.stack
def test_the_document_is_openapi_3_1_with_examples(database: Database) -> None:
    with running(database.settings) as feed:
        document = msgspec.json.decode(httpx.get(f"{feed.url}/openapi.json").content)
        assert "<script" not in httpx.get(f"{feed.url}/schema").text, "nothing loads scripts from elsewhere"
    assert document["openapi"].startswith("3.1")
    assert document["info"]["license"]["name"] == "CC-BY-4.0"
    status = document["paths"]["/parking/v1/lot_status.json"]["get"]["responses"]["200"]["content"]["application/json"]
    example = next(iter(status["examples"].values()))["value"]
    assert example["data"]["lots"][0]["lot_id"] == "lh-0042"
    assert "LotStatus" in "".join(document["components"]["schemas"])
