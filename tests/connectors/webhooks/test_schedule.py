"""What is sent when and where, and never an older revision after a newer one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.webhooks.schedule import (
    FAILOVER_AFTER_S,
    RETRY_AFTER_LIMIT_S,
    Answer,
    Targets,
    Waiting,
    after,
    chance_of,
    choose,
    lease_s,
    target,
    timeout_s,
)

NOW = datetime(2026, 9, 7, 14, 0, tzinfo=UTC)
FIRST, SECOND = "https://authority.example/in", "https://spare.example/in"
BOTH = Targets(url=FIRST, fallback_url=SECOND)
chances = st.floats(0, 1, exclude_max=True)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_the_first_minute_is_dense_and_the_rest_is_patient() -> None:
    waits = [after(Answer(status=500), attempts, 0.0).wait_s for attempts in range(1, 14)]
    assert waits == [1, 2, 4, 8, 15, 30, 60, 120, 300, 600, 1800, 1800, 1800]


@given(st.integers(1, 10_000), chances)
def test_chance_only_adds_and_little(attempts: int, chance: float) -> None:
    plain = after(Answer(), attempts, 0.0).wait_s
    assert plain <= after(Answer(), attempts, chance).wait_s <= plain * 1.2


def test_chance_is_another_for_each_delivery_and_the_same_when_asked_again() -> None:
    ids = [uuid.UUID(int=number) for number in range(1, 500)]
    chances_of = {chance_of(one, 3) for one in ids}
    assert len(chances_of) > 490
    assert all(0 <= chance < 1 for chance in chances_of)
    assert chance_of(ids[0], 3) == chance_of(ids[0], 3)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (None, "again"),
        (301, "again"),  # redirects are not followed
        (308, "again"),
        (400, "again"),  # nobody is switched off for what he answers
        (401, "again"),
        (404, "again"),
        (500, "again"),
        (503, "again"),
        (429, "again"),  # without Retry-After
        (410, "gone"),
    ],
)
def test_what_an_answer_means(status: int | None, outcome: str) -> None:
    assert after(Answer(status=status), 1, 0.0).outcome == outcome


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_to_wait_is_left_alone_but_not_for_ever(status: int) -> None:
    held = after(Answer(status=status, retry_after_s=120.0), 1, 0.0)
    assert (held.outcome, held.hold_s, held.wait_s) == ("held", 120.0, 1.0)
    assert after(Answer(status=status, retry_after_s=1e9), 1, 0.0).hold_s == RETRY_AFTER_LIMIT_S


def test_the_second_url_is_taken_after_half_a_minute() -> None:
    assert target(BOTH, NOW, first_attempt_at=None, last_url=None) == FIRST
    assert target(BOTH, NOW, first_attempt_at=ago(29), last_url=FIRST) == FIRST
    assert target(BOTH, NOW, first_attempt_at=ago(30), last_url=FIRST) == SECOND
    assert target(BOTH, NOW, first_attempt_at=ago(45), last_url=SECOND) == FIRST
    assert target(Targets(url=FIRST), NOW, first_attempt_at=ago(3000), last_url=FIRST) == FIRST


def test_the_retries_reach_the_second_url_within_36_s() -> None:
    for chance in (0.0, 0.5, 0.999):
        at, tried = 0.0, []
        for attempts in range(1, 8):
            tried.append((at, target(BOTH, NOW + timedelta(seconds=at), first_attempt_at=NOW, last_url=FIRST)))
            at += after(Answer(), attempts, chance).wait_s
        first_other = next(at for at, url in tried if url == SECOND)
        assert FAILOVER_AFTER_S <= first_other <= 36


def test_what_is_new_does_not_wait_for_an_endpoint_that_is_known_to_fail() -> None:
    failing = Targets(url=FIRST, fallback_url=SECOND, failing_since=ago(31))
    assert target(failing, NOW, first_attempt_at=None, last_url=None) == SECOND
    assert target(failing, NOW, first_attempt_at=ago(1), last_url=SECOND) == FIRST
    assert target(failing, NOW, first_attempt_at=None, last_url=None, is_probe=True) == FIRST
    assert target(failing, NOW, first_attempt_at=ago(1), last_url=FIRST, is_probe=True) == SECOND


def test_a_url_that_is_held_or_gone_is_not_asked() -> None:
    held = Targets(url=FIRST, fallback_url=SECOND, held_until=NOW + timedelta(seconds=9))
    assert target(held, NOW, first_attempt_at=None, last_url=None) == SECOND
    assert (
        target(Targets(url=FIRST, held_until=NOW + timedelta(seconds=9)), NOW, first_attempt_at=None, last_url=None)
        is None
    )
    assert target(Targets(url=FIRST, held_until=NOW), NOW, first_attempt_at=None, last_url=None) == FIRST
    gone = Targets(url=FIRST, fallback_url=SECOND, gone=(FIRST,))
    assert target(gone, NOW, first_attempt_at=None, last_url=None) == SECOND
    gone = Targets(url=FIRST, fallback_url=SECOND, gone=(SECOND,))
    assert target(gone, NOW, first_attempt_at=ago(99), last_url=FIRST) == FIRST
    assert target(Targets(url=FIRST, gone=(FIRST,)), NOW, first_attempt_at=None, last_url=None) is None


def test_an_urgent_attempt_is_over_in_5_s_and_a_lease_outlives_it() -> None:
    assert [timeout_s(level) for level in (0, 1, 2, 3, 4)] == [15, 15, 15, 5, 5]
    assert all(lease_s(level) > timeout_s(level) + 5 for level in range(5))


# The order law: whatever comes in between, in whatever state the lane is read.
steps = st.lists(
    st.one_of(
        st.just("revise"),
        st.sampled_from([200, 500, None, "dies"]),  # an attempt and what comes of it
        st.just("expire"),
    ),
    max_size=60,
)


@given(steps, st.randoms(use_true_random=False))
def test_never_an_older_revision_after_a_newer_and_the_last_one_always(events: list[object], random: object) -> None:
    states: dict[int, str] = {}
    attempted: list[int] = []

    def read() -> list[Waiting]:
        lane = [Waiting(delivery_id=uuid.UUID(int=one), revision=one, state=state) for one, state in states.items()]
        random.shuffle(lane)  # type: ignore[attr-defined]
        return lane

    def attempt(status: object) -> None:
        choice = choose(read())
        for one in choice.superseded:
            states[one.revision] = "superseded"
        if choice.send is None:
            return
        attempted.append(choice.send.revision)
        if isinstance(status, int) and after(Answer(status=status), 1, 0.0).outcome == "delivered":
            states[choice.send.revision] = "delivered"

    for event in events:
        if event == "revise":
            states[len(states) + 1] = "waiting"
        elif event == "expire":
            states.update({one: "expired" for one, state in states.items() if state == "waiting" and one % 3 == 0})
        else:
            attempt(event)
    assert attempted == sorted(attempted)
    attempt(200)
    if states and states[len(states)] != "expired":
        assert states[len(states)] == "delivered"
    assert "waiting" not in states.values()
