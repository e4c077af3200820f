"""Which formats can be decoded? Every decoder under the name that `[[source]] decoder` and the command line use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from connectors.decoding import Decoded, SourceContext
from connectors.parking import (
    bolink,
    datex2,
    freiburg,
    hdb,
    hongkong,
    hongkong_flat,
    karlsruhe,
    lpr,
    lta,
    ngsi_v2,
    njytb,
    npr,
    opendatasoft,
    parkapi_v1,
    parkapi_v3,
    tdznyun,
    ymzh,
)
from connectors.water import chirpstack, ea, hj212, modbus, nwis, sl651, szy206, ttn, usgs
from schemas.topics import WATER_READINGS

Decoder = Callable[[bytes, SourceContext], Decoded]

DECODERS: dict[str, Decoder] = {
    "hdb": hdb.decode,
    "lta": lta.decode,
    "hongkong": hongkong.decode,
    "hongkong-flat": hongkong_flat.decode,
    "parkapi-v1": parkapi_v1.decode,
    "parkapi-v3": parkapi_v3.decode,
    "npr": npr.decode,
    "opendatasoft": opendatasoft.decode,
    "ngsi-v2": ngsi_v2.decode,
    "freiburg": freiburg.decode,
    "karlsruhe": karlsruhe.decode,
    "datex2": datex2.decode,
    "ymzh": ymzh.decode,
    "bolink": bolink.decode,
    "tdznyun": tdznyun.decode,
    "lpr": lpr.decode,
    "njytb": njytb.decode,
    "chirpstack": chirpstack.decode,
    "ttn": ttn.decode,
    "ea": ea.decode,
    "usgs": usgs.decode,
    "nwis": nwis.decode,
    "modbus": modbus.decode,
    "sl651": sl651.decode,
    "hj212": hj212.decode,
    "szy206": szy206.decode,
}
WATER = ("chirpstack", "ttn", "ea", "usgs", "nwis", "modbus", "sl651", "hj212", "szy206")

ZONES: dict[str, str] = {  # of local times, for the command line, where nobody configured a source
    "hdb": "Asia/Singapore",
    "lta": "Asia/Singapore",
    "hongkong": "Asia/Hong_Kong",
    "hongkong-flat": "Asia/Hong_Kong",
    "parkapi-v1": "UTC",
    "parkapi-v3": "UTC",
    "npr": "Europe/Amsterdam",
    "opendatasoft": "Europe/Zurich",
    "ngsi-v2": "Europe/Berlin",
    "freiburg": "Europe/Berlin",
    "karlsruhe": "Europe/Berlin",
    "datex2": "Europe/Berlin",
    "ymzh": "Asia/Shanghai",
    "bolink": "Asia/Shanghai",
    "tdznyun": "Asia/Shanghai",
    "lpr": "Asia/Shanghai",
    "njytb": "Asia/Shanghai",
    "chirpstack": "UTC",
    "ttn": "UTC",
    "ea": "Europe/London",
    "usgs": "UTC",
    "nwis": "UTC",
    "modbus": "Asia/Shanghai",
    "sl651": "Asia/Shanghai",
    "hj212": "Asia/Shanghai",
    "szy206": "Asia/Shanghai",
}
# where rows go that are no observations
TOPICS: dict[str, str] = {"njytb": njytb.TOPIC} | dict.fromkeys(WATER, WATER_READINGS.name)
# of uplinks: what two messages of one have in common, and when its network got it
REPETITIONS: dict[str, Callable[[bytes], tuple[str, datetime] | None]] = {
    "chirpstack": chirpstack.repetition,
    "ttn": ttn.repetition,
}


class Verify(Protocol):
    """None when the message is the vendor's and recent, else bad_signature, missing_signature or stale_timestamp."""

    def __call__(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secret: str,
        now: datetime,
        window_s: int,
        options: Mapping[str, Any] = ...,
    ) -> str | None: ...


class Push(msgspec.Struct, frozen=True):
    """What a route of the push server needs besides the decoder; all pure."""

    verify: Verify
    replay_id: Callable[[bytes], str | None]  # what two deliveries of one message have in common
    answer: Callable[[bool, str], tuple[int, bytes, str]]  # (is safe, reason word) -> status, body, content type


PUSHES: dict[str, Push] = {
    "ymzh": Push(ymzh.verify, ymzh.replay_id, ymzh.answer),
    "bolink": Push(bolink.verify, bolink.replay_id, bolink.answer),
    "tdznyun": Push(tdznyun.verify, tdznyun.replay_id, tdznyun.answer),
    "lpr": Push(lpr.verify, lpr.replay_id, lpr.answer),
    "njytb": Push(njytb.verify, njytb.replay_id, njytb.answer),
}
