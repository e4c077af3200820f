"""Which rows of a directory of CSV files make the water register, and what is wrong with the others? No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from schemas.fields import EARLIEST
from schemas.water import Element
from schemas.water_registers import LEVELS, Station, Threshold, WaterRegister
from sql.registers.places import Box
from sql.registers.read import SHANGHAI
from sql.registers.rows import CheckRow, Faults, Known, Refused, no_check, no_faults, read_tables, strangers
from sql.registers.tables import PARKING, RowProblem, Table, in_force
from sql.registers.water_tables import WATER

ELEMENTS = frozenset(get_args(Element)) - {"other"}
RAIN_SUM = re.compile(r"rain_sum_(1|3|6|12|24)h_mm")
WHOLE = 1e-3  # the weights of a basin may miss 1 by so much


def read_water_files(
    files: Mapping[str, bytes],
    *,
    at: datetime = EARLIEST,
    zone: ZoneInfo = SHANGHAI,
    box: Box | None = None,
    known: WaterRegister | None = None,
    subdistricts: Collection[str] | None = None,
) -> tuple[WaterRegister, list[RowProblem]]:
    """As read_register, of the files of water.

    subdistricts  the codes that stations may name; None: any (a replay has no register of parking)
    """
    base = known or WaterRegister()
    problems = strangers(files, (PARKING, WATER))
    codes = None if subdistricts is None else frozenset(subdistricts)

    def check_of(table: Table, known: Known) -> CheckRow:
        return _CHECKS[table.name](codes) if table.name in _CHECKS else no_check(table, known)

    rows = read_tables(
        WATER, files, base, problems, at=at, zone=zone, box=box, check_of=check_of, check_together=_together
    )
    return WaterRegister(version=base.version, **rows), problems


def whole_tables(files: Mapping[str, bytes], problems: Iterable[RowProblem]) -> set[str]:
    """The tables of which the files say all there is: their file is there, and none of its rows was refused."""
    refused = {problem.file for problem in problems}
    return {table.name for table in WATER.tables if table.file in files and table.file not in refused}


def _station(codes: frozenset[str] | None) -> CheckRow:
    def check(row: Station, versions: list[Any]) -> None:
        if row.subdistrict_code is not None and codes is not None and row.subdistrict_code not in codes:
            raise Refused(("subdistrict_code", f"{row.subdistrict_code!r} is no subdistrict", "see subdistricts.csv"))
        if row.element not in ELEMENTS:
            raise Refused(("element", f"{row.element!r} is no quantity", f"write one of {_listed(ELEMENTS)}"))
        if row.range_low is not None and row.range_high is not None and row.range_low >= row.range_high:
            raise Refused(("range_high", "is not above range_low", "give the physical range of the sensor"))
        _positive(row, "cadence_s", "flat_line_min", "rate_limit_per_min")
        if row.noise_p99 < 0:
            raise Refused(("noise_p99", "is below zero", "give the noise in metres"))

    return check


def _threshold(_: frozenset[str] | None) -> CheckRow:
    def check(row: Threshold, versions: list[Any]) -> None:
        if row.element not in ELEMENTS and not RAIN_SUM.fullmatch(row.element):
            advice = f"write one of {_listed(ELEMENTS)}, or rain_sum_3h_mm (1, 3, 6, 12, 24)"
            raise Refused(("element", f"{row.element!r} is no quantity", advice))
        if row.off > row.on:
            raise Refused(("off", "is above on", "a level ends below where it begins"))
        for name in ("confirm", "confirm_max_s", "hold_min"):
            if getattr(row, name) < 0:
                raise Refused((name, "is below zero", "write 0 or more"))
        if not row.source.strip():
            raise Refused(("source", "is empty", "name the document that the threshold comes from"))

    return check


def _node(_: frozenset[str] | None) -> CheckRow:
    def check(row: Any, versions: list[Any]) -> None:
        if not row.invert_m <= row.crown_m <= row.ground_m:
            raise Refused(("crown_m", "is not between invert_m and ground_m", "give all three in the district's datum"))

    return check


def _edge(_: frozenset[str] | None) -> CheckRow:
    def check(row: Any, versions: list[Any]) -> None:
        if row.upstream == row.downstream:
            raise Refused(("downstream", "is the node that it comes from", "a pipe joins two nodes"))
        _positive(row, "diameter_m")

    return check


def _neighbour(_: frozenset[str] | None) -> CheckRow:
    def check(row: Any, versions: list[Any]) -> None:
        if row.station_id == row.neighbour_id:
            raise Refused(("neighbour_id", "is the station itself", "name another station"))

    return check


def _rain_weight(_: frozenset[str] | None) -> CheckRow:
    def check(row: Any, versions: list[Any]) -> None:
        if not 0 <= row.weight <= 1:
            raise Refused(("weight", "is no share", "write a number from 0 to 1"))

    return check


_CHECKS = {
    "stations": _station,
    "thresholds": _threshold,
    "nodes": _node,
    "edges": _edge,
    "neighbours": _neighbour,
    "rain_weights": _rain_weight,
}


def _together(table: Table, rows: list[Any], known: Known) -> Faults:
    if table.name == "basins":
        return _parents(rows, known)
    if table.name == "stations":
        return _one_station_a_series(rows, known)
    if table.name == "thresholds":
        return {**_rising(rows, known), **_one_judge(rows, known)}
    if table.name == "rain_weights":
        return _sums(rows)
    return no_faults(table, rows, known)


def _parents(rows: list[Any], known: Known) -> Faults:
    names = {basin.basin_id for basin in (*known.rows("basins"), *rows)}
    return {
        place: ("parent_id", f"{row.parent_id!r} is no basin", "add it to basins.csv")
        for place, row in enumerate(rows)
        if row.parent_id is not None and (row.parent_id not in names or row.parent_id == row.basin_id)
    }


def _one_station_a_series(rows: list[Station], known: Known) -> Faults:
    """What (source, station, element) says is judged as one station's, at any time."""
    given = {row.station_id for row in rows}
    claimed: dict[tuple[str, str, str], str] = {}
    for old in known.rows("stations"):
        if old.valid_to is None and old.withdrawn_at is None and old.station_id not in given:
            claimed[old.source, old.station, old.element] = old.station_id
    faults: Faults = {}
    for place, row in enumerate(rows):
        holder = claimed.setdefault((row.source, row.station, row.element), row.station_id)
        if holder != row.station_id and row.withdrawn_at is None:
            faults[place] = ("station", f"{row.source} {row.station} is {holder} already", "keep one of the two")
    return faults


