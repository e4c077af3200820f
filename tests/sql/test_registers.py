"""What do the files of a register become: rows, problems with their line, versions?"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.registers import ParkingRegister
from schemas.settings import Parking
from sql.registers import RowProblem, read_register
from sql.registers.cells import BadCell, text_of, weekdays
from sql.registers.places import to_wgs84
from sql.registers.plan import Hold, Plan, confirmed, plan_load
from sql.registers.tables import BY_NAME, TABLES, Table

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LATER = AT + timedelta(days=30)
BOX = (114.05, 22.50, 114.25, 22.65)
LIMITS = Parking()

FILES = {
    "subdistricts.csv": 'code,name_zh,name_en,geometry\n440303005,南湖街道,Nanhu,"{""type"":""Polygon""}"\n',
    "operators.csv": "operator_id,name_zh,name_en,contact\njst,捷顺停,JST,0755-0\n",
    "source_terms.csv": "source,licence,attribution,url\nop-jst,CC-BY-4.0,JST,\n",
    "lots.csv": (
        "lot_id,name_zh,name_en,subdistrict_code,operator_id,kind,lat,lon,crs,height_limit_m,opening_hours,entrances,#note\n"
        "lh-1,嘉宾停车场,Jiabin,440303005,jst,underground,22.54,114.12,,2.1,24/7,"
        '"[{""entrance_id"":""E1"",""lat"":22.5401,""lon"":114.1201}]",seen\n'
        "lh-2,春风停车场,Chunfeng,440303005,,surface,22.541,114.125,GCJ-02,,,,\n"
    ),
    "lot_sources.csv": "source,ref,lot_id,priority\nop-jst,P1,lh-1,\nop-jst,P2,lh-2,2\n",
    "pools.csv": (
        "lot_id,pool,audience,product,exclusive,capacity,capacity_basis\n"
        "lh-1,public,public,,,200,\nlh-1,shared,shared,shared_window,no,40,contract\nlh-2,public,public,,yes,,\n"
    ),
    "prices.csv": "lot_id,line,weekdays,start,end,step_min,step_price_fen,free_min\nlh-1,1,1-5,8:30,24:00,30,250,15\n",
    "share_windows.csv": (
        "window_id,lot_id,spaces,weekdays,start,end,entrance_id,min_stay_min\nlh-1-day,lh-1,40,1-5,8:30,18:30,E1,30\n"
    ),
    "calendar.csv": "day,kind,name_zh,source\n2026-10-10,workday,国庆调休,国办发明电\n",
}


def encoded(files: dict[str, str], encoding: str = "utf-8") -> dict[str, bytes]:
    return {name: text.encode(encoding) for name, text in files.items()}


def read(
    files: dict[str, str], at: datetime = AT, known: ParkingRegister | None = None
) -> tuple[ParkingRegister, list[RowProblem]]:
    return read_register(encoded(files), at=at, box=BOX, known=known)


def applied(known: ParkingRegister, plan: Plan) -> ParkingRegister:
    """The register after a plan, as the database would hold it."""
    tables = {}
    for table in TABLES:
        ended = {id(close.row): close.valid_to for close in plan.closes if close.table == table.name}
        replaced = {table.key_of(row) for row in plan.upserts.get(table.name, ())}
        rows = [
            msgspec.structs.replace(row, valid_to=ended[id(row)]) if id(row) in ended else row
            for row in table.rows(known)
            if table.versioned or table.key_of(row) not in replaced
        ]
        tables[table.name] = (*rows, *plan.upserts.get(table.name, ()), *plan.inserts.get(table.name, ()))
    return ParkingRegister(version=known.version + plan.changes_register, **tables)


def loaded(files: dict[str, str], known: ParkingRegister, at: datetime) -> tuple[ParkingRegister, Plan]:
    given, problems = read(files, at, known)
    assert problems == []
    plan = plan_load(known, given, (), at, LIMITS)
    return applied(known, plan), plan


def edited(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return {**FILES, name: FILES[name].replace(old, new)}


def test_files_become_rows() -> None:
    register, problems = read(FILES)
    assert problems == []
    lot, other = register.lots
    assert (lot.lot_id, lot.lat, lot.lon, lot.height_limit_m) == ("lh-1", 22.54, 114.12, 2.1)
    assert lot.entrances[0]["entrance_id"] == "E1"
    assert lot.valid_from == AT
    assert other.crs_given == "GCJ-02"
    assert other.opening_hours is None
    assert other.operator_id is None
    assert [pool.capacity for pool in register.pools] == [200, 40, None]
    assert [pool.exclusive for pool in register.pools] == [True, False, True]
    price, window = register.prices[0], register.share_windows[0]
    assert (price.weekdays, price.start, price.end) == ((1, 2, 3, 4, 5), "08:30", "24:00")
    assert (window.start, window.end, window.spaces, window.received_at) == ("08:30", "18:30", 40, AT)
    assert register.calendar[0].day == date(2026, 10, 10)
    assert [source.priority for source in register.lot_sources] == [1, 2]


def test_the_same_rows_from_every_encoding_and_separator() -> None:
    plain = read_register(encoded(FILES), at=AT)
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        assert read_register(encoded(FILES, encoding), at=AT) == plain
    semicolons = {**FILES, "operators.csv": FILES["operators.csv"].replace(",", ";")}
    assert read(semicolons) == read(FILES)


def test_without_a_database_rows_hold_always() -> None:
    register, problems = read_register(encoded(FILES))
    assert problems == []
    assert register.lots[0].valid_from.year == 2015


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "field", "words"),
    [
        ("pools.csv", "200", "two hundred", 2, "capacity", "int"),
        ("pools.csv", "200", "-1", 2, "capacity", ">= 0"),
        ("pools.csv", "lh-2,public,public", "lh-2,public,anybody", 4, "audience", "anybody"),
        ("pools.csv", "lh-1,shared", "lh-9,shared", 3, "lot_id", "lots.csv"),
        ("pools.csv", "lh-1,shared,shared", "lh-1,public,shared", 3, "pool", "line 2"),
        ("lots.csv", "22.541,114.125,GCJ-02", "114.125,22.541,", 3, "lat", "swapped"),
        ("lots.csv", "22.541,114.125,GCJ-02", "31.2,121.4,", 3, "lat", "outside"),
        ("lots.csv", "GCJ-02", "EPSG:99", 3, "lat", "EPSG:99"),
        ("lots.csv", "GCJ-02", "Atlantis", 3, "lat", "ATLANTIS"),
        ("lots.csv", "22.541,114.125,GCJ-02", "NaN,114.125,GCJ-02", 3, "lat", "no number"),
        ("lots.csv", "22.541,114.125,GCJ-02", "inf,1,GCJ-02", 3, "lat", "no number"),
        ("lots.csv", "22.541,114.125,GCJ-02", "1e8,1e8,EPSG:4547", 3, "lat", "EPSG:4547"),
        ("lots.csv", "春风停车场", "", 3, "name_zh", "missing"),
        ("lots.csv", "440303005,,surface", "440303099,,surface", 3, "subdistrict_code", "subdistricts.csv"),
        ("lots.csv", "surface", "field", 3, "kind", "field"),
        ("share_windows.csv", "18:30", "25:00", 2, "end", "time of day"),
        ("share_windows.csv", "1-5", "Mon-Fri", 2, "weekdays", "weekdays"),
        ("share_windows.csv", "E1", "E7", 2, "entrance_id", "no entrance"),
        ("calendar.csv", "2026-10-10", "10.10.2026", 2, "day", "date"),
        ("prices.csv", ",30,250", ",0,250", 2, "step_min", ">= 1"),
    ],
)
def test_a_bad_row_is_told_with_its_place(name: str, old: str, new: str, line: int, field: str, words: str) -> None:
    _, problems = read(edited(name, old, new))
    first = problems[0]
    assert (first.file, first.line, first.field) == (name, line, field)
    assert words in first.problem + first.advice
    assert first.advice


def test_a_bad_row_leaves_its_neighbours() -> None:
    register, problems = read(edited("pools.csv", "200", "x"))
    assert len(problems) == 1
    assert [pool.pool for pool in register.pools] == ["shared", "public"]


def test_a_misspelt_column_is_not_ignored() -> None:
    register, problems = read(edited("pools.csv", "capacity,", "capacitiy,"))
    assert register.pools == ()
    assert "capacitiy" in problems[0].problem
    assert "'capacity" in problems[0].advice


def test_a_misspelt_file_is_told() -> None:
    _, problems = read({**FILES, "share_window.csv": "window_id\n"})
    assert [(problem.file, problem.line) for problem in problems] == [("share_window.csv", 0)]
    assert "share_windows.csv" in problems[0].advice


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"a,b\n\x00,1\n"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(BadCell):
        text_of(data)


def test_weekdays() -> None:
    assert weekdays("1-5") == (1, 2, 3, 4, 5)
    assert weekdays("6 7") == weekdays("6,7") == weekdays("六、日") == (6, 7)
    assert weekdays("周一至周五".replace("至周", "至")) == (1, 2, 3, 4, 5)
    assert weekdays("6-1") == (1, 6, 7)
    with pytest.raises(BadCell):
        weekdays("0-3")


def test_a_projected_system_is_converted() -> None:
    # CGCS2000 / 3-degree Gauss-Kruger, central meridian 114 E: its origin is (0 N, 114 E) at easting 500 km.
    lat, lon = to_wgs84(2_494_000.0, 500_000.0, "EPSG:4547")
    assert lon == pytest.approx(114.0, abs=1e-6)
    assert lat == pytest.approx(22.5437, abs=2e-3)


def test_loading_again_changes_nothing() -> None:
    first, plan = loaded(FILES, ParkingRegister(), AT)
    assert plan.changes_register
    assert first.version == 1
    again, plan = loaded(FILES, first, LATER)
    assert not plan.changes_register
    assert again == first


def test_a_change_closes_the_old_version_and_adds_one() -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    changed, _ = loaded(edited("share_windows.csv", "40,1-5", "35,1-5"), first, LATER)
    old, new = changed.share_windows
    assert (old.version, old.spaces, old.valid_to) == (1, 40, LATER)
    assert (new.version, new.spaces, new.valid_from, new.valid_to) == (2, 35, LATER, None)
    assert changed.lots == first.lots


def test_a_lot_moves_to_another_source() -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    moved, _ = loaded(edited("lot_sources.csv", "P2,lh-2", "P2,lh-1"), first, LATER)
    rows = [row for row in moved.lot_sources if row.ref == "P2"]
    assert [(row.lot_id, row.valid_from, row.valid_to) for row in rows] == [("lh-2", AT, LATER), ("lh-1", LATER, None)]


def test_a_planned_change_and_history() -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    files = {
        **FILES,
        "prices.csv": "lot_id,line,step_min,step_price_fen,valid_from,valid_to\nlh-1,1,30,300,2027-01-01,2027-07-01\n",
    }
    planned, _ = loaded(files, first, LATER)
    old, new = planned.prices
    assert old.valid_to == new.valid_from == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert not loaded(files, planned, LATER)[1].changes_register
    late = {**files, "prices.csv": files["prices.csv"].replace("2027-01-01", "2026-01-01")}
    _, problems = read(late, LATER, planned)
    assert [(problem.line, problem.field) for problem in problems] == [(2, "valid_from")]
    _, problems = read(FILES, LATER + timedelta(days=1), planned)
    assert problems == []  # today's version is the same: nothing is rewritten
    _, problems = read(edited("prices.csv", "250", "270"), LATER, planned)
    assert "planned already" in problems[0].problem


@pytest.mark.parametrize(
    ("capacity", "reason"), [("241", "jump"), ("159", "jump"), ("9999", "placeholder"), ("0", "placeholder")]
)
def test_a_strange_capacity_is_held_and_the_rest_loads(capacity: str, reason: str) -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    files = edited("pools.csv", "lh-1,public,public,,,200,", f"lh-1,public,public,,no,{capacity},")
    changed, plan = loaded(files, first, LATER)
    assert [(hold.capacity_old, hold.capacity_new, hold.reason) for hold in plan.holds] == [
        (200, int(capacity), reason)
    ]
    newest = max((pool for pool in changed.pools if pool.pool == "public"), key=lambda pool: pool.version)
    assert (newest.capacity, newest.exclusive, newest.version) == (200, False, 2)


@pytest.mark.parametrize("capacity", ["240", "160"])
def test_a_fifth_is_no_jump(capacity: str) -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    _, plan = loaded(edited("pools.csv", ",200,", f",{capacity},"), first, LATER)
    assert plan.holds == []
    assert plan.changes_register


def test_a_first_placeholder_is_unknown_until_confirmed() -> None:
    register, plan = loaded(edited("pools.csv", ",200,", ",9999,"), ParkingRegister(), AT)
    assert plan.holds[0].reason == "placeholder"
    assert next(pool for pool in register.pools if pool.pool == "public").capacity is None


def test_confirming_adds_a_version_of_the_capacity_alone() -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    hold = Hold(hold_id=1, lot_id="lh-1", pool="public", capacity_old=200, capacity_new=300, reason="jump")
    plan = confirmed(first, hold, LATER)
    assert plan is not None
    after = applied(first, plan)
    old, new = (pool for pool in after.pools if pool.lot_id == "lh-1" and pool.pool == "public")
    assert (old.capacity, old.valid_to, new.capacity, new.valid_from) == (200, LATER, 300, LATER)
    assert confirmed(after, hold, LATER + timedelta(hours=1)) is None  # no longer 200: the question is void


def test_a_hold_waits_once_and_a_rejection_is_remembered() -> None:
    first, _ = loaded(FILES, ParkingRegister(), AT)
    given, _ = read(edited("pools.csv", ",200,", ",300,"), LATER, first)
    held = Hold(hold_id=7, lot_id="lh-1", pool="public", capacity_old=200, capacity_new=300, reason="jump")
    plan = plan_load(first, given, [held], LATER, LIMITS)
    assert (plan.holds, plan.still_held, plan.outdated_holds) == ([], 1, [])
    plan = plan_load(first, given, [msgspec.structs.replace(held, state="rejected")], LATER, LIMITS)
    assert (plan.holds, plan.rejected_before) == ([], 1)
    other, _ = read(edited("pools.csv", ",200,", ",400,"), LATER, first)
    plan = plan_load(first, other, [held], LATER, LIMITS)
    assert plan.outdated_holds == [7]
    assert [hold.capacity_new for hold in plan.holds] == [400]
    back, _ = read(FILES, LATER, first)
    assert plan_load(first, back, [held], LATER, LIMITS).outdated_holds == [7]


def test_every_table_names_fields_of_the_register() -> None:
    register = ParkingRegister()
    assert {table.name for table in TABLES} | {"version"} == set(register.__struct_fields__)
    for table in BY_NAME.values():
        assert set(table.key) <= set(table.row_type.__struct_fields__)


CELLS = st.sampled_from(
    [
        "",
        "lh-1",
        "lh-2",
        "public",
        "car",
        "-1",
        "1e9",
        "NaN",
        "24:00",
        "1-5",
        "[]",
        "[1]",
        '[{"lat":1}]',
        "{}",
        "是",
        "\x00",
    ]
) | st.text(max_size=8)


@given(st.data(), st.sampled_from(TABLES))
def test_every_row_is_accepted_or_told_whatever_is_in_it(data: st.DataObject, table: Table) -> None:
    names = list(table.columns)
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=4))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    body = text.getvalue().encode(errors="replace")
    register, problems = read_register({**encoded(FILES), table.file: body}, box=BOX)
    assume(not any(problem.file == table.file and problem.line == 0 for problem in problems))
    filled = sum(1 for row in rows if any(cell.strip() for cell in row))
    told = {problem.line for problem in problems if problem.file == table.file}
    assert len(table.rows(register)) + len(told) == filled


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    register, problems = read_register({**encoded(FILES), "lots.csv": data, "subdistricts.geojson": data}, box=BOX)
    assert problems or not register.lots


def test_the_description_names_every_column() -> None:
    text = (Path(__file__).parents[2] / "sql" / "registers" / "README.md").read_text(encoding="utf-8")
    for table in TABLES:
        (line,) = (line for line in text.splitlines() if line.startswith("| ") and f"`{table.file}`" in line)
        for name in table.columns:
            is_needed = name in table.fields and table.fields[name].required and name != "valid_from"
            assert (f"**{name}**" in line) == is_needed, (table.file, name)
            assert name in line
