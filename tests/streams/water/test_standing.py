"""What stands at a minute: of which asset it speaks, who is told again, and what is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.water_registers import Edge, Node, WaterRegister
from streams.alerts.episodes import Alert, Subject, alert_id
from streams.water.expiry import expiries
from streams.water.forecast import Forecast, Outlook
from streams.water.reminders import reminders
from streams.water.rules import SeriesRules, micros
from streams.water.standing import Standing, dangers, forecasts, stations_of_network, strangers
from tests.streams.water.river import T0, minute


def standing(
    kind: str = "flood", subject: str = "dm", level: int = 4, told_min: float | None = 3, **known: Any
) -> Standing:
    """Told so many minutes before T0."""
    about = Subject("water", kind, subject)
    detail = {
        "started_at": T0.isoformat(), "crosses_at": T0.isoformat(), "expires_at": T0.isoformat(), "slope_per_min": 0.01,
        "value": 0.8,
    }  # fmt: skip
    alert = Alert(
        alert_id=alert_id(about, T0), subject=about, level=level, certainty="observed", raised_at=T0, revision=3,
        sentence_zh="红色。", sentence_en="Red.", detail=detail,
    )  # fmt: skip
    return Standing(alert=alert, told_at=None if told_min is None else T0 - timedelta(minutes=told_min), **known)


@pytest.mark.parametrize(
    ("one", "is_told"),
    [
        (standing(), True),
        (standing(told_min=1.9), False),  # red: each two minutes
        (standing(level=3, told_min=4), False),
        (standing(level=3, told_min=5), True),
        (standing(level=2, told_min=None), False),
        (standing(told_min=None), True),  # so long ago that nobody looked
        (standing(is_acknowledged=True, told_min=59), False),
        (standing(is_acknowledged=True, told_min=60), True),
        (standing(is_newest=False), False),  # something newer was told already
        (standing("flood_forecast"), False),
        (standing("station_offline"), False),
        (standing("reversal", "p1"), True),
    ],
)
def test_who_is_told_again(one: Standing, is_told: bool) -> None:
    assert len(reminders([one], T0)) == is_told


def test_a_reminder_counts_and_says_the_same() -> None:
    (first,) = reminders([standing()], T0)
    assert (first.change, first.at, first.alert.revision) == ("updated", T0, 4)
    assert (first.alert.sentence_zh, first.alert.sentence_en) == ("第 1 次提醒：红色。", "Reminder 1: Red.")
    (second,) = reminders([Standing(alert=first.alert)], T0)
    assert (second.alert.sentence_zh, second.alert.sentence_en) == ("第 2 次提醒：红色。", "Reminder 2: Red.")
    assert second.alert.detail["reminder"] == 2
    assert second.alert.alert_id == first.alert.alert_id


def node(name: str, station_id: str | None) -> Node:
    return Node(node_id=name, station_id=station_id, invert_m=0, crown_m=1, ground_m=3, lat=22.5, lon=114.1)


def test_what_is_said_of_pipes_is_of_their_stations() -> None:
    register = WaterRegister(
        nodes=(node("n1", "a"), node("n2", "b"), node("n3", None)),
        edges=(
            Edge(edge_id="p1", upstream="n1", downstream="n2"),
            Edge(edge_id="p2", upstream="n1", downstream="n3"),
        ),
    )
    of_network = stations_of_network(register)
    assert of_network == {"n1": "a", "n2": "b", "p1": "b", "p2": "a"}
    stands = [
        standing("reversal", "p1", 2),
        standing("blockage", "n2", 1),
        standing("flood", "gone"),
        standing("ponding", "b"),
    ]
    found = dangers(stands, {"a": 1, "b": 1}, of_network)
    assert {key: each.alert.level for key, each in found.items()} == {
        ("b", "reversal"): 2,
        ("b", "blockage"): 1,
        ("b", "ponding"): 4,
    }
    assert [each.alert.subject.subject for each in strangers(stands, {"a", "b"}, of_network)] == ["gone"]


def test_a_forecast_that_was_only_prolonged_is_not_over() -> None:
    told = standing("flood_forecast", level=1)
    stands = forecasts([told, standing()])
    assert list(stands) == [("dm", "flood")]
    rules = {"dm": SeriesRules("dm", "level_m")}
    over = expiries(stands, {}, rules, minute(1))
    assert ([change.alert.ended_at for change in over.changes], over.over) == ([T0], {("dm", "flood")})
    forecast = Forecast(1, micros(T0), minute(10), minute(20), 0.01, 0.8)
    prolonged = {("dm", "flood"): Outlook(forecast, told.alert)}
    assert expiries(stands, prolonged, rules, minute(1)).changes == []
    ended = {("dm", "flood"): Outlook()}  # the folds know of none: as it was told
    assert len(expiries(stands, ended, rules, minute(1)).changes) == 1


def test_a_forecast_of_which_the_folds_said_more_is_theirs() -> None:
    stands = forecasts([standing("flood_forecast", is_newest=False)])
    assert expiries(stands, {}, {"dm": SeriesRules("dm", "level_m")}, minute(60)).changes == []
