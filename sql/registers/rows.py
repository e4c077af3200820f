"""Which rows of CSV files are good rows of a register, and what is wrong with the others? No I/O."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.registers import Subdistrict
from sql.registers.cells import BadCell, Line, lines_of, value_of
from sql.registers.places import WGS84, Box, check_inside, to_wgs84
from sql.registers.tables import SUBDISTRICTS_GEOJSON, Catalogue, RowProblem, Table, content, in_force

Fault = tuple[str, str, str]  # field, problem, advice
CheckRow = Callable[[Any, list[Any]], None]  # of a row and the versions known of its key; raises Refused
Faults = dict[int, Fault]  # of rows, by their place


class Known:
    """What is known while a table is read: the base, and the tables above it."""

    def __init__(self, base: Any, read: Mapping[str, tuple[Any, ...]]) -> None:
        self._base = base
        self._read = read

    def rows(self, table: str) -> tuple[Any, ...]:
        return (*getattr(self._base, table), *self._read.get(table, ()))


def _accept(row: Any, versions: list[Any]) -> None:
    """A row of a table without rules of its own."""


def no_check(table: Table, known: Known) -> CheckRow:
    return _accept


def no_faults(table: Table, rows: list[Any], known: Known) -> Faults:
    return {}


def read_tables(
    catalogue: Catalogue,
    files: Mapping[str, bytes],
    base: Any,
    problems: list[RowProblem],
    *,
    at: datetime,
    zone: ZoneInfo,
    box: Box | None,
    check_of: Callable[[Table, Known], CheckRow] = no_check,
    check_together: Callable[[Table, list[Any], Known], Faults] = no_faults,
) -> dict[str, tuple[Any, ...]]:
    """The good rows of each table; what refuses the others goes to `problems`.

    check_of        the rules of a table beyond its contract and its key
    check_together  faults of rows that show only beside the others
    """
    read: dict[str, tuple[Any, ...]] = {}
    known = Known(base, read)
    for table in catalogue.tables:
        rows: list[Any] = []
        places: list[tuple[str, int, dict[str, Any]]] = []
        taken: dict[Any, int] = {}
        old: dict[Any, list[Any]] = {}
        for row in table.rows(base):
            old.setdefault(table.key_of(row), []).append(row)
        named = {name: {_first_key(catalogue, name, row) for row in known.rows(name)} for name in table.needs.values()}
        check = check_of(table, known)
        for file, line, fields in _raw_rows(table, files, zone, problems):
            try:
                row = _row(table, fields, at, box)
                versions = old.get(table.key_of(row), [])
                _check_names(catalogue, table, row, named)
                _check_once(table, row, taken, line)
                if table.versioned:
                    _check_history(row, versions, at)
                check(row, versions)
            except Refused as refusal:
                problems.extend(_told(refusal.faults, file, line, fields))
            else:
                rows.append(row)
                places.append((file, line, fields))
        faults = check_together(table, rows, known)
        for place, fault in sorted(faults.items()):
            problems.extend(_told([fault], *places[place]))
        read[table.name] = tuple(row for place, row in enumerate(rows) if place not in faults)
    return read


def _first_key(catalogue: Catalogue, table: str, row: Any) -> Any:
    return catalogue.table(table).key_of(row)[0]


class Refused(Exception):
    def __init__(self, *faults: tuple[str, str, str]) -> None:
        super().__init__(str(faults))
        self.faults = faults  # field, problem, advice


def strangers(files: Mapping[str, bytes], catalogues: Sequence[Catalogue]) -> list[RowProblem]:
    """Files that no register reads: a misspelt one must not be passed over silently."""
    known = [*(table.file for catalogue in catalogues for table in catalogue.tables), SUBDISTRICTS_GEOJSON]
    return [
        _file_problem(name, "is no file of a register", _did_you_mean(name, known))
        for name in sorted(files)
        if name.endswith((".csv", ".geojson")) and name not in known
    ]


def _told(faults: Iterable[Fault], file: str, line: int, fields: Mapping[str, Any]) -> list[RowProblem]:
    return [
        RowProblem(file=file, line=line, field=f, value=str(fields.get(f, ""))[:80], problem=p, advice=a)
        for f, p, a in faults
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
    """The row of its fields. Raises Refused with each field that is missing or breaks the contract."""
    given = dict(fields)
    if table.versioned:
        given.setdefault("valid_from", at)
    if "received_at" in table.fields:
        given["received_at"] = at
    faults: list[tuple[str, str, str]] = []
    if "lat" in table.fields:
        faults += _place(given, box, "crs_given" in table.fields)
    faults += [
        (name, "is missing", "every row needs it")
        for name, field in table.fields.items()
        if field.required and name not in given
    ]
    if faults:
        raise Refused(*faults)
    try:
        row = msgspec.convert(given, table.row_type)
    except msgspec.ValidationError as error:
        raise Refused(("", str(error), "see the column in sql/registers/README.md")) from error
    if table.versioned and row.valid_to is not None and row.valid_to <= row.valid_from:
        raise Refused(("valid_to", "is not after valid_from", "give the time from which the row no longer holds"))
    return row


def _place(given: dict[str, Any], box: Box | None, keeps_crs: bool) -> list[tuple[str, str, str]]:
    """Puts the coordinates of a row and of its entrances into WGS-84; what is wrong with them."""
    crs = given.pop("crs", WGS84)
    if keeps_crs:
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


def _check_names(catalogue: Catalogue, table: Table, row: Any, named: dict[str, set[str]]) -> None:
    for field, other in table.needs.items():
        value = getattr(row, field)
        if value is None and field != "lot_id":
            continue
        if value not in named[other]:
            file = catalogue.table(other).file
            raise Refused((field, f"{value!r} is in no row of {file} that was accepted", f"add it to {file}"))


def _check_once(table: Table, row: Any, taken: dict[Any, int], line: int) -> None:
    key = (*table.key_of(row), row.valid_from if table.versioned else None)
    if key in taken:
        raise Refused((table.key[-1], f"stands already in line {taken[key]}", "keep one of the two rows"))
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
    raise Refused(("valid_from", problem, f"give a valid_from after {newest.isoformat()}"))
