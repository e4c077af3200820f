"""Which rows of a directory of CSV files make a register, and what is wrong with the others? No I/O."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.fields import EARLIEST
from schemas.registers import ParkingRegister, Subdistrict
from sql.registers.cells import BadCell, Line, lines_of, value_of
from sql.registers.places import WGS84, Box, check_inside, to_wgs84
from sql.registers.tables import SUBDISTRICTS_GEOJSON, TABLES, RowProblem, Table, content, in_force

_SHANGHAI = ZoneInfo("Asia/Shanghai")


def read_register(
    files: Mapping[str, bytes],
    *,
    at: datetime = EARLIEST,
    zone: ZoneInfo = _SHANGHAI,
    box: Box | None = None,
    known: ParkingRegister | None = None,
) -> tuple[ParkingRegister, list[RowProblem]]:
    """The good rows of files by name, and a problem for each field that refuses a row.

    at     the valid_from of rows that give none: the time of the load; without a database, always
    box    a lot outside it is refused
    known  what the database has: rows may name its lots, and must not rewrite its history
    """
    base = known or ParkingRegister()
    problems: list[RowProblem] = _strangers(files)
    read: dict[str, tuple[Any, ...]] = {}
    for table in TABLES:
        rows: list[Any] = []
        taken: dict[Any, int] = {}
        old: dict[Any, list[Any]] = {}
        for row in table.rows(base):
            old.setdefault(table.key_of(row), []).append(row)
        named = {name: _names(name, base, read) for name in table.needs.values()}
        entrances = _entrances(base, read) if table.name == "share_windows" else {}
        for file, line, fields in _raw_rows(table, files, zone, problems):
            try:
                row = _row(table, fields, at, box)
                _check_names(table, row, named)
                _check_once(table, row, taken, line)
                if table.versioned:
                    _check_history(row, old.get(table.key_of(row), []), at)
                if table.name == "share_windows":
                    _check_window(row, entrances, old.get(table.key_of(row), []))
            except _Refused as refusal:
                problems.extend(
                    RowProblem(file=file, line=line, field=f, value=str(fields.get(f, ""))[:80], problem=p, advice=a)
                    for f, p, a in refusal.faults
                )
            else:
                rows.append(row)
        read[table.name] = tuple(rows)
    return ParkingRegister(version=base.version, **read), problems


class _Refused(Exception):
    def __init__(self, *faults: tuple[str, str, str]) -> None:
        super().__init__(str(faults))
        self.faults = faults  # field, problem, advice


def _strangers(files: Mapping[str, bytes]) -> list[RowProblem]:
    known = [*(table.file for table in TABLES), SUBDISTRICTS_GEOJSON]
    return [
        _file_problem(name, "is no file of a register", _did_you_mean(name, known))
        for name in sorted(files)
        if name.endswith((".csv", ".geojson")) and name not in known
    ]


def _file_problem(file: str, problem: str, advice: str) -> RowProblem:
    return RowProblem(file=file, line=0, field="", value="", problem=problem, advice=advice)


def _did_you_mean(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _raw_rows(
    table: Table, files: Mapping[str, bytes], zone: ZoneInfo, problems: list[RowProblem]
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(file, line, fields) of each row whose cells mean something; the others become problems."""
    if table.row_type is Subdistrict and SUBDISTRICTS_GEOJSON in files:
        yield from _features(files[SUBDISTRICTS_GEOJSON], problems)
    if table.file not in files:
        return
    types = table.columns
    try:
        header, lines = lines_of(files[table.file])
    except BadCell as fault:
        problems.append(_file_problem(table.file, fault.problem, fault.advice))
        return
    unknown = [name for name in header if name and name not in types and not name.startswith("#")]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    for name in unknown:
        advice = f"{_did_you_mean(name, list(types))} A column of remarks starts with #"
        problems.append(_file_problem(table.file, f"has a column {name!r} that means nothing here", advice))
    problems.extend(_file_problem(table.file, f"has the column {name!r} twice", "remove one") for name in twice)
    if unknown or twice:
        return  # a misspelt column would lose its values silently
    for line in lines:
        fields = _fields(table.file, line, types, zone, problems)
        if fields is not None:
            yield table.file, line.number, fields


def _fields(
    file: str, line: Line, types: dict[str, Any], zone: ZoneInfo, problems: list[RowProblem]
) -> dict[str, Any] | None:
    fields: dict[str, Any] = {}
    before = len(problems)
    for name, text in line.cells.items():
        if name.startswith("#") or not name:
            continue
        try:
            projected = name in ("lat", "lon")  # a northing is no latitude: the bounds are checked in WGS-84
            fields[name] = value_of(name, text, float if projected else types[name], zone)
        except BadCell as fault:
            problem = RowProblem(
                file=file, line=line.number, field=name, value=text[:80], problem=fault.problem, advice=fault.advice
            )
            problems.append(problem)
    return fields if len(problems) == before else None


