"""Which formats can be decoded? Every decoder under the name that `[[source]] decoder` and the command line use."""

from __future__ import annotations

from collections.abc import Callable

from connectors.decoding import Decoded, SourceContext
from connectors.parking import (
    freiburg,
    hdb,
    hongkong,
    hongkong_flat,
    karlsruhe,
    lta,
    ngsi_v2,
    npr,
    opendatasoft,
    parkapi_v1,
    parkapi_v3,
)

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
}
