"""Does the command teach, and does a failed step say what to do?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.commands.data import _sorted_out
from deploy.local.orphans import end_orphans
from deploy.local.places import CHECKOUT, Places
from deploy.local.ports import is_free
from deploy.local.progress import StackError
from schemas.settings import parse


def citysense(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    rest = {name: value for name, value in os.environ.items() if not name.startswith("CITYSENSE_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=rest | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "120"} | environ,
    )


COMMANDS = {
    *("demo", "up", "status", "logs", "down", "decode", "replay", "register", "deadletter", "endpoint", "storm"),
    *("doctor", "migrate", "provision", "backup", "restore", "test", "bench", "chaos"),
}
SLEEPER = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: exit(0))
print("up", flush=True)
time.sleep(600)
"""


def test_help_names_every_command_and_each_teaches_by_example(tmp_path: Path) -> None:
    whole = citysense("--help", cwd=tmp_path)
    assert whole.returncode == 0
    for name in COMMANDS:
        assert f" {name} " in whole.stdout
    for name in ("demo", "up", "replay", "register", "restore", "test"):
        said = citysense(name, "--help", cwd=tmp_path).stdout
        assert f"./citysense {name}" in said, name


def test_help_of_a_command_that_hands_over_has_the_options_of_the_program_behind_it(tmp_path: Path) -> None:
    for words, option in (
        (("decode",), "--received-at"),
        (("replay",), "--registers"),
        (("replay", "water"), "--thresholds"),
        (("register",), "unregistered"),
        (("register", "load"), "Load CSV files"),
        (("bench",), "--peers"),
        (("chaos",), "--seed"),
    ):
        done = citysense(*words, "--help", cwd=tmp_path)
        assert done.returncode == 0 and option in done.stdout, (words, done.stderr)
    assert "hongkong-flat" in citysense("decode", "--help", cwd=tmp_path).stdout


def test_settings_that_cannot_be_used_are_said_line_by_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[kafka]\nreplication = 0\nport = 1\n[feeed]\nbind = ""\n', encoding="utf-8")
    done = citysense("status", cwd=tmp_path, CITYSENSE_SETTINGS=str(wrong))
    assert done.returncode == 2
    for part in ("[kafka] replication", "[kafka] port: no such field", "[feeed]"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_are_not_there_are_said_without_a_trace(tmp_path: Path) -> None:
    done = citysense("status", cwd=tmp_path, CITYSENSE_SETTINGS=str(tmp_path / "nowhere.toml"))
    assert done.returncode == 2
    assert "nowhere.toml cannot be read" in done.stderr and "Traceback" not in done.stderr


def test_status_of_nothing_says_how_to_start(tmp_path: Path) -> None:
    toml = tmp_path / "citysense.toml"
    toml.write_text(f'[stack]\nstate_dir = "{tmp_path}/state"\n', encoding="utf-8")
    done = citysense("status", cwd=tmp_path, CITYSENSE_SETTINGS=str(toml))
    assert done.returncode == 1
    assert "./citysense demo" in done.stdout
    logs = citysense("logs", "worker", cwd=tmp_path, CITYSENSE_SETTINGS=str(toml))
    assert logs.returncode == 1
    assert "there is no log of 'worker'" in logs.stderr


def test_decoding_takes_paths_of_the_callers_own_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("{}", encoding="utf-8")
    (tmp_path / "schemas.py").write_text("raise RuntimeError('a file of the caller was imported')", encoding="utf-8")
    done = citysense("decode", "hdb", "empty.json", cwd=tmp_path)
    assert '"reject"' in done.stdout
    assert "RuntimeError" not in done.stderr


def test_replay_gives_each_half_its_options() -> None:
    words = ["parking", "a.json", "b.json", "--format", "hdb", "--source", "s.toml", "--at", "08:00Z", "--json"]
    words += ["--registers", "r"]
    domain, files, decoding, replaying = _sorted_out(words)
    assert (domain, files) == ("parking", ["a.json", "b.json"])
    assert decoding == ["hdb", "--source", "s.toml", "--received-at", "08:00Z"]
    assert replaying == ["--at", "08:00Z", "--json", "--registers", "r"]
    assert _sorted_out(["parking", "a", "--format=lta", "--at=x"])[2:] == (["lta", "--received-at", "x"], ["--at=x"])


def test_replay_without_a_format_says_how() -> None:
    with pytest.raises(StackError, match="--format FORMAT"):
        _sorted_out(["parking", "a.json"])


def test_a_port_that_another_program_holds_is_not_free() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert not is_free(held.getsockname()[1])


def test_an_orphan_of_this_instance_is_ended_and_of_another_is_not(tmp_path: Path) -> None:
    mine, other = (Places(root=tmp_path, instance=tmp_path / name, as_root=False) for name in ("main", "test"))
    running = []
    for where in (mine, other):
        argv = [sys.executable, "-c", SLEEPER, "kafka.Kafka", str(where.kafka_properties(1))]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        running.append(process)
    orphan, stranger = running
    try:
        assert end_orphans(mine) == [orphan.pid]
        assert orphan.wait(10) == 0
        assert stranger.poll() is None
    finally:
        for process in running:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def test_the_settings_of_the_checkout_are_valid() -> None:
    settings = parse((CHECKOUT / "citysense.toml").read_text(encoding="utf-8"))
    assert not any(source.enabled for source in settings.sources), (
        "feeds of others are off until a person turns them on"
    )


def test_locks_hold_hashes_and_no_addresses() -> None:
    for name in ("requirements.lock", "package-lock.json"):
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert '"resolved"' not in text
        assert ("--hash=sha256:" in text) or ('"integrity": "sha512-' in text)
