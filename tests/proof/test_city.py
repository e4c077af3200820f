"""The whole platform, and what a person at its outside sees of what came in: the feed, dead letters, the command.

Payloads are polled and pushed on real sockets, and go through connectors, Kafka, worker, database, sweeps and feed.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.topics import PARKING_OBSERVATIONS, REGISTERS_CHANGES, REJECTS, Topic
from tests.connectors import log
from tests.proof import current, current_lots, recorded, repaired
from tests.proof.attack import Attacked
from tests.proof.chain import Chain, resident_kb
from tests.proof.checks import check_lots, check_rows, check_unregistered, lots
from tests.proof.current import stamped
from tests.proof.hostile import DOCUMENTS, MEGABYTE, REFUSED, good_message
from tests.proof.lots import published
from tests.proof.replayed import AT, payload_of, replayed, said

pytestmark = pytest.mark.stack
needs_samples = pytest.mark.skipif(not recorded.SAMPLES.is_dir(), reason="no recorded payloads beside the checkout")
ROUNDS = 3  # how often each bad source is asked at least
FLAT_KB = 48 * 1024  # what remains of it all
PEAK_KB = 128 * 1024  # what it may cost meanwhile: a few bodies at their limit of 32 MB
_SERIES = "select count(*) from parking_series as s where source = %s and exists (select from parking_observation as o where o.series_id = s.series_id)"  # noqa: E501
_WINDOWS = """
select distinct on (window_id) lot_id, ref, split_part(window_id, ':', 1), version, spaces, weekdays, start, "end",
    entry_only, valid_from, valid_to from share_window where source = %s order by window_id, version desc
