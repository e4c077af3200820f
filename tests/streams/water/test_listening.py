"""A hole of the log is found minute by minute, whatever the minutes see of it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from streams.water.listening import watching_since
from tests.streams.water.river import T0

BLIND = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)


@given(st.lists(st.integers(0, 1200), max_size=40))
def test_it_is_the_end_of_the_newest_hole(seconds: list[int]) -> None:
    reports = sorted({T0 + timedelta(seconds=each) for each in seconds})
    watching = None
    for number in range(21):
        minute = T0 + number * MINUTE
        since = minute - MINUTE - BLIND
        watching = watching_since(watching, [at for at in reports if since < at <= minute], since, minute, BLIND)
        heard = [at for at in reports if at <= minute]
        ends = [at for before, at in zip([T0 - 2 * MINUTE, *heard], heard, strict=False) if at - before > BLIND]
        is_blind = not heard or minute - heard[-1] > BLIND
        assert watching == (minute if is_blind else max([T0, *ends]))


def test_where_the_sweep_begins_it_has_listened_for_no_time() -> None:
    dense = [T0 - timedelta(seconds=15 * n) for n in range(8, -1, -1)]
    assert watching_since(None, dense, T0 - 2 * MINUTE, T0, BLIND) == T0
    assert watching_since(T0 - MINUTE, dense, T0 - 2 * MINUTE, T0, BLIND) == T0 - MINUTE
