"""Which formats can be decoded? Every decoder under the name that `[[source]] decoder` and the command line use."""

from __future__ import annotations

from collections.abc import Callable

from connectors.decoding import Decoded, SourceContext
from connectors.parking import hdb

Decoder = Callable[[bytes, SourceContext], Decoded]

DECODERS: dict[str, Decoder] = {
    "hdb": hdb.decode,
}
