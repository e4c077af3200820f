"""Words of stations in, minute by minute; which of them are stuck out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.water_registers import Station, StationKind, WaterRegister
from streams.water.rules import SeriesRules, rules_of
from streams.water.stuck import Line, Word, can_stick, plain, reason, step, suspect_from
from tests.streams.water.river import ZONE, minute, station

NEAR = {"dm": ("bj",), "bj": ("dm",)}
Words = Mapping[float, Mapping[str, float]]  # at a minute: station and value


def rules(*stations: Station) -> dict[str, SeriesRules]:
    own = stations or (station("dm"), station("bj"))
    return {each.station_id: each for each in rules_of(WaterRegister(stations=own)).values()}


def rivers(until: int, dm: Sequence[float], bj: Sequence[float]) -> dict[float, dict[str, float]]:
    """Each five minutes; the last value is said again and again."""
    steps = enumerate(range(0, until + 1, 5))
    return {at: {"dm": dm[min(n, len(dm) - 1)], "bj": bj[min(n, len(bj) - 1)]} for n, at in steps}


def lived(
    words: Words,
    until: int,
    own: Mapping[str, SeriesRules] | None = None,
    rain: Mapping[float, float] | None = None,
    kept: Mapping[str, Line] | None = None,
    begin: int = 0,
) -> tuple[dict[str, Line], dict[str, list[int]]]:
    """The lines in the end, and in which minutes each station was stuck."""
    of = rules() if own is None else own
    lines, stuck = dict(kept or {}), {name: list[int]() for name in of}
    newest: dict[str, Word] = {}
    for at in range(begin, until + 1):
        newest |= {name: Word(minute(at), value) for name, value in words.get(at, {}).items()}
        fell = {name: (rain or {}).get(at, 0.0) for name in of}
        lines = step(lines, newest, of, NEAR, fell, minute(at))
        for name, line in lines.items():
            if suspect_from(line, of[name]) is not None:
                stuck[name].append(at)
    return lines, stuck


def test_a_line_may_be_flat_for_half_a_day_while_nothing_moves() -> None:
    _, stuck = lived(rivers(755, [0.3], [0.4]), 755)
    assert stuck == {"dm": [], "bj": []}


def test_a_line_that_is_flat_while_a_neighbour_moves_is_stuck_until_it_moves() -> None:
    words = rivers(120, [0.3], [0.4 + n / 100 for n in range(30)])
    words[100]["dm"] = words[105]["dm"] = 0.32
    lines, stuck = lived(words, 109)
    assert (stuck["dm"], stuck["bj"]) == ([*range(60, 100)], [])
    assert lines["dm"].evidence is None


def test_its_reason_is_said_in_words() -> None:
    lines, _ = lived(rivers(60, [0.3], [0.4 + n / 100 for n in range(30)]), 60)
    found = lines["dm"].evidence
    assert found is not None
    zh, en = reason(lines["dm"], found, rules(), "dm", ZONE)
    assert zh == "水位 0.30 米，自 08:00 起未变，而相邻的东门站至 08:20 已变化 +0.03：传感器疑似卡住。"
    assert en == (
        "water level 0.30 m has not changed since 08:00, though Dongmen beside it moved by +0.03 up to 08:20:"
        " the sensor may be stuck."
    )


@pytest.mark.parametrize(("mm", "is_stuck"), [(0.0, False), (4.9, False), (5.0, True)])
def test_heavy_rain_for_an_hour_of_a_flat_line_is_evidence(mm: float, is_stuck: bool) -> None:
    lines, stuck = lived(rivers(90, [0.3], [0.4]), 90, rain={at: mm for at in range(61)})
    assert stuck["dm"] == ([*range(60, 91)] if is_stuck else [])
    evidence = lines["dm"].evidence
    assert (evidence is not None) == is_stuck
    if evidence is not None:
        zh, en = reason(lines["dm"], evidence, rules(), "dm", ZONE)
        assert "降雨 5.0 毫米" in zh
        assert "5.0 mm of rain fell in the hour up to 09:00" in en


def test_rain_that_fell_before_the_line_began_says_nothing() -> None:
    _, stuck = lived(rivers(200, [0.1, 0.2, 0.3], [0.4]), 200, rain={at: 20.0 for at in range(70)})
    assert stuck["dm"] == []
    _, stuck = lived(rivers(200, [0.1, 0.2, 0.3], [0.4]), 200, rain={at: 20.0 for at in range(71)})
    assert stuck["dm"][0] == 70


@pytest.mark.parametrize(("steps", "is_stuck"), [([0.4], False), ([0.425], False), ([0.426], True), ([0.37], True)])
def test_a_neighbour_speaks_when_it_moved_beyond_five_times_its_noise(steps: list[float], is_stuck: bool) -> None:
    _, stuck = lived(rivers(90, [0.3], [0.4, 0.4, 0.4, *steps]), 90)
    assert bool(stuck["dm"]) == is_stuck


def test_a_spike_of_a_neighbour_is_no_movement() -> None:
    _, stuck = lived(rivers(120, [0.3], [0.4, 0.4, 0.4, 2.4, 0.4]), 120)
    assert stuck["dm"] == []
    _, stuck = lived(rivers(120, [0.2, 0.3], [0.4, 2.4, 0.4]), 120)
    assert stuck["dm"] == [], "nor is the way back from one"


def test_a_neighbour_whose_noise_nobody_knows_proves_nothing() -> None:
    own = rules(station("dm"), replace(station("bj"), noise_p99=0.0))
    _, stuck = lived(rivers(120, [0.3], [0.4 + n / 100 for n in range(30)]), 120, own)
    assert stuck["dm"] == []


def test_silence_is_not_flat() -> None:
    """What was in a gap is not known."""
    words = rivers(150, [0.3], [0.4 + n / 100 for n in range(40)])
    for at in range(5, 75, 5):
        del words[at]["dm"]
    _, stuck = lived(words, 150)
    assert stuck["dm"] == [*range(135, 151)], "an hour after it is heard again"


@pytest.mark.parametrize(
    ("kind", "element", "value", "is_stuck"),
    [
        ("street", "level_m", 0.0, False),
        ("underpass", "depth_m", 0.0, False),
        ("pipe_node", "depth_m", 0.0, False),
        ("street", "level_m", 0.12, True),
        ("underpass", "depth_m", 0.12, True),
        ("river", "level_m", 0.0, True),  # zero is a level
    ],
)
def test_a_dry_street_says_zero_in_any_rain(kind: StationKind, element: str, value: float, is_stuck: bool) -> None:
    own = rules(station("dm", kind, element=element))
    words = {float(at): {"dm": value} for at in range(0, 121, 5)}
    _, stuck = lived(words, 120, own, rain={at: 30.0 for at in range(121)})
    assert bool(stuck["dm"]) == is_stuck


def test_what_water_does_not_move_is_not_asked() -> None:
    own = rules(station("dm", "sluice", element="gate_opening_m"))
    assert not can_stick(own["dm"])


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=20, max_size=40),
    st.sets(st.integers(1, 199)),
    st.dictionaries(st.integers(0, 199), st.sampled_from((0.0, 6.0))),
)
def test_a_restart_in_any_minute_says_the_same(
    levels: list[tuple[int, int]], restarts: set[int], rain: dict[float, float]
) -> None:
    """What is kept in JSON between minutes is all that is remembered."""
    words = {5.0 * n: {"dm": 0.3 + dm / 10, "bj": 0.4 + bj / 50} for n, (dm, bj) in enumerate(levels)}
    until = 5 * len(levels)
    whole, stuck = lived(words, until, rain=rain)
    lines: dict[str, Line] = {}
    begin, pieces = 0, {"dm": list[int](), "bj": list[int]()}
    for cut in (*sorted(each for each in restarts if each < until), until + 1):
        kept = {name: msgspec.convert(plain(line), Line) for name, line in lines.items()}
        lines, found = lived(words, cut - 1, rain=rain, kept=kept, begin=begin)
        for name, minutes in found.items():
            pieces[name] += minutes
        begin = cut
    assert pieces == stuck
    assert lines == whole
