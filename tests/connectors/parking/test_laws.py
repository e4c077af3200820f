"""Which laws does every decoder keep, whatever arrives?"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.decoding import Decoded, SourceContext
from connectors.formats import DECODERS
from connectors.parking import freiburg
from schemas import batch
from schemas.source import Reject
from tests.connectors.parking.test_golden import CASES, load

RECEIVED_AT = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
CONTEXT = SourceContext(source="law", received_at=RECEIVED_AT, zone=ZoneInfo("Asia/Shanghai"))

# The document of a format around its lots. Decoders that are pushed one message at a time are not here.
DOCUMENT_OF: dict[str, Callable[[list[Any]], Any]] = {
    "hdb": lambda lots: {"items": [{"carpark_data": lots}]},
    "lta": lambda lots: {"value": lots},
    "hongkong": lambda lots: {"results": lots},
    "hongkong-flat": lambda lots: {"car_park": lots},
    "parkapi-v1": lambda lots: {"last_updated": "2026-11-24T02:30:00", "lots": lots},
    "parkapi-v3": lambda lots: {"items": lots, "total_count": len(lots)},
    "npr": lambda lots: lots,
    "opendatasoft": lambda lots: {"total_count": len(lots), "results": lots},
    "ngsi-v2": lambda lots: lots,
    "freiburg": lambda lots: {"type": "FeatureCollection", "features": lots},
    "karlsruhe": lambda lots: {"type": "FeatureCollection", "features": lots},
    "ea": lambda lots: {"items": lots},
    "usgs": lambda lots: {"type": "FeatureCollection", "features": lots},
}
PULLED = sorted(DOCUMENT_OF)
LOTS_OF: dict[str, Callable[[Any], list[Any]]] = {
    "hdb": lambda document: document["items"][0]["carpark_data"],
    "lta": lambda document: document["value"],
    "hongkong": lambda document: document["results"],
    "hongkong-flat": lambda document: document["car_park"],
    "parkapi-v1": lambda document: document["lots"],
    "parkapi-v3": lambda document: document["items"],
    "npr": lambda document: document if isinstance(document, list) else [document],
    "opendatasoft": lambda document: document if isinstance(document, list) else document["results"],
    "ngsi-v2": lambda document: document,
    "freiburg": lambda document: document["features"],
    "karlsruhe": lambda document: document["features"],
    "ea": lambda document: document["items"],
    "usgs": lambda document: document["features"],
}

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "-1", "490 (79%)", "NaN", "\x00", "x" * 300, "1970-01-01T00:00:00Z", "9999-12-31 23:59:59"]
    ),
    st.sampled_from(
        ["'; drop table parking_observation; --", "open", "C", "A", "MONTHLY", "T", "2026-11-24T02:30:00Z"]
    ),
)
numbers = st.one_of(
    st.integers(-10, 2000),
    st.sampled_from([0, -1, -999, 1e308, -1e308, 7.5, 10**30, 2**63, 1795487400, 1e-320]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every place in a document, the root among them."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] + [path for key, child in children for path in paths(child, (*at, key))]


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@st.composite
def broken_lots(draw: st.DrawFn, name: str) -> list[Any]:
    """The lots of this format's normal case, each with arbitrary values in one or two arbitrary places."""
    payload, _ = load(f"{name}/normal")
    lots = []
    for lot in LOTS_OF[name](json.loads(payload.decode("utf-8-sig"))):
        for _ in range(draw(st.integers(0, 2))):
            lot = changed(lot, draw(st.sampled_from(paths(lot))), draw(values))
        lots.append(lot)
    return lots


def decode(name: str, document: Any, context: SourceContext = CONTEXT) -> Decoded:
    return DECODERS[name](json.dumps(document).encode(), context)


def told(decoded: Decoded) -> tuple[list[Any], list[Any]]:
    """Rows without the name of their payload, and rejects."""
    return [msgspec.structs.replace(row, raw_ref=None) for row in decoded.rows], decoded.rejects


def assert_travels(decoded: Decoded) -> None:
    """Rows and rejects go through Kafka and come out as they went in."""
    for row in [*decoded.rows, *decoded.rejects]:
        schema = batch.SCHEMA_OF[type(row)]
        arrived = batch.decode(batch.encode(schema, [row]))
        assert arrived.bad == []
        assert arrived.each() == [row]


