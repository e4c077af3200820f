"""How fast are others with the same records into the same table? Batches first, then one row a record."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from deploy.local.places import places
from schemas.settings import Settings
from sql.connect import connect
from tests.bench.figures import Figure, Measured, Target
from tests.bench.full_path import ROWS_PER_RECORD, Drained, drain
from tests.bench.ground import TOPIC, Bench, calm, count, fresh_database, new_log, register_series
from tests.bench.load import records

HERE = Path(__file__).parent
PEERS = {"quixstreams, PostgreSQLSink": "quix.py", "aiokafka, psycopg executemany": "executemany.py"}
SERIES = 5_000
SHAPES = (("batches", 60, ROWS_PER_RECORD), ("single rows", 6, 1))  # name, minutes, rows of a record
PATIENCE_S = 180
STEPS = 1 + len(SHAPES) * (2 + len(PEERS))
THREE_TIMES = Target(3.0, "ratio", "at least")
THIRD = Target(1 / 3, "ratio", "at most")


class Run(msgspec.Struct, frozen=True):
    rows_per_s: float
    client_us: float


def run(bench: Bench) -> Measured:
    bench.screen.step("an environment for the peers")
    python = environment(places(bench.settings).programs / "peers")
    figures: list[Figure] = []
    values: dict[str, Any] = {}
    for shape, minutes, rows_per_record in SHAPES:
        bench.screen.step(f"{shape}: {SERIES * minutes:,} rows into Kafka")
        sizes = new_log(bench, records(SERIES, minutes, rows_per_record))
        bench.screen.step(f"{shape}: our worker")
        with fresh_database(bench, "ours") as settings:
            register_series(settings, SERIES)
            calm(settings)
            drained = drain(bench, settings, sizes, f"peers-{shape.split()[0]}")
        found: dict[str, Run] = {}
        for name, script in PEERS.items():
            bench.screen.step(f"{shape}: {name}")
            with fresh_database(bench, "peer") as settings:
                register_series(settings, SERIES)
                calm(settings)
                found[name] = _peer(bench, settings, python, script, shape, SERIES * minutes, sum(map(len, sizes)))
        figures += compared(shape, drained, found, is_target=rows_per_record > 1)
        values[shape.replace(" ", "_")] = {
            "ours": {"rows_per_s": drained.rows_per_s, "us_per_row": drained.client_us},
            **{name: {"rows_per_s": one.rows_per_s, "us_per_row": one.client_us} for name, one in found.items()},
        }
    return Measured(tuple(figures), {"peers": values})


def compared(shape: str, ours: Drained, found: dict[str, Run], *, is_target: bool) -> list[Figure]:
    """Ours beside each peer; the target is about the better of them."""
    fastest = max(found, key=lambda name: found[name].rows_per_s)
    leanest = min(found, key=lambda name: found[name].client_us)
    rates = [
        Figure(
            name=f"{shape}: our worker",
            value=ours.rows_per_s,
            unit="rows/s",
            reference=one.rows_per_s,
            beside=name,
            target=THREE_TIMES if is_target and name == fastest else None,
        )
        for name, one in found.items()
    ]
    costs = [
        Figure(
            name=f"{shape}: CPU of our worker",
            value=ours.client_us,
            unit="us/row",
            reference=one.client_us,
            beside=name,
            target=THIRD if is_target and name == leanest else None,
        )
        for name, one in found.items()
    ]
    return [*rates, *costs]


def environment(folder: Path) -> Path:
    """A virtual environment with the peers' packages; made once for each list of them."""
    wanted = (HERE / "requirements.txt").read_text(encoding="utf-8")
    stamp, python = folder / "made-from", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder, with_pip=True, clear=True)
    argv = [str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements.txt")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"pip install failed: {done.stderr[-1500:]}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _peer(bench: Bench, settings: Settings, python: Path, script: str, shape: str, rows: int, parts: int) -> Run:
    place = psycopg.conninfo.conninfo_to_dict(settings.dsn("owner"))  # quix makes schemas
    job = {name: str(place[name]) for name in ("host", "port", "dbname", "user", "password")}
    more = {"bootstrap": settings.bootstrap, "topic": TOPIC, "group": f"{script}-{shape}".replace(" ", "-")}
    given = json.dumps(job | more | {"rows": rows, "records": parts})
    done = subprocess.run(
        [str(python), str(HERE / script)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd=bench.folder,
    )
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{script} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    with connect(settings.dsn("owner")) as connection:
        stored = count(connection, "select count(*) from parking_observation")
    if stored != rows:
        raise RuntimeError(f"{script} stored {stored:,} of {rows:,} rows")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return Run(answer["rows_per_s"], answer["client_us"])
