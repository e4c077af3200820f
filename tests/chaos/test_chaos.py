"""45 seconds of chaos in every run of the tests: the accounts balance."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from tests.processes import ROOT


@pytest.mark.chaos
@pytest.mark.stack
def test_nothing_is_lost_and_nothing_doubled_while_everything_is_killed() -> None:
    done = subprocess.run(
        [str(ROOT / "citysense"), "chaos", "--seconds", "45", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    account = msgspec.json.decode(done.stdout.splitlines()[-1])
    assert account["balances"]
    for one in (account, account["water"]):
        assert one["lost"] == one["doubled"] == 0
        assert one["stored"] >= one["confirmed"] > 0
    alerts = account["alerts"]
    assert alerts["alerts"] == alerts["expected"] > 0
    assert alerts["undelivered"] == alerts["last_missing"] == alerts["backward"] == 0
    assert alerts["came"] >= alerts["delivered"] > 0