def _rising(rows: list[Threshold], known: Known) -> Faults:
    """A higher level begins higher, among the levels that hold when a row begins."""
    histories: dict[tuple[str, str, str], dict[str, list[Any]]] = {}
    for row in (*known.rows("thresholds"), *rows):
        of_hazard = histories.setdefault((row.station_id, row.hazard, row.element), {})
        of_hazard.setdefault(row.level, []).append(row)
    faults: Faults = {}
    for place, row in enumerate(rows):
        of_hazard = histories[row.station_id, row.hazard, row.element]
        for level, history in of_hazard.items():
            other = in_force(history, row.valid_from)
            rank = LEVELS.index(row.level) - LEVELS.index(level)
            if other is not None and ((rank > 0 and row.on <= other.on) or (rank < 0 and row.on >= other.on)):
                relation = "above" if rank > 0 else "below"
                faults[place] = ("on", f"{row.on} is not {relation} {level}, {other.on}", "levels rise with danger")
    return faults


def _one_judge(rows: list[Threshold], known: Known) -> Faults:
    """A hazard of a station is judged by one element (sums of rain are one): two would raise it twice."""
    named: dict[tuple[str, str], dict[str, list[Threshold]]] = {}
    faults: Faults = {}
    for old in known.rows("thresholds"):
        named.setdefault((old.station_id, old.hazard), {}).setdefault(_judge(old), []).append(old)
    for place, row in enumerate(rows):
        by_element = named.setdefault((row.station_id, row.hazard), {})
        others = [each for each in by_element if each != _judge(row) and in_force(by_element[each], row.valid_from)]
        if others:
            said = f"{row.hazard} of {row.station_id} is judged by {others[0]} already"
            faults[place] = ("element", said, "keep one, or register what is measured as a station of its own")
        else:
            by_element.setdefault(_judge(row), []).append(row)
    return faults


def _judge(row: Threshold) -> str:
    return "rain" if RAIN_SUM.fullmatch(row.element) else row.element


def _sums(rows: list[Any]) -> Faults:
    sums: dict[str, float] = {}
    for row in rows:
        sums[row.basin_id] = sums.get(row.basin_id, 0.0) + row.weight
    return {
        place: (
            "weight",
            f"the weights of {row.basin_id} sum to {sums[row.basin_id]:.4f}",
            "shares of a basin sum to 1",
        )
        for place, row in enumerate(rows)
        if abs(sums[row.basin_id] - 1.0) > WHOLE
    }


def _positive(row: Any, *names: str) -> None:
    for name in names:
        value = getattr(row, name)
        if value is not None and value <= 0:
            raise Refused((name, "is not above zero", "write a number above 0, or leave it empty"))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
