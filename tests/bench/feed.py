"""How many requests for lot_status.json does one feed process answer, beside one nginx worker with the same bytes?"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import msgspec

from dashboards.feed.files import LOT_STATUS
from schemas.settings import Settings
from sql.connect import connect
from tests.bench.figures import Figure, Measured, Target, median
from tests.bench.ground import Bench, cpu_s, fresh_database, until
from tests.dashboards.feed.minutes import minute_rows, minute_run, register
from tests.dashboards.feed.tables import insert_minute, insert_register
from tests.processes import running, settings_file, stop

LOTS = 313
ROUNDS = 3
SECONDS = 5
CONNECTIONS = 64
STEPS = 1 + 2 * ROUNDS
HALF = Target(0.5, "ratio", "at least")
TWICE = Target(2.0, "ratio", "at most")  # the same said of CPU, for where wrk is the limit of both
GZIP = {"Accept-Encoding": "gzip"}
OWN = {"connection", "content-length", "content-type", "date", "server", "last-modified"}  # nginx writes these itself
_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    keepalive_requests 100000000;
    open_file_cache max=16 inactive=10m;
    open_file_cache_valid 10m;
    etag off;
    types {{ }}
    {temp}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = {path} {{
            alias {folder}/body;
            default_type "{content_type}";
{headers}
        }}
    }}
}}
"""


class Load(msgspec.Struct, frozen=True):
    """What wrk saw."""

    requests_per_s: float
    p99_ms: float
    cpu_us: float = 0.0  # of the server, per request
    wrk_busy: float = 0.0  # share of a core that wrk used: near 1 it is wrk that limits, not the server


def run(bench: Bench) -> Measured:
    bench.screen.step("a minute of 313 car parks")
    with fresh_database(bench, "feed") as settings:
        _fill(settings)
        file = settings_file(settings, bench.folder, "[feed]\nrequests_per_minute = 0\n")
        port = settings.ports.feed
        with running(settings, file, "dashboards.feed", log=bench.folder / "feed.log") as process:
            url = f"http://127.0.0.1:{port}{LOT_STATUS}"
            until(lambda: process.poll() is not None or _answers(url), "the feed answers", 60, 0.1)
            answer = httpx.get(url, headers=GZIP)
            with httpx.stream("GET", url, headers=GZIP) as raw:
                body = b"".join(raw.iter_raw())
            with nginx(bench.folder, settings.ports.demo, answer, body) as other:
                there = f"http://127.0.0.1:{settings.ports.demo}{LOT_STATUS}"
                until(lambda: _answers(there), "nginx answers", 20, 0.1)
                _check_alike(url, there)
                ours, theirs = [], []
                for number in range(ROUNDS):
                    bench.screen.step(f"feed, round {number + 1}")
                    ours.append(_load(url, [process.pid]))
                    bench.screen.step(f"nginx, round {number + 1}")
                    theirs.append(_load(there, _family(other)))
    return _measured(ours, theirs, len(body))


def _measured(ours: list[Load], theirs: list[Load], size: int) -> Measured:
    feed, web = median([one.requests_per_s for one in ours]), median([one.requests_per_s for one in theirs])
    p99 = median([one.p99_ms for one in ours])
    cpu, cpu_web = median([one.cpu_us for one in ours]), median([one.cpu_us for one in theirs])
    figures = (
        Figure(
            name=f"feed: lot_status.json, gzip, {size / 1024:.0f} KB",
            value=feed,
            unit="requests/s",
            reference=web,
            beside="one nginx worker",
            target=HALF,
        ),
        Figure(
            name=f"  p99 at {CONNECTIONS} connections",
            value=p99,
            unit="ms",
            reference=median([one.p99_ms for one in theirs]),
            beside="one nginx worker",
        ),
        Figure(
            name="  CPU of the server",
            value=cpu,
            unit="us/request",
            reference=cpu_web,
            beside="one nginx worker",
            target=TWICE,
        ),
    )
    values = {
        "feed_vs_nginx": min(feed / web, cpu_web / cpu),  # a load that cannot fill them both makes them look equal
        "feed_us_per_request": cpu,
        "nginx_us_per_request": cpu_web,
        "wrk_busy": median([one.wrk_busy for one in (*ours, *theirs)]),
        "feed_requests_per_s": feed,
        "feed_p99_ms": p99,
        "nginx_requests_per_s": web,
        "feed_rounds": [one.requests_per_s for one in ours],
        "nginx_rounds": [one.requests_per_s for one in theirs],
    }
    return Measured(figures, values)


def _fill(settings: Settings) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    lots = register(LOTS)
    with connect(settings.dsn("owner")) as connection:
        insert_register(connection, lots)
        rows = minute_rows(lots, now)
        insert_minute(connection, minute_run(rows), rows)


@contextmanager
def nginx(folder: Path, port: int, answer: httpx.Response, body: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """One worker that serves these bytes from a file, with the headers that the feed gave."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    file = folder / "body"
    file.write_bytes(body)
    if "last-modified" in answer.headers:
        at = parsedate_to_datetime(answer.headers["last-modified"]).timestamp()
        os.utime(file, (at, at))
    headers = "".join(
        f'            add_header {name} "{_escaped(value)}";\n'
        for name, value in answer.headers.multi_items()
        if name not in OWN
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(
            folder=folder,
            user="user root;" if os.geteuid() == 0 else "",
            temp=" ".join(f"{kind}_temp_path {folder}/nginx-{kind};" for kind in kinds),
            port=port,
            path=LOT_STATUS,
            content_type=answer.headers["content-type"],
            headers=headers,
        ),
        encoding="utf-8",
    )
    log = folder / "nginx-start.log"
    with log.open("ab") as output:
        process = subprocess.Popen([program, "-c", str(config), "-e", str(log)], stdout=output, stderr=output)
    try:
        yield process
    finally:
        stop(process)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _check_alike(url: str, there: str) -> None:
    """The reference must serve the same, or the comparison says nothing."""
    ours, theirs = httpx.get(url, headers=GZIP), httpx.get(there, headers=GZIP)
    if theirs.status_code != 200 or ours.content != theirs.content:
        raise RuntimeError(f"nginx answers {theirs.status_code}, or other bytes than the feed")
    missing = set(ours.headers) - set(theirs.headers)
    if missing:
        raise RuntimeError(f"nginx leaves out headers: {sorted(missing)}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, headers=GZIP, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _load(url: str, pids: list[int]) -> Load:
    before, wrk = cpu_s(pids), resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-H", "Accept-Encoding: gzip", url]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=SECONDS + 30).stdout
    load, used = wrk_report(said), resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = (used.ru_utime + used.ru_stime - wrk.ru_utime - wrk.ru_stime) / SECONDS
    cpu_us = (cpu_s(pids) - before) / (load.requests_per_s * SECONDS) * 1e6
    return Load(load.requests_per_s, load.p99_ms, cpu_us, busy)


def wrk_report(said: str) -> Load:
    """The figures of wrk's report.

    Raises ValueError when not every answer was good.
    """
    if "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(f"not every request was answered well:\n{said}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", said)
    if rate is None or p99 is None:
        raise ValueError(f"not a report of wrk:\n{said}")
    return Load(float(rate[1]), float(p99[1]) * _UNITS_MS[p99[2]])


def _family(process: subprocess.Popen[bytes]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [process.pid, *map(int, children)]
