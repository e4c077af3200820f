"""A forecast stands beside what is observed, expires by itself, and is switched off where it is mostly wrong."""

from __future__ import annotations

import pytest

from streams.alerts.episodes import Change
from streams.water.forecast import HORIZON, Outlook, Situation, expire, look, project, theil_sen
from streams.water.rules import HazardRules, SeriesRules, hazards_at, instant
from tests.streams.water.river import ZONE, Sample, feed, flood, minute, table, thresholds

FLOOD: HazardRules = hazards_at(thresholds())[0]
RULES = SeriesRules("dm", "level_m", name_zh="东门站", name_en="Dongmen")
RISE: tuple[Sample, ...] = ((0, 0.70), (5, 0.75), (10, 0.80), (15, 0.85))


def situation(samples: tuple[Sample, ...], level: int = 0, base: float = 0.3) -> Situation:
    return Situation(
        [minute(at) for at, _ in samples], [value for _, value in samples], base, level, minute(samples[-1][0])
    )


def outlooks(samples: list[Sample]) -> list[Change]:
    state = table()
    feed(state, [(-60, 0.3), (-55, 0.3)])
    return [change for sample in samples for change in feed(state, [sample]).outlooks]


def test_the_slope_is_that_of_the_most_pairs() -> None:
    assert theil_sen([minute(at) for at in range(5)], [0.0, 0.1, 5.0, 0.3, 0.4]) == pytest.approx(0.1)


def test_a_steady_rise_is_projected_to_its_level() -> None:
    found = project(situation(RISE), FLOOD)
    assert found is not None
    assert (found.level, found.crosses_at, found.expires_at) == (1, minute(30), minute(45))


@pytest.mark.parametrize(
    ("samples", "level", "base"),
    [
        (RISE[1:], 0, 0.3),  # three samples are too few
        (tuple((at, 0.85 + at / 1000) for at, _ in RISE), 0, 0.3),  # too slow
        (tuple((at, value - 0.3) for at, value in RISE), 0, 0.3),  # too low
        (RISE, 1, 0.3),  # blue is there, yellow is far
        (((0, 0.85), (5, 0.8), (10, 0.75), (15, 0.7)), 0, 0.3),  # falling
    ],
)
def test_nothing_is_projected(samples: tuple[Sample, ...], level: int, base: float) -> None:
    assert project(situation(samples, level, base), FLOOD) is None


def test_it_is_likely_and_apart_from_what_is_observed() -> None:
    told = outlooks([*RISE, (20, 0.92), (25, 1.01), (30, 1.05)])
    assert [(each.change, each.alert.subject.kind, each.alert.certainty) for each in told] == [
        ("raised", "flood_forecast", "likely"),
        ("ended", "flood_forecast", "likely"),
    ]
    assert told[1].alert.detail["came_true"]
    assert told[0].alert.sentence_zh.startswith(
        "预测：东门站 水位 0.85 米，每分钟上涨 1.0 厘米，预计 08:30 达到蓝色阈值 1.00"
    )
    assert "is likely to reach blue" in told[0].alert.sentence_en


def test_it_expires_by_itself() -> None:
    falling: list[Sample] = [(at, 0.85 - (at - 15) / 400) for at in range(20, 60, 5)]
    told = outlooks([*RISE, *falling])
    assert [each.change for each in told] == ["raised", "ended"]
    assert not told[1].alert.detail["came_true"]


def test_it_expires_when_the_station_falls_silent() -> None:
    outlook, _ = look(Outlook(), RULES, FLOOD, situation(RISE), ZONE)
    assert expire(outlook, RULES, minute(15) + HORIZON) == (outlook, [])
    after, changes = expire(outlook, RULES, minute(16) + HORIZON)
    assert (after.forecast, after.false) == (None, 1)
    assert [each.change for each in changes] == ["ended"]
    assert changes[0].alert.ended_at == instant(minute(45))
    assert changes[0].alert.sentence_en.endswith("has expired; no reading showed that level.")


@pytest.mark.parametrize(("level", "hits", "false"), [(0.5, 0, 1), (1.1, 1, 0)])
def test_the_station_that_comes_back_says_the_same_end_as_the_sweep(level: float, hits: int, false: int) -> None:
    """What it says of the time before the expiry comes too late to be told, and counts all the same."""
    outlook, _ = look(Outlook(), RULES, FLOOD, situation(RISE), ZONE)
    _, swept = expire(outlook, RULES, minute(46))
    backfilled = Situation([minute(40)], [level], 0.3, 0, minute(50))
    after, said = look(outlook, RULES, FLOOD, backfilled, ZONE)
    assert said == swept
    assert (after.forecast, after.hits, after.false) == (None, hits, false)


def test_what_is_over_when_it_is_heard_of_is_no_forecast() -> None:
    late = situation(RISE)._replace(received=minute(47))
    assert look(Outlook(), RULES, FLOOD, late, ZONE) == (Outlook(), [])


def test_it_is_switched_off_where_most_do_not_come_true() -> None:
    good, bad = Outlook(hits=3, false=3), Outlook(hits=2, false=4)
    assert (good.is_told, bad.is_told) == (True, False)
    outlook, changes = look(bad, RULES, FLOOD, situation(RISE), ZONE)
    assert changes == []
    assert outlook.forecast is not None  # it goes on in silence, and may prove itself
    told, changes = look(good, RULES, FLOOD, situation(RISE), ZONE)
    assert "本站预测命中率 50%" in changes[0].alert.sentence_zh
    hit, ended = look(told, RULES, FLOOD, situation((*RISE, (20, 1.1)), 1), ZONE)
    assert (hit.hits, hit.leads_min, ended[0].alert.revision) == (4, (5.0,), 2)


def test_a_flood_is_seen_coming() -> None:
    told = outlooks(flood(step_min=2))
    assert [each.change for each in told].count("raised") >= 1
    assert any(each.alert.detail.get("came_true") for each in told)


@pytest.mark.parametrize("calm", [0, 3])
def test_a_flood_is_seen_coming_however_many_samples_come_at_once(calm: int) -> None:
    rise: list[Sample] = [(5.0 * step, round(0.2 + 0.06 * max(step - calm, 0), 3)) for step in range(12)]
    fall: list[Sample] = [(-5.0 * step, 0.5 + 0.01 * step) for step in range(20, 0, -1)]
    one_by_one, at_once = table(), table()
    single = [change for sample in (*fall, *rise) for change in feed(one_by_one, [sample]).outlooks]
    together = feed(at_once, [*fall, *rise]).outlooks
    assert single
    assert [(each.change, each.at, each.alert.alert_id) for each in together] == [
        (each.change, each.at, each.alert.alert_id) for each in single
    ]
