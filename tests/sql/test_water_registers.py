"""What do the files of water become: stations, thresholds in versions, pipes, and what is wrong with a row?"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.water_registers import WaterRegister
from sql.registers import RowProblem, read_register, read_water_files, whole_tables
from sql.registers.plan import Plan, plan_whole
from sql.registers.tables import Table
from sql.registers.water_tables import WATER

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LATER = AT + timedelta(days=30)
BOX = (114.05, 22.50, 114.25, 22.65)

FILES = {
    "basins.csv": "basin_id,name_zh,name_en,parent_id\nbuji,布吉河流域,Buji,shenzhen\nshenzhen,深圳河流域,Shenzhen,\n",
    "stations.csv": (
        "station_id,source,station,name_zh,name_en,kind,lat,lon,crs,subdistrict_code,basin_id,element,datum,"
        "reference_value_m,cadence_s,range_low,range_high,rate_limit_per_min,day_start,centre,may_query,gateway,#note\n"
        "w-1,sl,0000440301,草埔,Caopu,river,22.59,114.119,,440303009,buji,level_m,1956 Yellow Sea,10.0,300,9,16,0.2,"
        "8:00,5,yes,,\n"
        "w-2,sl,0000440302,笋岗,Sungang,river,22.578,114.116,,,buji,level_m,,,,,,,,,否,,\n"
        "w-3,lora,a84041,1号井,Node 1,pipe_node,22.55,114.12,GCJ-02,,shenzhen,distance_m,,,60,,,,,,,gw-1,\n"
        "w-4,sl,0000440304,东门,Dongmen,rain,22.548,114.121,,,buji,rain_total_mm,,,300,,,,,,,,\n"
    ),
    "sensor_heights.csv": "station_id,height_m,lowest_point_m\nw-3,4.2,0.1\n",
    "thresholds.csv": (
        "station_id,hazard,element,level,on,off,confirm,confirm_max_s,hold_min,source\n"
        "w-1,flood,level_m,blue,11.0,10.9,1,120,30,水务〔2024〕8号\n"
        "w-1,flood,level_m,yellow,12.0,11.9,1,,,水务〔2024〕8号\n"
        "w-1,flood,level_m,red,13.5,13.4,0,,,水务〔2024〕8号\n"
        "w-4,rain,rain_sum_3h_mm,orange,50,45,0,,60,气象\n"
    ),
    "nodes.csv": (
        "node_id,station_id,invert_m,crown_m,ground_m,lat,lon\n"
        "n-1,w-3,2.0,3.0,5.5,22.55,114.12\nn-2,,1.5,2.7,5,22.548,114.12\n"
    ),
    "edges.csv": "edge_id,upstream,downstream,diameter_m\ne-1,n-1,n-2,1.0\n",
    "neighbours.csv": "station_id,neighbour_id,kind\nw-2,w-1,upstream\nw-1,w-2,downstream\nw-1,w-4,rain\n",
    "rain_weights.csv": "basin_id,station_id,weight\nbuji,w-4,1\n",
}


def encoded(files: dict[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in files.items()}


def read(
    files: dict[str, str], at: datetime = AT, known: WaterRegister | None = None
) -> tuple[WaterRegister, list[RowProblem]]:
    return read_water_files(encoded(files), at=at, box=BOX, known=known, subdistricts=("440303009",))


def edited(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return {**FILES, name: FILES[name].replace(old, new)}


def applied(known: WaterRegister, plan: Plan) -> WaterRegister:
    """The register after a plan, as the database would hold it."""
    tables = {}
    for table in WATER.tables:
        ended = {id(close.row): close.valid_to for close in plan.closes if close.table == table.name}
        gone = {table.key_of(row) for row in (*plan.upserts.get(table.name, ()), *plan.deletes.get(table.name, ()))}
        rows = [
            msgspec.structs.replace(row, valid_to=ended[id(row)]) if id(row) in ended else row
            for row in table.rows(known)
            if table.versioned or table.key_of(row) not in gone
        ]
        tables[table.name] = (*rows, *plan.upserts.get(table.name, ()), *plan.inserts.get(table.name, ()))
    return WaterRegister(version=known.version + plan.changes_register, **tables)


def loaded(files: dict[str, str], known: WaterRegister, at: datetime) -> tuple[WaterRegister, Plan]:
    found, problems = read(files, at, known)
    assert problems == []
    plan = plan_whole(WATER, known, found, whole_tables(encoded(files), problems))
    return applied(known, plan), plan


def test_files_become_rows() -> None:
    register, problems = read(FILES)
    assert problems == []
    river, other, node, gauge = register.stations
    assert (river.station, river.centre, river.reference_value_m, river.day_start) == ("0000440301", 5, 10.0, "08:00")
    assert (river.may_query, other.may_query, other.cadence_s, other.range_high) == (True, False, 300.0, None)
    assert abs(node.lat - 22.5526) < 3e-3
    assert (node.gateway, node.valid_from) == ("gw-1", AT)
    assert gauge.kind == "rain"
    blue, yellow, red, rain = register.thresholds
    assert (blue.on, blue.off, blue.confirm, blue.source) == (11.0, 10.9, 1, "水务〔2024〕8号")
    assert (yellow.confirm_max_s, yellow.hold_min, red.confirm, rain.element) == (120.0, 30.0, 0, "rain_sum_3h_mm")
    assert register.heights[0].height_m == 4.2
    assert [basin.parent_id for basin in register.basins] == ["shenzhen", None]
    assert (register.edges[0].upstream, register.nodes[1].station_id) == ("n-1", None)


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "field", "words"),
    [
        ("stations.csv", "440303009", "440303099", 2, "subdistrict_code", "subdistricts.csv"),
        ("stations.csv", ",buji,level_m,1956", ",bujj,level_m,1956", 2, "basin_id", "basins.csv"),
        ("stations.csv", "22.59,114.119", "114.119,22.59", 2, "lat", "swapped"),
        ("stations.csv", "22.59,114.119", "31.2,121.4", 2, "lat", "outside"),
        ("stations.csv", "Caopu,river", "Caopu,lake", 2, "kind", "lake"),
        ("stations.csv", "buji,level_m,1956", "buji,height,1956", 2, "element", "level_m"),
        ("stations.csv", "300,9,16", "300,16,9", 2, "range_high", "above range_low"),
        ("stations.csv", "300,9,16", "0,9,16", 2, "cadence_s", "above zero"),
        ("stations.csv", "300,9,16", "NaN,9,16", 2, "cadence_s", "no number"),
        ("stations.csv", "8:00,5,yes", "25:00,5,yes", 2, "day_start", "time of day"),
        ("stations.csv", "8:00,5,yes", "8:00,5,maybe", 2, "may_query", "yes nor no"),
        ("stations.csv", "sl,0000440302", "sl,0000440301", 3, "station", "w-1 already"),
        ("stations.csv", "草埔", "", 2, "name_zh", "missing"),
        ("sensor_heights.csv", "w-3,4.2", "w-9,4.2", 2, "station_id", "stations.csv"),
        ("thresholds.csv", "11.0,10.9", "11.0,11.1", 2, "off", "above on"),
        ("thresholds.csv", "yellow,12.0,11.9", "yellow,11.0,10.9", 2, "on", "not below yellow"),
        ("thresholds.csv", "blue,11.0", "green,11.0", 2, "level", "blue, yellow"),
        ("thresholds.csv", "flood,level_m,blue", "flood,rain_sum_2h_mm,blue", 2, "element", "rain_sum_3h_mm"),
        ("thresholds.csv", "120,30,水务〔2024〕8号", "120,30,", 2, "source", "missing"),
        ("thresholds.csv", "flood,level_m,yellow", "flood,level_above_gate_m,yellow", 3, "element", "level_m already"),
        ("thresholds.csv", "1,120,30", "-1,120,30", 2, "confirm", "below zero"),
        ("nodes.csv", "2.0,3.0,5.5", "2.0,6.0,5.5", 2, "crown_m", "ground_m"),
        ("nodes.csv", "n-1,w-3", "n-1,w-9", 2, "station_id", "stations.csv"),
        ("edges.csv", "n-1,n-2", "n-1,n-9", 2, "downstream", "nodes.csv"),
        ("edges.csv", "n-1,n-2", "n-1,n-1", 2, "downstream", "two nodes"),
        ("neighbours.csv", "w-2,w-1,upstream", "w-2,w-2,near", 2, "neighbour_id", "itself"),
        ("rain_weights.csv", "w-4,1", "w-4,0.9", 2, "weight", "sum to 0.9"),
        ("rain_weights.csv", "w-4,1", "w-4,2", 2, "weight", "no share"),
        ("basins.csv", "Buji,shenzhen", "Buji,dongjiang", 2, "parent_id", "no basin"),
    ],
)
def test_a_bad_row_is_told_with_its_place(name: str, old: str, new: str, line: int, field: str, words: str) -> None:
    _, problems = read(edited(name, old, new))
    first = problems[0]
    assert (first.file, first.line, first.field) == (name, line, field)
    assert words in first.problem + first.advice
    assert first.advice


def test_a_bad_row_leaves_its_neighbours() -> None:
    register, problems = read(edited("thresholds.csv", "13.5,13.4", "high,13.4"))
    assert [(problem.line, problem.field) for problem in problems] == [(4, "on")]
    assert [each.level for each in register.thresholds] == ["blue", "yellow", "orange"]


def test_files_of_parking_and_of_water_lie_in_one_folder() -> None:
    folder = {**encoded(FILES), "lots.csv": b"lot_id\n", "threshold.csv": b"station_id\n"}
    for problems in (read_register(folder)[1], read_water_files(folder)[1]):
        strange = [problem for problem in problems if problem.line == 0]
        assert [problem.file for problem in strange] == ["threshold.csv"]
        assert "thresholds.csv" in strange[0].advice


def test_a_replay_needs_no_register_of_parking() -> None:
    register, problems = read_water_files(encoded(edited("stations.csv", "440303009", "440303077")))
    assert problems == []
    assert register.stations[0].subdistrict_code == "440303077"
    assert register.thresholds[0].valid_from.year == 2015


def test_loading_again_changes_nothing() -> None:
    first, plan = loaded(FILES, WaterRegister(), AT)
    assert plan.changes_register
    again, plan = loaded(FILES, first, LATER)
    assert not plan.changes_register
    assert again == first


def test_a_threshold_that_changes_is_a_new_version() -> None:
    first, _ = loaded(FILES, WaterRegister(), AT)
    files = edited(
        "thresholds.csv", "blue,11.0,10.9,1,120,30,水务〔2024〕8号", "blue,10.5,10.4,1,120,30,水务〔2026〕3号"
    )
    changed, _ = loaded(files, first, LATER)
    old, new = [each for each in changed.thresholds if each.level == "blue"]
    assert (old.version, old.on, old.valid_to, old.source) == (1, 11.0, LATER, "水务〔2024〕8号")
    assert (new.version, new.on, new.valid_from, new.valid_to) == (2, 10.5, LATER, None)
    assert [each for each in changed.thresholds if each.level != "blue"] == [
        each for each in first.thresholds if each.level != "blue"
    ]


def test_a_threshold_in_another_file_must_fit_those_that_hold() -> None:
    first, _ = loaded(FILES, WaterRegister(), AT)
    head = FILES["thresholds.csv"].splitlines()[0]
    _, problems = read({"thresholds.csv": f"{head}\nw-1,flood,level_m,orange,14.0,13.9,0,,,演练\n"}, LATER, first)
    assert [(problem.line, problem.field) for problem in problems] == [(2, "on")]
    both = f"{head}\nw-1,flood,level_m,orange,14.0,13.9,0,,,演练\nw-1,flood,level_m,red,15,14.9,0,,,演练\n"
    assert read({"thresholds.csv": both}, LATER, first)[1] == []


def test_a_sensor_is_mounted_anew() -> None:
    first, _ = loaded(FILES, WaterRegister(), AT)
    moved, _ = loaded(edited("sensor_heights.csv", "4.2", "4.05"), first, LATER)
    assert [(each.height_m, each.valid_from, each.valid_to) for each in moved.heights] == [
        (4.2, AT, LATER),
        (4.05, LATER, None),
    ]


def test_a_pipe_that_is_no_longer_in_its_file_goes() -> None:
    first, _ = loaded({**FILES, "edges.csv": FILES["edges.csv"] + "e-2,n-2,n-1,0.4\n"}, WaterRegister(), AT)
    assert len(first.edges) == 2
    after, plan = loaded(FILES, first, LATER)
    assert [edge.edge_id for edge in after.edges] == ["e-1"]
    assert [edge.edge_id for edge in plan.deletes["edges"]] == ["e-2"]
    broken = edited("edges.csv", "n-1,n-2", "n-1,n-7")
    found, problems = read(broken, LATER, first)
    plan = plan_whole(WATER, first, found, whole_tables(encoded(broken), problems))
    assert not plan.deletes.get("edges")  # a refused row may be what is missing: nothing goes
    without = {name: text for name, text in FILES.items() if name != "edges.csv"}
    assert loaded(without, first, LATER)[0].edges == first.edges


def test_every_table_names_fields_of_the_register() -> None:
    assert {table.name for table in WATER.tables} | {"version"} == set(WaterRegister.__struct_fields__)
    for table in WATER.tables:
        assert set(table.key) <= set(table.row_type.__struct_fields__)


CELLS = st.sampled_from(
    ["", "w-1", "w-4", "buji", "n-1", "level_m", "red", "-1", "1e9", "inf", "24:00", "是", "\x00"]
) | st.text(max_size=8)


@given(st.data(), st.sampled_from(WATER.tables))
def test_every_row_is_accepted_or_told_whatever_is_in_it(data: st.DataObject, table: Table) -> None:
    names = list(table.columns)
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=4))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    body = text.getvalue().encode(errors="replace")
    register, problems = read_water_files({**encoded(FILES), table.file: body}, box=BOX)
    told = {problem.line for problem in problems if problem.file == table.file and problem.line}
    filled = sum(any(cell.strip() for cell in row) for row in csv.reader(io.StringIO(body.decode(), newline="")))
    whole = any(problem.file == table.file and problem.line == 0 for problem in problems)
    assert whole or len(table.rows(register)) + len(told) == max(filled - 1, 0)
