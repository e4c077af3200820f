"""A source that was set up wrongly, as its operator mends it: list, show, mend the settings, replay, in the feed."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from tests.proof import repaired
from tests.proof.chain import Chain

pytestmark = pytest.mark.stack
NAME = repaired.SUPPLY.name


def test_a_reject_is_mended_by_an_option_and_replayed(city: Chain) -> None:
    """That it comes into the feed, too, is in test_input.py, when a minute has passed."""
    city.eventually(lambda: len(city.letters(NAME)) == 1, "the reject is a dead letter")
    (letter,) = city.letters(NAME)
    assert (letter["reason"], letter["state"]) == ("unknown_dialect", "open")

    listed = city.call("deploy", "deadletter", "list", "--source", NAME)
    assert "unknown_dialect" in listed and f"{letter['id']}" in listed
    shown = city.call("deploy", "deadletter", "show", str(letter["id"]))
    assert '"garage":"Z1"' in shown.replace(" ", "") and "options" in shown

    city.call("deploy", "deadletter", "replay", str(letter["id"]), status=1)
    assert [one["state"] for one in city.letters(NAME)] == ["open"]

    mended = msgspec.structs.replace(repaired.SUPPLY, table={**repaired.SUPPLY.table, **repaired.MISSING})
    city.file = city.write_settings("mended", [mended], city.push_port)
    assert "1 letters replayed as 1 rows" in city.call("deploy", "deadletter", "replay", "--source", NAME)
    assert [one["state"] for one in city.letters(NAME)] == ["replayed"]
    assert city.call("deploy", "deadletter", "list", "--source", NAME).strip() == "No dead letters."

    city.eventually(lambda: bool(city.rows(NAME)), "the row is stored")
    (row,) = city.rows(NAME).values()
    city.replayed_at = datetime.now(UTC)
    assert (row["free"], row["available"], row["received_at"]) == (0, 0, letter["received_at"])
