"""What comes in on sockets comes out of the feed, lot by lot, as somebody who read the payloads would say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from schemas.topics import PARKING_OBSERVATIONS, REGISTERS_CHANGES, REJECTS, Topic
from tests.connectors import log
from tests.proof import current, current_lots, recorded, repaired
from tests.proof.chain import Chain
from tests.proof.lots import Published, Stored, published

pytestmark = pytest.mark.stack
needs_samples = pytest.mark.skipif(not recorded.SAMPLES.is_dir(), reason="no recorded payloads beside the checkout")
_SERIES = "select count(*) from parking_series as s where source = %s and exists (select from parking_observation as o where o.series_id = s.series_id)"  # noqa: E501
_WINDOWS = """
select distinct on (window_id) lot_id, ref, split_part(window_id, ':', 1), version, spaces, weekdays, start, "end",
    entry_only, valid_from, valid_to from share_window where source = %s order by window_id, version desc
"""


def lots(city: Chain) -> dict[str, Any]:
    names = {lot.source for lot in current_lots.LOTS} | ({lot.source for lot in recorded.LOTS} & city.supplies.keys())
    polled = [name for name in names if city.supplies[name].document is not None]
    city.eventually(lambda: {row[0] for row in city.rows(*names)} >= names, "every source has rows", 120)
    received = [row["received_at"] for row in city.rows(*polled).values()]
    return city.lots_at(max(city.pushed_at, min(received)))


def check_lots(found: dict[str, Any], wanted: Sequence[Published]) -> None:
    assert len({lot.lot_id for lot in wanted}) == len(wanted)
    assert [lot.lot_id for lot in wanted if lot.lot_id not in found] == []
    shown = {lot.lot_id: published(found[lot.lot_id], lot) for lot in wanted}
    assert [(shown[lot.lot_id], lot) for lot in wanted if shown[lot.lot_id] != lot] == []


def check_rows(city: Chain, wanted: Sequence[Stored]) -> None:
    rows = city.rows(*{row.source for row in wanted})
    for one in wanted:
        row = rows[one.source, one.ref, one.pool]
        found = {name: row[name] for name in Stored.__struct_fields__ if name != "flags"}
        assert Stored(**found, flags=tuple(row["flags"] or ())) == one


def check_unregistered(city: Chain, found: dict[str, Any], lot_id: str) -> None:
    """Q26: a lot that nobody has registered is kept and counted, and not published."""
    assert lot_id not in found
    assert city.get("quality.json")["data"]["unregistered"] >= 1


def test_own_payloads_lot_by_lot(city: Chain) -> None:
    found = lots(city)
    check_lots(found, current_lots.LOTS)
    check_rows(city, current_lots.ROWS)
    check_unregistered(city, found, "now-hdb.A8")


def test_what_is_no_row_is_a_dead_letter_and_its_neighbours_are_stored(city: Chain) -> None:
    lots(city)
    letters = city.letters(*(supply.name for supply in current.SUPPLIES))
    assert {(letter["source"], letter["reason"]) for letter in letters} == {
        ("now-hdb", "bad_number"),
        ("now-hdb", "future_time"),
    }
    assert all(b"490 (79%)" in letter["raw"] for letter in letters if letter["reason"] == "bad_number")
    stored = {ref for _, ref, _ in city.rows("now-hdb")}
    assert stored == {"A1", "A2", "A3", "A4", "A6", "A8"}


def test_groups_and_pools_of_others_are_beside_the_headline_and_not_in_it(city: Chain) -> None:
    """Q15, Q17: six groups of 117 are no 702 spaces; what is for the disabled is not for everybody."""
    found = lots(city)
    groups = {pool["pool"]: pool for pool in found["now-datex2.D5"]["pools"]}
    assert [groups[f"group_{index}"]["available"] for index in range(1, 7)] == [117] * 6
    assert not any(groups[f"group_{index}"]["exclusive"] for index in range(1, 7))
    pools = {pool["pool"]: pool["available"] for pool in found["now-parkapi3.7:5"]["pools"]}
    assert pools == {"disabled": 2, "public": 50}
    pools = {pool["pool"]: pool["available"] for pool in found["now-hk.H1"]["pools"]}
    assert pools == {"public": 55, "ev": 2, "disabled": 1}


def test_a_share_window_that_was_pushed_is_in_the_next_minute(city: Chain) -> None:
    (made,) = {row[3] for row in city.ask(_WINDOWS, "now-njytb")}
    assert made == 1
    share = lots(city)["now-lpr.L1"]["share"]
    assert (share["state"], share["spaces_now"], share["spaces_contract"]) == ("open", 2, 2)
    # of the 22 cars inside nobody says which entered under the window: none of the two is certain
    assert (share["available"], share["available_min"], share["available_max"]) == (None, 0, 2)
    assert share["reason"] == "share_use_unknown"
    heard = min(row.received_at for row in log.rows(city.settings, REGISTERS_CHANGES) if row.source == "now-njytb")
    first = city.ask("select min(minute) from parking_minute where lot_id = 'now-lpr.L1' and share is not null")[0][0]
    assert (first - heard).total_seconds() <= 60


def test_no_plate_goes_beyond_the_connector(city: Chain) -> None:
    """Q28, in the log, and in what is kept of rejects."""
    lots(city)
    plates = (current.PLATE, *recorded.PLATES)
    topics: tuple[Topic, ...] = (PARKING_OBSERVATIONS, REGISTERS_CHANGES, REJECTS)
    told = "".join(repr(row) for topic in topics for row in log.rows(city.settings, topic))
    assert "T/1" in told
    assert not [plate for plate in plates if plate in told]
    assert city.ask("select 1 from raw_payload where source in ('now-tdznyun', 'now-njytb', 'tdznyun', 'njytb')") == []


@needs_samples
def test_recorded_payloads_lot_by_lot(city: Chain) -> None:
    found = lots(city)
    check_lots(found, recorded.LOTS)
    check_rows(city, recorded.ROWS)
    check_unregistered(city, found, "sg-2021-b.JM15")


@needs_samples
def test_every_item_of_a_recorded_payload_is_a_row_or_a_dead_letter(city: Chain) -> None:
    lots(city)
    letters = Counter((letter["source"], letter["received_at"]) for letter in city.letters(*recorded.ITEMS))
    for source, (series, rejects) in recorded.ITEMS.items():
        assert city.ask(_SERIES, source) == [(series,)], source
        told = [count for (name, _), count in letters.items() if name == source]
        assert told == [rejects] * len(told) and bool(told) == bool(rejects), source
    assert [letter["reason"] for letter in city.letters("basel")][:1] == ["missing_id"]


@needs_samples
def test_coordinates_of_a_projected_system_are_published_in_degrees(city: Chain) -> None:
    """Q22: EPSG:25832 in a GeoJSON. The garage stands north of Freiburg's station."""
    lots(city)
    (lot,) = [one for one in city.get("lot_information.json")["data"]["lots"] if one["lot_id"] == "freiburg.13"]
    assert abs(lot["wgs84"]["lat"] - 48.0003) < 0.002 and abs(lot["wgs84"]["lon"] - 7.8448) < 0.002


