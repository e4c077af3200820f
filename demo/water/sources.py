"""Which [[source]] tables connect the platform to the demo's water stations? TOML, and who listens where."""

from __future__ import annotations

import secrets
from typing import Any

from demo.registers import LICENCE
from demo.sources import written
from demo.water import lorawan
from demo.water.hj212 import LEVEL
from demo.water.network import HJ212, LORA, SL651

AUTHORITY = "demo-water-authority"  # its endpoint, and where its webhook secret is found


def ports(demo: int) -> dict[str, int]:
    """Where stations connect, and where the authority listens; `demo` is the port of the demo's own feeds."""
    return {SL651: demo + 1, HJ212: demo + 2, AUTHORITY: demo + 3}


def toml(demo: int) -> str:
    at = ports(demo)
    common: dict[str, Any] = {
        "topic": "water.readings",
        "time_zone": "Asia/Shanghai",
        "cadence_s": 60.0,
        "licence": LICENCE,
        "attribution": "罗湖水务（演示）",
    }
    tables = [
        {"name": SL651, "decoder": "sl651", "transport": "tcp", "port": at[SL651], "secret": SL651, **common},
        {
            "name": HJ212,
            "decoder": "hj212",
            "transport": "tcp",
            "port": at[HJ212],
            "secret": HJ212,
            **common,
            "options": {"codes": {LEVEL: {"element": "level_m", "scale": 0.001}}},
        },
        {
            "name": LORA,
            "decoder": "chirpstack",
            "transport": "mqtt",
            "topics": [lorawan.topic("+")],
            **common,
        },
    ]
    return "\n".join(written(table) for table in tables)


def new_secret(source: str) -> str:
    """What a station of a source has as its password: two bytes in SL 651, six characters in HJ 212."""
    return secrets.token_hex(2).upper() if source == SL651 else secrets.token_hex(3)


SOURCES_WITH_SECRETS = (SL651, HJ212)
