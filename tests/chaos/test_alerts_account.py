"""The account of alerts itself: what it calls missing, backward, changed, misstated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tests.chaos.alerts_account import AlertsAccount, Delivery, Event, Standing, settle_alerts
from tests.chaos.receiver import Line

A, OVER = UUID(int=1), UUID(int=2)
AT = datetime(2026, 11, 24, tzinfo=UTC)
STANDING: dict[UUID, Standing] = {A: (2, AT, 3), OVER: (1, AT, 1)}
EVENTS: dict[UUID, list[Event]] = {
    A: [(1, AT, "raised", 1), (2, AT, "updated", 2), (3, AT, "ended", 2)],
    OVER: [(1, AT, "ended", 1)],  # it was over before anybody heard of it
}
DELIVERIES = [
    Delivery("m1", str(A), 1, "delivered"),
    Delivery("m2", str(A), 2, "superseded"),
    Delivery("m3", str(A), 3, "delivered"),
]


def came(revision: int, digest: str = "") -> Line:
    return Line(what="came", message_id=f"m{revision}", alert_id=str(A), revision=revision, digest=digest)


def answered(revision: int) -> Line:
    return Line(what="answered", message_id=f"m{revision}", alert_id=str(A), revision=revision)


TOLD = [came(1), came(1), answered(1), came(3), answered(3)]


def account(
    told: Sequence[Line] = TOLD,
    deliveries: Sequence[Delivery] = DELIVERIES,
    standing: dict[UUID, Standing] = STANDING,
    events: dict[UUID, list[Event]] = EVENTS,
) -> AlertsAccount:
    return settle_alerts((STANDING, EVENTS), (standing, events), deliveries, told)


def test_a_revision_may_come_twice_or_be_superseded_and_what_was_over_is_no_news() -> None:
    found = account()
    assert found.balances
    assert (found.expected, found.alerts, found.events) == (2, 2, 4)
    assert (found.delivered, found.superseded, found.came) == (2, 1, 3)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([came(1), answered(1)], "last_missing"),
        ([came(1), answered(1)], "undelivered"),
        ([came(1), answered(1), came(3)], "last_missing"),  # it came, and got no 2xx
        ([*TOLD, came(1)], "backward"),
        ([*TOLD, came(3, "other")], "changed"),
        ([came(3), answered(3)], "misstated"),
        ([*TOLD, Line(what="unsigned", message_id="m4")], "unsigned"),
    ],
)
def test_each_fault_of_a_delivery_has_its_name(told: list[Line], fault: str) -> None:
    found = account(told)
    assert getattr(found, fault) > 0
    assert not found.balances


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("differing", account(standing={**STANDING, A: (1, AT, 3)})),
        ("differing", account(standing={A: STANDING[A]})),
        ("retold", account(events={**EVENTS, A: EVENTS[A][::2]})),
        ("unqueued", account(deliveries=DELIVERIES[:2])),
    ],
)
def test_alerts_that_are_not_those_of_the_log_are_found(fault: str, found: AlertsAccount) -> None:
    assert getattr(found, fault) > 0
    assert not found.balances
