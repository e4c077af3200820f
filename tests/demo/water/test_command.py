"""Does the demo's own command bring the water only when it is asked for, and end when it is told to?"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from demo.__main__ import main, prepare
from demo.sources import secret_variable
from demo.water import sources
from demo.water.network import HJ212, SL651
from schemas.settings import parse
from sql.registers import read_water_files
from tests.demo.water.loops import in_a_loop


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    for first in range(23_000, 29_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no ports are free")


def test_water_is_prepared_only_when_it_is_asked_for(tmp_path: Path) -> None:
    prepare(tmp_path / "dry", parse(""))
    assert not (tmp_path / "dry/registers/stations.csv").exists()
    assert "water" not in (tmp_path / "dry/sources.toml").read_text()
    for _ in range(2):
        prepare(tmp_path / "wet", parse(""), has_water=True)
        settings = parse((tmp_path / "wet/sources.toml").read_text())
        assert {"demo-sl651", "demo-hj212", "demo-lora", "demo-hdb"} <= {source.name for source in settings.sources}
    files = {path.name: path.read_bytes() for path in (tmp_path / "wet/registers").iterdir()}
    assert read_water_files(files)[1] == []


def test_passwords_stay_and_what_others_keep_there_too(tmp_path: Path) -> None:
    prepare(tmp_path, parse(""), has_water=True)
    kept = tmp_path / "secrets.env"
    own = f"{secret_variable(sources.AUTHORITY)}=whsec_abc=\n"
    kept.write_text(kept.read_text() + own)
    before = dict(line.split("=", 1) for line in kept.read_text().splitlines())
    prepare(tmp_path, parse(""), has_water=True)
    assert dict(line.split("=", 1) for line in kept.read_text().splitlines()) == before
    assert len(bytes.fromhex(before[secret_variable(SL651)])) == 2
    assert len(before[secret_variable(HJ212)]) == 6


@pytest.mark.parametrize("arguments", [["run", "--storm", "0"], ["run", "--since", "2026-11-24T10:00:00"], ["rain"]])
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)


@in_a_loop
async def test_it_runs_and_ends(tmp_path: Path) -> None:
    first = free_ports(6)
    settings = tmp_path / "citysense.toml"
    settings.write_text(f"[stack.ports]\ndemo = {first}\nmqtt = {first + 4}\npush = {first + 5}\n")
    given = {secret_variable(SL651): "03E8", secret_variable(sources.AUTHORITY): "whsec_" + "A" * 32}
    environ = os.environ | given | {"CITYSENSE_SETTINGS": str(settings), "CITYSENSE_INSTANCE": "main"}
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def station(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read(2))
        writer.close()

    async with await asyncio.start_server(station, "127.0.0.1", sources.ports(first)[SL651]):
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "demo", "run", "--storm", env=environ)
        try:
            async with asyncio.timeout(30):
                assert await heard.get() == b"\x7e\x7e"
            asked = Request(f"http://127.0.0.1:{sources.ports(first)[sources.AUTHORITY]}/alerts", b"{}")
            with pytest.raises(OSError, match="401"):
                await asyncio.to_thread(urlopen, asked)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
