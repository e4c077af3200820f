"""Surcharge, freeboard, blockage, reversal, pumps and sluices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from schemas.water_registers import Edge, Node, WaterRegister
from streams.water.defaults import node_thresholds, street_thresholds
from streams.water.pipes import (
    PipeState,
    Recent,
    filling,
    gate_state,
    is_blocked,
    is_reversed,
    network_findings,
    runs_backward,
)  # fmt: skip
from tests.streams.water.river import ZONE, minute, station, table, told

NODE = Node(node_id="n1", station_id="p1", invert_m=2.0, crown_m=3.0, ground_m=5.0, lat=22.5, lon=114.1)
LOWER = Node(node_id="n2", station_id="p2", invert_m=1.8, crown_m=2.8, ground_m=4.8, lat=22.5, lon=114.1)
PIPE = Edge(edge_id="e1", upstream="n1", downstream="n2")


def recent(values: Sequence[float], step_min: float = 5, end: float = 600) -> Recent:
    ats = [minute(end - step_min * (len(values) - 1 - place)) for place in range(len(values))]
    return Recent(np.array(ats, np.int64), np.array(values, np.float64))


@pytest.mark.parametrize(
    ("level", "share", "surcharge", "freeboard"),
    [(2.0, 0.0, 0.0, 3.0), (2.5, 0.5, 0.0, 2.5), (3.4, 1.4, 0.4, 1.6), (5.1, 3.1, 2.1, -0.1)],
)
def test_filling(level: float, share: float, surcharge: float, freeboard: float) -> None:
    found = filling(NODE, level)
    assert [found.share, found.surcharge_m, found.freeboard_m] == pytest.approx([share, surcharge, freeboard])


def test_a_node_has_lines_of_its_own_and_they_say_where_they_come_from() -> None:
    lines = node_thresholds(NODE)
    assert [(each.level, each.on, each.confirm) for each in lines] == [
        ("blue", 2.8, 1),
        ("yellow", 3.0, 1),
        ("orange", 4.5, 0),
        ("red", 4.9, 0),
    ]
    assert {each.hazard for each in lines} == {"surcharge"}
    assert "to be set by the water authority" in lines[0].source


def test_in_a_shallow_node_the_street_counts_before_the_pipe() -> None:
    shallow = Node(node_id="n", station_id="p", invert_m=2.0, crown_m=3.0, ground_m=3.4, lat=0, lon=0)
    lines = [(each.level, each.on) for each in node_thresholds(shallow)]
    assert lines == [("blue", 2.8), ("orange", 2.9), ("red", 3.3)]


def test_a_surcharged_pipe_is_told_as_a_river_is() -> None:
    own = WaterRegister(stations=(station("p1", "pipe_node", rate=None),), thresholds=node_thresholds(NODE))
    changes = told(table(own), [(0, 2.2), (1, 3.1), (2, 3.2), (3, 4.6)])
    assert [(each.alert.subject.kind, each.alert.level) for each in changes] == [("surcharge", 2), ("surcharge", 3)]


def test_a_street_has_four_depths() -> None:
    assert [each.on for each in street_thresholds(station(kind="underpass", element="depth_m"))] == [
        0.15,
        0.27,
        0.4,
        0.6,
    ]


def test_a_reversal_needs_both_ends_twice_and_at_one_time() -> None:
    assert is_reversed(recent([2.5, 2.5]), recent([2.6, 2.6])) is True
    assert is_reversed(recent([2.5, 2.5]), recent([2.51, 2.51])) is False  # within the error of two sensors
    assert is_reversed(recent([2.5, 2.5]), recent([2.4, 2.6])) is None
    assert is_reversed(recent([2.5, 2.5], end=500), recent([2.6, 2.6])) is None
    assert is_reversed(recent([2.5]), recent([2.6])) is None


def test_velocity_below_zero_is_a_reversal() -> None:
    assert runs_backward(recent([0.3, -0.2, -0.3])) is True
    assert runs_backward(recent([0.3, -0.2])) is None
    assert runs_backward(recent([-0.3, 0.1, 0.2])) is False


def test_high_in_dry_weather_is_a_blockage() -> None:
    usual = [0.2, 0.3] * 150
    assert is_blocked(recent([*usual, *[0.9] * 50]), 0.0, 0.0) is True
    assert is_blocked(recent([*usual, *[0.9] * 20]), 0.0, 0.0) is None  # not yet four hours
    assert is_blocked(recent([*usual, *[0.9] * 50]), 12.0, 0.0) is None  # it rained
    assert is_blocked(recent([*usual, *[0.9] * 50]), None, 1.0) is None  # nobody knows whether it rained
    assert is_blocked(recent([*usual, *[0.9] * 50, 0.25]), 0.0, 0.0) is False


def test_what_is_high_for_long_does_not_become_usual() -> None:
    days = recent([*[0.2, 0.3] * 150, *[0.9] * 400])
    assert is_blocked(days, 0.0, 0.0, blocked_over_m=0.3) is None  # it stays as it is
    assert is_blocked(recent([*[0.9] * 400, 0.3]), 0.0, 0.0, blocked_over_m=0.3) is False
    assert is_blocked(recent([*[0.9] * 400, 0.3]), 8.0, 0.0, blocked_over_m=0.3) is None  # rain ends none


def test_what_is_found_in_the_network() -> None:
    state = PipeState(
        levels={"p1": recent([2.5, 2.5]), "p2": recent([2.7, 2.7]), "pump": recent([1.5] * 5)},
        pumps={"pump": recent([0.0] * 5)},
        pump_starts_m={"pump": 1.0},
    )
    found, cleared = network_findings((NODE, LOWER), (PIPE,), state, minute(601), ZONE)
    assert [(each.subject.kind, each.subject.subject, each.level) for each in found] == [
        ("reversal", "e1", 2),
        ("pump_idle", "pump", 3),
    ]
    assert "倒灌" in found[0].sentence_zh and cleared == []
    better = PipeState(levels={"p1": recent([2.7, 2.7]), "p2": recent([2.5, 2.5])})
    found, cleared = network_findings((NODE, LOWER), (PIPE,), better, minute(601), ZONE)
    assert ([each.subject.subject for each in cleared], found) == (["e1"], [])
    assert network_findings((NODE, LOWER), (PIPE,), PipeState(levels={}), minute(601), ZONE) == ([], [])


@pytest.mark.parametrize(
    ("opening", "state"),
    [(None, "unknown"), (recent([0.0]), "closed"), (recent([0.5, 0.5]), "open"), (recent([0.2, 0.5]), "moving")],
)
def test_a_sluice(opening: Recent | None, state: str) -> None:
    assert gate_state(opening) == state