few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", sorted(DECODERS))
@few
@given(payload=st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_any_bytes_are_answered(name: str, payload: bytes) -> None:
    assert_travels(DECODERS[name](payload, CONTEXT))


@pytest.mark.parametrize("name", sorted(DECODERS))
@few
@given(document=values)
def test_any_json_is_answered(name: str, document: Any) -> None:
    assert_travels(decode(name, document))


@pytest.mark.parametrize("case", CASES)
@few
@given(data=st.data())
def test_a_spoiled_payload_is_answered(case: str, data: st.DataObject) -> None:
    payload, context = load(case)
    start = data.draw(st.integers(0, min(len(payload), 4000)))
    spoiled = payload[:start] + data.draw(st.binary(max_size=8)) + payload[start + data.draw(st.integers(0, 8)) :]
    assert_travels(DECODERS[case.split("/")[0]](spoiled, context))


@pytest.mark.parametrize("name", PULLED)
@few
@given(data=st.data())
def test_every_lot_is_accounted_for_alone_and_among_neighbours(name: str, data: st.DataObject) -> None:
    lots = data.draw(broken_lots(name))
    together = decode(name, DOCUMENT_OF[name](lots))
    apart = [decode(name, DOCUMENT_OF[name]([lot])) for lot in lots]
    assert_travels(together)
    assert all(one.items >= 1 for one in apart)
    assert told(together) == ([row for one in apart for row in told(one)[0]], [r for one in apart for r in one.rejects])


@pytest.mark.parametrize("name", PULLED)
@few
@given(data=st.data())
def test_a_reject_is_a_document_of_its_item_alone(name: str, data: st.DataObject) -> None:
    for first in decode(name, DOCUMENT_OF[name](data.draw(broken_lots(name)))).rejects:
        again = DECODERS[name](first.raw.encode(), CONTEXT)
        assert again.rows == []
        assert [one.reason for one in again.rejects] == [first.reason]


@few
@given(infos=st.lists(values, min_size=1, max_size=5))
def test_hdb_every_kind_of_space_of_a_park_is_an_item(infos: list[Any]) -> None:
    assert decode("hdb", DOCUMENT_OF["hdb"]([{"carpark_number": "A1", "carpark_info": infos}])).items == len(infos)


@few
@given(kinds=st.lists(st.lists(values, max_size=4), min_size=1, max_size=4))
def test_hongkong_flat_every_service_is_an_item_and_a_kind_without_any_is_one(kinds: list[list[Any]]) -> None:
    park = {"park_id": "p1", "vehicle_type": [{"type": "P", "service_category": services} for services in kinds]}
    assert decode("hongkong-flat", {"car_park": [park]}).items == sum(max(1, len(services)) for services in kinds)


@few
@given(
    entries=st.lists(
        st.dictionaries(st.sampled_from(["vacancy", "vacancyEV", "vacancyDIS", "vacancyUNL", "lastupdate"]), values),
        min_size=1,
        max_size=4,
    )
)
def test_hongkong_every_number_of_an_entry_is_an_item(entries: list[dict[str, Any]]) -> None:
    wanted = sum(max(1, sum(name != "lastupdate" for name in entry)) for entry in entries)
    assert decode("hongkong", {"results": [{"park_Id": "1", "privateCar": entries}]}).items == wanted


@few
@given(document=values)
def test_freiburg_positions_read_or_say_why_not(document: Any) -> None:
    found = freiburg.positions(json.dumps({"features": [document]}).encode())
    assert len(found) <= 1


@pytest.mark.parametrize("name", PULLED)
def test_more_rows_than_allowed_are_one_reject(name: str) -> None:
    payload, context = load(f"{name}/normal")
    items = DECODERS[name](payload, context).items
    (only,) = DECODERS[name](payload, msgspec.structs.replace(context, rows_limit=items - 1)).rejects
    assert only.reason == "too_many_rows"
    assert DECODERS[name](payload, msgspec.structs.replace(context, rows_limit=items)).items == items


@pytest.mark.parametrize("name", PULLED)
@pytest.mark.parametrize("payload", [b"[" * 200_000, b'{"a":' * 200_000, b"[" * 900 + b"]" * 900, b"\xef\xbb\xbf", b""])
def test_a_deep_or_empty_document_is_one_reject(name: str, payload: bytes) -> None:
    decoded = DECODERS[name](payload, CONTEXT)
    assert decoded.rows == []
    assert [type(one) for one in decoded.rejects] == [Reject]


@pytest.mark.parametrize("name", PULLED)
def test_a_long_value_of_a_lot_is_not_multiplied_by_its_items(name: str) -> None:
    """One park with a long name and 1,000 bad items must not make 1,000 long rejects."""
    long = "x" * 1_000_000
    lots: dict[str, Any] = {
        "hdb": {"carpark_number": "1", "update_datetime": long, "note": long, "carpark_info": [{}] * 1000},
        "hongkong": {"park_Id": long, "note": long, "privateCar": [{}] * 1000},
        "hongkong-flat": {
            "park_id": long,
            "vehicle_type": [{"type": long, "note": long, "service_category": [{}] * 1000}],
        },
    }
    decoded = decode(name, DOCUMENT_OF[name]([lots.get(name, {"note": long})]))
    assert sum(len(one.raw) + len(one.detail) for one in decoded.rejects) < 2_000_000
