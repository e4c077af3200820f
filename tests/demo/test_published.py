"""What does one minute of the simulated city become, through the real decoders, the real register and the minute?"""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from connectors.formats import DECODERS
from demo import pushes, registers
from demo.district import lots, lots_of
from demo.faults import fault_of, reading
from demo.occupancy import time_of
from demo.operators import OPERATORS
from schemas.parking import Observation
from schemas.registers import ParkingRegister, ShareWindow, ShareWindowChange
from schemas.settings import District, Parking
from sql.registers import read_register
from streams.parking.minute import MinuteResult
from streams.parking.replay import replay
from streams.registers.windows import next_version
from tests.demo.test_feeds import NOON, SECRET, context, decoded

NIGHT = NOON + 10 * 60


def observations(minute: int) -> list[Observation]:
    """All that every operator tells in a minute."""
    rows: list[Observation] = []
    for operator in OPERATORS:
        if not operator.pushes:
            rows += decoded(operator, minute)[0]
            continue
        for lot in lots_of(operator.source):
            push = pushes.message(operator.decoder, reading(lot, minute), SECRET, time_of(minute))
            result = DECODERS[operator.decoder](push.body, context(operator.source, minute, 52))
            rows += [row for row in result.rows if isinstance(row, Observation)]
    return rows


def with_bays(register: ParkingRegister, minute: int) -> ParkingRegister:
    """The register after the sharing platform's messages."""
    lot_ids = {(row.source, row.ref): row.lot_id for row in register.lot_sources}
    windows: list[ShareWindow] = []
    for lot in lots():
        for bay in lot.bays:
            body = pushes.shared_bay(lot, bay, SECRET, time_of(minute)).body
            for change in DECODERS["njytb"](body, context("demo-njytb", minute, 1)).rows:
                assert isinstance(change, ShareWindowChange)
                made = next_version(None, change, lot_ids[change.source, change.ref])
                assert made is not None
                windows.append(made)
    return msgspec.structs.replace(register, share_windows=(*register.share_windows, *windows))


@pytest.fixture(scope="module", params=[NOON, NIGHT], ids=["noon", "night"])
def published(request: pytest.FixtureRequest) -> tuple[int, MinuteResult]:
    minute: int = request.param
    register, problems = read_register(registers.files())
    assert problems == []
    told = with_bays(register, minute)
    return minute, replay(observations(minute), told, time_of(minute) + timedelta(minutes=1), Parking(), District())


def test_the_district_shares_14113_spaces_and_every_lot_is_published(published: tuple[int, MinuteResult]) -> None:
    _, result = published
    district = result.areas[0]
    assert (district.lots_total, district.spaces_contract) == (313, 14_113)
    assert district.lots_live > 0.95 * 313
    assert [lot.lot_id for lot in result.lots] == [lot.lot_id for lot in lots()]
    assert 0 < district.spaces_window_now < 14_113


def test_a_lot_without_a_fault_is_published_as_the_model_has_it(published: tuple[int, MinuteResult]) -> None:
    minute, result = published
    for model, lot in zip(lots(), result.lots, strict=True):
        if fault_of(model, minute) is None:
            assert (lot.available, lot.capacity) == (reading(model, minute).free, model.capacity), model.name_en
            assert lot.freshness == "fresh"
            assert lot.reason is None


def test_what_is_shared_now_is_known_where_an_operator_counts_it(published: tuple[int, MinuteResult]) -> None:
    minute, result = published
    known = 0
    for model, lot in zip(lots(), result.lots, strict=True):
        told = reading(model, minute)
        assert lot.share is not None
        assert lot.share.spaces_contract == model.shared
        if told.fault is None and told.shared is not None and lot.share.state == "open" and lot.share.available:
            assert lot.share.available <= told.shared
            known += 1
    assert known > 20