"""


def test_a_reject_is_mended_by_an_option_and_replayed(city: Chain) -> None:
    name = repaired.SUPPLY.name
    city.eventually(lambda: len(city.letters(name)) == 1, "the reject is a dead letter")
    (letter,) = city.letters(name)
    assert (letter["reason"], letter["state"]) == ("unknown_dialect", "open")

    listed = city.call("deploy", "deadletter", "list", "--source", name)
    assert "unknown_dialect" in listed and f"{letter['id']}" in listed
    shown = city.call("deploy", "deadletter", "show", str(letter["id"]))
    assert '"garage":"Z1"' in shown.replace(" ", "") and "options" in shown

    city.call("deploy", "deadletter", "replay", str(letter["id"]), status=1)
    assert [one["state"] for one in city.letters(name)] == ["open"]

    mended = msgspec.structs.replace(repaired.SUPPLY, table={**repaired.SUPPLY.table, **repaired.MISSING})
    city.file = city.write_settings("mended", [mended], city.push_port)
    assert "1 letters replayed as 1 rows" in city.call("deploy", "deadletter", "replay", "--source", name)
    assert [one["state"] for one in city.letters(name)] == ["replayed"]
    assert city.call("deploy", "deadletter", "list", "--source", name).strip() == "No dead letters."

    city.eventually(lambda: bool(city.rows(name)), "the row is stored")
    (row,) = city.rows(name).values()
    city.replayed_at = datetime.now(UTC)
    assert (row["free"], row["available"], row["received_at"]) == (0, 0, letter["received_at"])


def test_pushes_that_mean_harm_get_a_clear_answer(attacked: Attacked) -> None:
    now = datetime.now(UTC)
    space = {"service": "parkingspace", "parkid": "L1", "spacetotal": 10, "spaceLeft": 1}
    bomb = gzip.compress(bytes(64 * MEGABYTE)) * 4
    assert attacked.post(bomb, Content_Encoding="gzip").status_code == 413
    stated = b"POST /push/bad-push HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"
    assert attacked.raw(stated).startswith(b"HTTP/1.1 413 ")
    attacked.city.eventually(
        lambda: "too_large" in attacked.errors("bad-push").get("bad-push", ""), "the operator hears of it"
    )
    slow = b"POST /push/bad-push HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    slow_clients = [threading.Thread(target=attacked.raw, args=(data,)) for data in (slow, slow[:20], b"") * 10]
    for client in slow_clients:
        client.start()
    attacked.push_good()  # thirty slow clients are connected
    assert attacked.raw(slow).startswith(b"HTTP/1.1 408 ")
    for client in slow_clients:
        client.join(30)
        assert not client.is_alive()
    assert attacked.post(json.dumps(space).encode()).status_code == 401
    forged = attacked.post(json.dumps(space).encode(), X_Signature=f"t={int(now.timestamp())},v1={'0' * 64}")
    assert (forged.status_code, forged.json()["message"]) == (401, "bad_signature")
    old = stamped(space, now - timedelta(hours=1))
    assert attacked.city.push("bad-push", old, attacked.port).json()["message"] == "stale_timestamp"
    # signed and unreadable: it is safe as a dead letter, so the vendor need not send it again
    bodies: tuple[Any, ...] = (
        {**space, "spaceLeft": 1e308},
        {**space, "parkid": None},
        dict.fromkeys(space),
        [None],
        [[]] * 50,
    )
    for body in bodies:
        assert attacked.city.push("bad-push", stamped(body, now), attacked.port).status_code == 200
    wanted = set(
        [
            "missing_signature",
            "bad_signature",
            "stale_timestamp",
            "bad_number",
            "missing_id",
            "other_service",
            "bad_item",
        ]
    )
    attacked.city.eventually(lambda: attacked.reasons("bad-push") >= wanted, f"dead letters of {wanted}")


def test_a_push_that_comes_again_is_answered_and_stored_once(attacked: Attacked) -> None:
    now = datetime.now(UTC)
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    for _ in range(5):
        assert attacked.city.push("good-push", good_message(at, 77), attacked.port).status_code == 200
    attacked.pushed[at] = 77
    attacked.city.eventually(lambda: attacked.stored("good-push").get(at) == 77, "the message is stored")
    told = [row for row in log.rows(attacked.city.settings, PARKING_OBSERVATIONS) if row.source == "good-push"]
    assert [row.free for row in told if row.observed_at == at] == [77]


def test_what_can_be_read_and_not_used_is_a_dead_letter_with_its_reason(attacked: Attacked) -> None:
    for name, (_, _, reason) in DOCUMENTS.items():
        attacked.city.eventually(lambda: attacked.reasons(name) == {reason}, f"{name}: {reason}")  # noqa: B023 at once
    for letter in attacked.city.letters(*DOCUMENTS):
        assert len(letter["raw"]) <= 32 * 1024
        assert letter["detail"]


def test_what_cannot_be_read_is_told_by_the_health_of_its_source(attacked: Attacked) -> None:
    def are_told() -> bool:
        return all(word in attacked.errors(name).get(name, "") for name, word in REFUSED.items())

    try:
        attacked.city.eventually(are_told, "every refusal is told")
    except AssertionError as error:
        raise AssertionError(f"{attacked.errors(*REFUSED)}") from error


def test_neighbours_are_unharmed_and_memory_is_flat(attacked: Attacked) -> None:
    city, ground = attacked.city, attacked.ground
    city.eventually(lambda: min(ground.asked.values()) >= ROUNDS, f"{ROUNDS} rounds of all: {ground.asked}", 150)
    for _ in range(20):
        attacked.push_good()
    polled = dict(ground.said)
    assert len(polled) > 5
    city.eventually(lambda: attacked.stored("good-push") == attacked.pushed, "every good push is stored")
    city.eventually(lambda: polled.items() <= attacked.stored("good-poll").items(), "every good poll is stored")
    assert city.letters("good-push", "good-poll") == []
    process = city.processes["attacked"]
    peak_kb = resident_kb(process, "VmHWM")
    assert peak_kb - attacked.rss_kb < PEAK_KB, f"from {attacked.rss_kb} kB to {peak_kb} kB at most"
    left = [resident_kb(process)]

    def is_flat() -> bool:
        left.append(resident_kb(process))
        return min(left[-50:]) - attacked.rss_kb < FLAT_KB

    city.eventually(is_flat, f"memory comes back: {attacked.rss_kb} kB at the start, peak {peak_kb} kB", 30)


def test_good_neighbours_are_in_the_feed(attacked: Attacked) -> None:
    attacked.push_good()
    wanted = list(attacked.pushed.values())[-1]
    found = attacked.city.lots_at(datetime.now(UTC))
    assert (found["good-push.p-1"]["available"], found["good-push.p-1"]["freshness"]) == (wanted, "fresh")
    assert found["good-poll.7:1"]["freshness"] == "fresh"
    assert found["good-poll.7:1"]["available"] in attacked.ground.said.values()


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
    """Mended above; alone, this test has nothing to look at."""
    rows = city.rows(repaired.SUPPLY.name)
    if not rows:
        pytest.skip("nothing was mended")
    found = city.lots_at(city.replayed_at)[repaired.LOT.lot_id]
    assert published(found, repaired.LOT) == repaired.LOT


def check(city: Chain, name: str, folder: Path) -> None:
    supply = city.supplies[name]
    city.eventually(lambda: name in city.first_heard(), f"{name} has rows")
    found = city.lots_at(city.first_heard()[name])
    mine = {lot_id: said(lot) for lot_id, lot in replayed(city, supply, folder).items()}
    assert mine
    assert mine == {lot_id: said(found[lot_id]) for lot_id in mine}


@pytest.mark.parametrize("name", ["now-hdb", "now-datex2", "now-ngsi"])
def test_replay_says_what_the_feed_says_of_own_payloads(city: Chain, tmp_path: Path, name: str) -> None:
    check(city, name, tmp_path)


@needs_samples
@pytest.mark.parametrize("name", ["karlsruhe", "stuttgart"])
def test_replay_says_what_the_feed_says_of_recorded_payloads(city: Chain, tmp_path: Path, name: str) -> None:
    check(city, name, tmp_path)


def test_decode_prints_a_row_or_a_reject_for_every_item(city: Chain, tmp_path: Path) -> None:
    supply = next(one for one in current.SUPPLIES if one.name == "now-hdb")
    told = city.call("deploy", "decode", "hdb", payload_of(supply, tmp_path), "--received-at", AT.isoformat())
    lines = [json.loads(line) for line in told.splitlines()]
    rows = {(line["row"]["ref"], line["row"]["pool"], line["row"]["free"]) for line in lines if "row" in line}
    assert rows == {
        ("A1", "public", 12), ("A1", "motorcycle", 3), ("A1", "hgv", 0), ("A2", "public", 30), ("A2", "public", 99),
        ("A3", "public", 0), ("A4", "public", 200), ("A6", "public", 7), ("A8", "public", 6),
    }  # fmt: skip
    rejects = [line["reject"] for line in lines if "reject" in line]
    assert Counter(one["reason"] for one in rejects) == {"bad_number": 1, "future_time": 1}
    assert all(set(one) == {"reason", "detail", "raw"} for one in rejects)
    assert "490 (79%)" in next(one["raw"] for one in rejects if one["reason"] == "bad_number")
