"""Do the connectors' decoders read from the simulated feeds exactly what the model says, lot by lot?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from connectors.decoding import SourceContext, context_of
from connectors.formats import DECODERS, PUSHES
from demo import pushes
from demo.district import lots, lots_of
from demo.documents import PAGE, STRANGER, document, lta_page, npr_lot, readings_of
from demo.faults import PUBLISHED_BEFORE_S, Reading, fault_of, reading
from demo.occupancy import minute_of, time_of
from demo.operators import OPERATORS, Operator
from demo.sources import toml
from schemas.parking import Observation
from schemas.registers import ShareWindowChange
from schemas.settings import parse
from schemas.source import Reject

SECRET = "only for tests"
NOON = minute_of(datetime(2026, 11, 24, 4, 0, tzinfo=UTC))
POLLED = [operator for operator in OPERATORS if not operator.pushes]
PUSHED = [operator for operator in OPERATORS if operator.pushes]
SETTINGS = parse(toml(8100))
FEED_STAMPED = {"demo-parkapi-v1", "demo-basel", "demo-ngsi", "demo-freiburg", "demo-karlsruhe"}
NO_CAPACITY = {"demo-lta", "demo-hongkong", "demo-hongkong-flat", "demo-datex2-facility"}


def by_source(operator: Operator) -> str:
    return operator.source


@cache
def minutes(source: str) -> tuple[int, ...]:
    """Noon, and a minute of each fault of an operator."""
    found: dict[str, int] = {"": NOON}
    for minute in range(NOON, NOON + 4 * 1440, 5):
        for lot in lots_of(source):
            fault = fault_of(lot, minute)
            if fault is not None:
                found.setdefault(fault[0], minute)
    operator = next(operator for operator in OPERATORS if operator.source == source)
    assert found.keys() >= set(operator.faults)
    return tuple(sorted(set(found.values())))


def context(source: str, minute: int, after_s: float = -15.0) -> SourceContext:
    return context_of(SETTINGS.source(source), time_of(minute) + timedelta(seconds=after_s))


def payloads(operator: Operator, minute: int) -> Iterable[bytes]:
    """What a poller of the operator gets in a minute: one document, its pages, or one for each lot."""
    if operator.decoder == "lta":
        return [lta_page(operator, minute, skip) for skip in range(0, 2 * operator.lots, PAGE)]
    if operator.decoder == "npr":
        found = [npr_lot(operator, minute, lot.ref) for lot in lots_of(operator.source)]
        return [body for body in found if body is not None]
    return [document(operator, minute)]


def decoded(operator: Operator, minute: int) -> tuple[list[Observation], list[Reject]]:
    rows: list[Observation] = []
    rejects: list[Reject] = []
    for payload in payloads(operator, minute):
        result = DECODERS[operator.decoder](payload, context(operator.source, minute))
        rows += [row for row in result.rows if isinstance(row, Observation)]
        rejects += result.rejects
    return rows, rejects


def newest(rows: list[Observation], ref: str, pool: str) -> Observation:
    found = [row for row in rows if (row.ref, row.pool) == (ref, pool)]
    assert found, f"{ref} {pool} is not in the feed"
    return max(found, key=lambda row: row.observed_at or row.received_at)


@pytest.mark.parametrize("operator", POLLED, ids=by_source)
def test_every_lot_of_a_feed_is_decoded_as_the_model_has_it(operator: Operator) -> None:
    for minute in minutes(operator.source):
        rows, rejects = decoded(operator, minute)
        told = {one.lot.ref: one for one in readings_of(operator, minute)}
        assert {row.ref for row in rows} - told.keys() <= {STRANGER}
        wanted_rejects = sum(1 for one in told.values() if one.fault == "future")
        assert sum(1 for reject in rejects if reject.reason == "future_time") == len(rejects)
        assert (len(rejects) > 0) == (wanted_rejects > 0)
        for ref, one in told.items():
            if one.fault != "future":
                check(newest(rows, ref, "public"), one, operator)
            shared = {} if one.shared is None or one.free is None else {"shared": one.shared}
            for pool, free in (one.pools | shared).items():
                if one.fault not in ("future", "closed"):
                    assert newest(rows, ref, pool).free == free


def check(row: Observation, one: Reading, operator: Operator) -> None:
    assert (row.mode == "closed") == one.is_closed, (operator.source, row)
    if one.fault == "fault":
        assert row.source_status == "fault"
    elif not one.is_closed:
        assert row.free == one.free, (operator.source, one.fault, row)
    if operator.source not in NO_CAPACITY:
        assert row.capacity == one.capacity
    if operator.decoder == "lta":
        assert row.observed_at is None
        assert row.time_basis == "ingest"
    elif operator.source in FEED_STAMPED:
        assert row.observed_at == time_of(one.minute) - timedelta(seconds=PUBLISHED_BEFORE_S + 5)
        assert row.time_basis == "feed"
    else:
        assert row.observed_at == one.observed_at
        assert row.time_basis == "lot"


@pytest.mark.parametrize("operator", POLLED, ids=by_source)
def test_a_feed_is_the_same_bytes_at_the_same_minute(operator: Operator) -> None:
    assert payloads(operator, NOON) == payloads(operator, NOON)
    assert payloads(operator, NOON) != payloads(operator, NOON + 1)


@pytest.mark.parametrize("operator", PUSHED, ids=by_source)
def test_every_push_is_believed_and_decoded_as_the_model_has_it(operator: Operator) -> None:
    vendor = PUSHES[operator.decoder]
    seen: set[str | None] = set()
    for minute in minutes(operator.source):
        for lot in lots_of(operator.source):
            one = reading(lot, minute)
            at = time_of(minute) + timedelta(seconds=52)
            push = pushes.message(operator.decoder, one, SECRET, at)
            assert vendor.verify(push.body, push.headers, SECRET, at, 300) is None
            assert vendor.verify(push.body, push.headers, "another", at, 300) == "bad_signature"
            replay_id = vendor.replay_id(push.body)
            assert replay_id not in seen
            seen.add(replay_id)
            result = DECODERS[operator.decoder](push.body, context(operator.source, minute, 52))
            if one.fault == "future":
                assert [reject.reason for reject in result.rejects] == ["future_time"]
                continue
            assert result.rejects == []
            row = newest([row for row in result.rows if isinstance(row, Observation)], lot.ref, "public")
            assert (row.mode == "closed") == one.is_closed
            assert (row.free, row.capacity) == (one.free, one.capacity)
            if operator.decoder != "bolink":
                wanted = one.observed_at.replace(microsecond=0)
                assert row.observed_at == wanted
            if operator.counts_shared and one.shared is not None:
                shared = newest([row for row in result.rows if isinstance(row, Observation)], lot.ref, "shared")
                assert shared.occupied == lot.shared - one.shared
            assert not re.search(r"粤B", repr(result))


def test_a_changed_message_is_not_believed() -> None:
    for operator in PUSHED:
        lot = lots_of(operator.source)[0]
        at = time_of(NOON)
        push = pushes.message(operator.decoder, reading(lot, NOON), SECRET, at)
        other = pushes.message(operator.decoder, reading(lot, NOON + 60), SECRET, at)
        vendor = PUSHES[operator.decoder]
        if operator.decoder == "lpr":
            assert vendor.verify(other.body, push.headers, SECRET, at, 300) == "bad_signature"
        if operator.decoder in ("lpr", "tdznyun"):
            assert vendor.verify(push.body, push.headers, SECRET, at + timedelta(minutes=10), 300) == "stale_timestamp"


def test_shared_bays_are_windows_of_one_space_each() -> None:
    at = time_of(NOON)
    vendor = PUSHES["njytb"]
    windows: list[ShareWindowChange] = []
    for lot in lots():
        for bay in lot.bays:
            push = pushes.shared_bay(lot, bay, SECRET, at)
            assert vendor.verify(push.body, push.headers, SECRET, at, 300) is None
            again = pushes.shared_bay(lot, bay, SECRET, at + timedelta(days=3))
            assert again.body == push.body
            result = DECODERS["njytb"](push.body, context("demo-njytb", NOON, 1))
            assert result.rejects == []
            windows += [row for row in result.rows if isinstance(row, ShareWindowChange)]
            assert windows[-1].ref == pushes.sharing_ref(lot)
            assert (windows[-1].start, windows[-1].end) == (lot.window.start, lot.window.end)
            assert windows[-1].weekdays == lot.window.weekdays
    assert sum(window.spaces for window in windows) == sum(len(lot.bays) for lot in lots()) == 24
    assert len({window.window_id for window in windows}) == 24


def test_lots_that_nobody_registered_report_too() -> None:
    hdb = next(operator for operator in OPERATORS if operator.decoder == "hdb")
    rows, _ = decoded(hdb, NOON)
    assert newest(rows, STRANGER, "public").capacity == 60
    push = pushes.stranger(time_of(NOON), SECRET, time_of(NOON))
    result = DECODERS["lpr"](push.body, context("demo-lpr", NOON, 1))
    assert [row.ref for row in result.rows if isinstance(row, Observation)] == [pushes.STRANGER]