@needs_samples
def test_recorded_share_windows_become_rows_of_the_register(city: Chain) -> None:
    wanted = [
        ("A001", 1, (), "15:30", "15:45", True, "2020-04-27T15:30+08:00", "2020-04-27T15:45+08:00"),
        ("A001", 1, (1, 2, 3, 4, 5), "08:30", "18:30", False, "2020-04-27T15:30+08:00", "2020-05-27T15:30+08:00"),
    ]
    found = [
        (bay, spaces, tuple(days), start, end, entry_only, begin, finish)
        for _, _, bay, _, spaces, days, start, end, entry_only, begin, finish in city.ask(_WINDOWS, "njytb")
    ]
    times = [(*row[:6], *map(datetime.fromisoformat, row[6:])) for row in wanted]
    assert sorted(found, key=repr) == sorted(times, key=repr)


def test_every_registered_lot_is_in_the_feed_and_no_number_is_made_from_nothing(city: Chain) -> None:
    found = lots(city)
    registered = {lot_id for (lot_id,) in city.ask("select distinct lot_id from lot")}
    assert set(found) == registered
    for lot in found.values():
        if lot["available"] is None:
            assert lot["reason"], lot["lot_id"]
        else:
            assert 0 <= lot["available"] <= (lot["capacity"] if lot["capacity"] is not None else lot["available"])


def test_what_was_mended_and_replayed_is_in_the_feed(city: Chain) -> None:
    """test_deadletters.py has mended it; alone, this test has nothing to look at."""
    rows = city.rows(repaired.SUPPLY.name)
    if not rows:
        pytest.skip("nothing was mended")
    found = city.lots_at(city.replayed_at)[repaired.LOT.lot_id]
    assert published(found, repaired.LOT) == repaired.LOT
