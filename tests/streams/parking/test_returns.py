"""Residents who are still to come home keep their spaces: what is learned of them, and from which days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from schemas.minute import ShareMinute
from schemas.registers import Lot, ParkingRegister, ShareWindow
from schemas.settings import District, Parking
from sql.connect import Connection, connect
from streams.parking.register_view import RegisterView, view_of
from streams.parking.returns import LEAST_DAYS, quarter, returns, spans
from streams.parking.returns_store import load_residents
from tests.conftest import Database
from tests.streams.parking.test_learning_stores import counted, published

AT = datetime(2026, 11, 24, 10, 7, tzinfo=UTC)  # a Tuesday, 18:07 in Luohu
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def view(**window: Any) -> RegisterView:
    said: dict[str, Any] = {
        "window_id": "w", "lot_id": "lh-1", "spaces": 20, "start": "17:00", "end": "22:00", "min_stay_min": 30,
        "valid_from": SINCE, "received_at": SINCE,
    }  # fmt: skip
    lot = Lot(
        lot_id="lh-1", valid_from=SINCE, name_zh="甲", name_en="A", subdistrict_code="440303001", kind="surface",
        lat=22.55, lon=114.12,
    )  # fmt: skip
    register = ParkingRegister(version=1, lots=(lot,), share_windows=(ShareWindow(**(said | window)),))
    return view_of(register, Parking(), District())


def test_working_days_are_compared_with_working_days() -> None:
    pairs = spans(view(), AT)["lh-1"]
    assert len(pairs) == 20  # four weeks of five
    for begin, end in pairs:
        assert end - begin == timedelta(minutes=30)
        assert (begin.hour, begin.minute) == (10, 0)
        assert begin.isoweekday() <= 5


def test_days_off_are_compared_with_days_off() -> None:
    saturday = AT + timedelta(days=4)
    assert {begin.isoweekday() for begin, _ in spans(view(), saturday)["lh-1"]} == {6, 7}


def test_a_window_without_a_least_stay_waits_for_nobody() -> None:
    assert spans(view(min_stay_min=0), AT) == {}


def test_all_minutes_of_a_quarter_learn_the_same() -> None:
    assert quarter(AT) == AT.replace(minute=0)
    assert spans(view(), quarter(AT)) == spans(view(), quarter(AT + timedelta(minutes=7)))


def test_the_most_that_came_back_on_nearly_all_days_is_expected() -> None:
    pairs = spans(view(), AT)["lh-1"]
    residents = {("lh-1", begin): 10 for begin, _ in pairs}
    residents |= {("lh-1", end): 10 + grown for grown, (_, end) in enumerate(pairs)}
    assert returns({"lh-1": pairs}, residents) == {"lh-1": 18}  # 95 % of 0 .. 19


def test_few_days_teach_nothing() -> None:
    pairs = spans(view(), AT)["lh-1"][: LEAST_DAYS - 1]
    residents = {("lh-1", each): 10 for pair in pairs for each in pair}
    assert returns({"lh-1": pairs}, residents) == {}


def test_zero_is_a_number_of_residents() -> None:
    pairs = spans(view(), AT)["lh-1"]
    residents = {("lh-1", each): 0 for pair in pairs for each in pair}
    assert returns({"lh-1": pairs}, residents) == {"lh-1": 0}


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("streams"), autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


@pytest.mark.stack
def test_shared_cars_are_no_residents_and_unknown_ones_no_number(streams: Connection) -> None:
    def minute(number: int, state: Any, in_use: int | None) -> Any:
        share = ShareMinute(state=state, spaces_contract=20, spaces_now=20, available=None, in_use=in_use)
        return msgspec.structs.replace(counted(AT + timedelta(minutes=number), 20), share=share)

    lots = [minute(0, "open", 4), minute(1, "closed", None), minute(2, "open", None), minute(3, "open", 0)]
    published(streams, lots)
    asked = {"lh-1": tuple((AT + timedelta(minutes=n), AT + timedelta(minutes=n + 1)) for n in range(3))}
    with streams.transaction():
        found = load_residents(streams, asked)
    assert {minute.minute - AT.minute: cars for (_, minute), cars in found.items()} == {0: 26, 1: 30, 3: 30}
