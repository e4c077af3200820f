"""Who is told of a change, under which id, and when people are told that somebody cannot be told."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.alerts import AlertNotice
from streams.alerts.episodes import Change, Clearing, Finding, Subject, step
from streams.alerts.outbox import Endpoint, parcels, wants
from streams.alerts.unreachable import Reach, findings

T0 = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
ABOUT = Subject("water", "level", "buji-1")
ALL = Endpoint(endpoint_id=uuid.UUID(int=1))


def raised(level: int = 3) -> Change:
    finding = Finding(subject=ABOUT, founded_at=T0, level=level, sentence_zh="超过", sentence_en="above")
    [change] = step([], [finding], [], T0)
    return change


def ended() -> Change:
    clearing = Clearing(subject=ABOUT, sentence_zh="解除", sentence_en="all clear")
    [change] = step([raised().alert], [], [clearing], T0 + timedelta(hours=1))
    return change


def notice(change: Change) -> AlertNotice:
    [parcel] = parcels([(change, 1)], [ALL], {(ALL.endpoint_id, change.alert.alert_id)})
    return parcel.notice


@pytest.mark.parametrize(
    ("wishes", "wanted"),
    [
        ({}, True),
        ({"domains": ("water",)}, True),
        ({"domains": ("parking", "water")}, True),
        ({"domains": ("parking",)}, False),
        ({"kinds": ("level",)}, True),
        ({"kinds": ("surcharge",)}, False),
        ({"min_level": 3}, True),
        ({"min_level": 4}, False),
    ],
)
def test_what_an_endpoint_wants(wishes: dict[str, object], wanted: bool) -> None:
    endpoint = Endpoint(endpoint_id=uuid.UUID(int=2), **wishes)  # type: ignore[arg-type]
    assert wants(endpoint, notice(raised())) is wanted


def test_who_heard_of_it_hears_how_it_goes_on_and_nobody_else_of_its_end() -> None:
    red_only = Endpoint(endpoint_id=uuid.UUID(int=2), min_level=4)
    told = {(ALL.endpoint_id, raised().alert.alert_id)}
    assert [one.endpoint for one in parcels([(ended(), 2)], [ALL, red_only], told)] == [ALL]
    assert parcels([(ended(), 2)], [ALL, red_only], set()) == []


def test_raised_and_ended_in_one_transaction_are_both_told() -> None:
    found = parcels([(raised(), 1), (ended(), 2)], [ALL], set())
    assert [one.notice.revision for one in found] == [1, 2]


def test_the_same_change_has_the_same_id_and_another_content_another() -> None:
    def known_by(change: Change, revision: int = 1) -> uuid.UUID:
        [parcel] = parcels([(change, revision)], [ALL], set())
        return parcel.delivery_id

    assert known_by(raised()) == known_by(raised())
    assert len({known_by(raised()), known_by(raised(4)), known_by(raised(), 2)}) == 3


def ago(minutes: float) -> datetime:
    return T0 - timedelta(minutes=minutes)


def test_an_endpoint_that_fails_for_two_minutes_is_an_alert() -> None:
    assert findings([Reach(name="a", failing_since=ago(1))], T0, ZONE) == ([], [])
    ([finding], []) = findings([Reach(name="a", failing_since=ago(2), delivered_at=ago(9))], T0, ZONE)
    assert (finding.level, finding.founded_at) == (3, ago(2))
    assert finding.sentence_en == "Endpoint a cannot be reached since 10:28."


def test_a_second_address_that_works_makes_it_less_urgent() -> None:
    ([finding], []) = findings([Reach(name="a", failing_since=ago(9), delivered_at=ago(1))], T0, ZONE)
    assert finding.level == 2
    assert "its second address works" in finding.sentence_en


def test_gone_for_good_is_told_at_once_and_until_a_person_has_looked() -> None:
    ([finding], []) = findings([Reach(name="a", gone_since=ago(0), is_paused=True)], T0, ZONE)
    assert finding.level == 3
    assert "has answered 410" in finding.sentence_en


def test_who_takes_alerts_again_is_well() -> None:
    ([], [clearing]) = findings([Reach(name="a")], T0, ZONE)
    assert clearing.subject == Subject("platform", "endpoint_failing", "a")