def _features(data: bytes, problems: list[RowProblem]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Features of kind subdistrict (or of no kind); `line` is the number of the feature."""
    try:
        features = json.loads(data.decode("utf-8-sig"))["features"]
        kinds = [(feature.get("properties") or {}).get("kind", "subdistrict") for feature in features]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problems.append(_file_problem(SUBDISTRICTS_GEOJSON, f"is no GeoJSON: {error!r}", "give a FeatureCollection"))
        return
    for number, (feature, kind) in enumerate(zip(features, kinds, strict=True), 1):
        if kind == "subdistrict":
            given = feature.get("properties") or {}
            names = {name: given[name] for name in ("code", "name_zh", "name_en") if given.get(name) is not None}
            yield SUBDISTRICTS_GEOJSON, number, {**names, "geometry": feature.get("geometry")}


def _row(table: Table, fields: dict[str, Any], at: datetime, box: Box | None) -> Any:
    """The row of its fields. Raises _Refused with each field that is missing or breaks the contract."""
    given = dict(fields)
    if table.versioned:
        given.setdefault("valid_from", at)
    if "received_at" in table.fields:
        given["received_at"] = at
    faults: list[tuple[str, str, str]] = []
    if "lat" in table.fields:
        faults += _place(given, box)
    faults += [
        (name, "is missing", "every row needs it")
        for name, field in table.fields.items()
        if field.required and name not in given
    ]
    if faults:
        raise _Refused(*faults)
    try:
        row = msgspec.convert(given, table.row_type)
    except msgspec.ValidationError as error:
        raise _Refused(("", str(error), "see the column in sql/registers/README.md")) from error
    if table.versioned and row.valid_to is not None and row.valid_to <= row.valid_from:
        raise _Refused(("valid_to", "is not after valid_from", "give the time from which the row no longer holds"))
    return row


def _place(given: dict[str, Any], box: Box | None) -> list[tuple[str, str, str]]:
    """Puts the coordinates of a lot and of its entrances into WGS-84; what is wrong with them."""
    crs = given.pop("crs", WGS84)
    given["crs_given"] = crs
    if "lat" not in given or "lon" not in given:
        return []
    try:
        given["lat"], given["lon"] = _checked_place(given["lat"], given["lon"], crs, box)
    except BadCell as fault:
        return [("lat", fault.problem, fault.advice)]
    entrances = []
    for entrance in given.get("entrances", ()):
        try:
            lat, lon = _checked_place(float(entrance["lat"]), float(entrance["lon"]), crs, box)
        except BadCell as fault:
            return [("entrances", f"{entrance.get('entrance_id')}: {fault.problem}", fault.advice)]
        except (KeyError, TypeError, ValueError):
            return [("entrances", "an entrance has no lat and lon", "give entrance_id, lat and lon of each")]
        entrances.append({**entrance, "lat": lat, "lon": lon})
    if entrances:
        given["entrances"] = tuple(entrances)
    return []


def _checked_place(lat: float, lon: float, crs: str, box: Box | None) -> tuple[float, float]:
    lat, lon = to_wgs84(lat, lon, crs)
    check_inside(lat, lon, box)
    return lat, lon


def _names(name: str, base: ParkingRegister, read: dict[str, tuple[Any, ...]]) -> set[str]:
    table = next(table for table in TABLES if table.name == name)
    return {table.key_of(row)[0] for row in (*table.rows(base), *read.get(name, ()))}


def _check_names(table: Table, row: Any, named: dict[str, set[str]]) -> None:
    for field, other in table.needs.items():
        value = getattr(row, field)
        if value is None and field != "lot_id":
            continue
        if value not in named[other]:
            raise _Refused(
                (field, f"{value!r} is in no row of {other}.csv that was accepted", f"add it to {other}.csv")
            )


def _check_once(table: Table, row: Any, taken: dict[Any, int], line: int) -> None:
    key = (*table.key_of(row), row.valid_from if table.versioned else None)
    if key in taken:
        raise _Refused((table.key[-1], f"stands already in line {taken[key]}", "keep one of the two rows"))
    taken[key] = line


def _check_history(row: Any, versions: list[Any], at: datetime) -> None:
    """A change starts after all that is known of its key: versions are never edited in place."""
    newest = max((version.valid_from for version in versions), default=None)
    if newest is None or row.valid_from > newest:
        return
    holding = in_force(versions, row.valid_from)
    if holding is not None and content(holding) == content(row):
        return
    if row.valid_from == at:
        problem = f"differs from today's version, and one from {newest.isoformat()} is planned already"
    else:
        problem = f"would rewrite history: a version holds from {newest.isoformat()}"
    raise _Refused(("valid_from", problem, f"give a valid_from after {newest.isoformat()}"))


def _entrances(base: ParkingRegister, read: dict[str, tuple[Any, ...]]) -> dict[str, set[Any]]:
    found: dict[str, set[Any]] = {}
    for lot in (*base.lots, *read["lots"]):
        found.setdefault(lot.lot_id, set()).update(entrance.get("entrance_id") for entrance in lot.entrances)
    return found


def _check_window(row: Any, entrances: dict[str, set[Any]], versions: list[Any]) -> None:
    if any(version.source != "register" for version in versions):
        raise _Refused(("window_id", f"belongs to source {versions[0].source!r}", "choose another window_id"))
    if row.entrance_id is not None and row.entrance_id not in entrances.get(row.lot_id, ()):
        raise _Refused(("entrance_id", f"{row.entrance_id!r} is no entrance of {row.lot_id}", "see lots.csv entrances"))
