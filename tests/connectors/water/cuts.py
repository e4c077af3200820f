"""How can bytes arrive? Whole, one by one, in any pieces; and what can stand between frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from connectors.water.scanner import Rubbish

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "water"


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


places = st.lists(st.integers(0, 100_000), max_size=12)
noise = st.one_of(
    st.binary(max_size=40),
    st.lists(
        st.sampled_from([b"\x7e", b"\x7e\x7e", b"\x01", b"##", b"#", b"h", b"+++ATH\r\n", b"0317", b"\x16", b"\x02"])
    ).map(b"".join),
)


def told(receive: Callable[[bytes], list[Any]], data: list[bytes]) -> tuple[list[Any], bytes]:
    """What is no rubbish, in order, and all rubbish as one."""
    events = [event for piece in data for event in receive(piece)]
    rubbish = b"".join(event.data for event in events if isinstance(event, Rubbish))
    return [event for event in events if not isinstance(event, Rubbish)], rubbish


def reasons(events: list[Any]) -> list[str]:
    return [event.reason for event in events if isinstance(event, Rubbish) and event.reason != "noise"]
