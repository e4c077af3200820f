"""Whatever comes late: after each revision at most one alert of a station and a hazard stands active."""

from __future__ import annotations

import random
from collections.abc import Sequence
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.water.revisions import AlertChange
from tests.streams.water.river import Sample, feed, flood, register, station, table, thresholds, told

dice = st.randoms(use_true_random=False)


def most_active(changes: Sequence[AlertChange]) -> int:
    """The most alerts of one subject that were active at once."""
    active: dict[object, set[UUID]] = {}
    most = 0
    for change in changes:
        alert = change.alert
        of_subject = active.setdefault(alert.subject, set())
        if alert.ended_at is None:
            of_subject.add(alert.alert_id)
        else:
            of_subject.discard(alert.alert_id)
        most = max(most, len(of_subject))
    return most


@settings(max_examples=25, deadline=None)
@given(dice, st.sampled_from([0, 1]), st.sampled_from([0.0, 5.0, 30.0]))
def test_however_the_samples_come(random_: random.Random, confirm: int, hold_min: float) -> None:
    state = table(register(thresholds(confirm=confirm, hold_min=hold_min), of=station(rate=None)), hours=1e6)
    waves: list[Sample] = [(at, level + random_.choice((0.0, 0.4))) for at, level in flood(hours=6, top=1.6)]
    late = [sample for sample in waves if random_.random() < 0.3]
    soon = [sample for sample in waves if sample not in late]
    random_.shuffle(late)
    changes = told(state, soon)
    for sample in late:
        changes += feed(state, [sample], heard=400.0).changes
    assert most_active(changes) <= 1


def test_a_late_sample_makes_one_alert_of_two() -> None:
    """Between them the water did not go: the second is withdrawn, and then the first is open again."""
    state = table(register(thresholds(confirm=0, hold_min=10.0), of=station(rate=None)))
    changes = told(state, [(0.0, 0.3), (5.0, 1.2), (10.0, 0.3), (20.0, 0.3), (25.0, 1.2)])
    assert [change.what for change in changes] == ["raised", "ended", "raised"]
    again = feed(state, [(15.0, 1.2)], heard=26.0).changes
    assert [(change.what, change.alert.ended_at is None) for change in again] == [
        ("withdrawn", False),
        ("updated", True),
    ]
