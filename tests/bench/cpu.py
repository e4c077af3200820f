"""What does a row cost in CPU: to decode, to read from a record, to fold, to write?"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import msgspec
from lxml import etree

from connectors.decoding import SourceContext
from connectors.formats import DECODERS
from demo.documents import document, lta_page, npr_lot, readings_of
from demo.occupancy import minute_of, time_of
from demo.operators import OPERATORS, Operator
from demo.pushes import message
from schemas.batch import decode as decode_record
from schemas.parking import Observation
from schemas.settings import Parking
from sql.connect import connect
from sql.copy import Streaming
from streams.parking.fold import Changes, Key, Series, StoredRow, fold
from streams.parking.store import OBSERVATION
from tests.bench.figures import Figure, Measured
from tests.bench.full_path import copy_chunks, encoded
from tests.bench.ground import Bench, calm, cpu_s, fresh_database
from tests.bench.load import key_of, records

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
WHOLE_S = 0.25  # CPU time of one measuring
TURNS = 3  # the best counts: what another process takes from the caches is not the decoder's
SERIES, MINUTES, ROWS_PER_RECORD = 5_000, 20, 500
DECODE_STEPS = len({operator.decoder for operator in OPERATORS})
APPLY_STEPS = 4


def decode(bench: Bench) -> Measured:
    """Each decoder on the documents of the simulated district, beside the bare parsing of the same bytes."""
    figures = []
    for name in sorted({operator.decoder for operator in OPERATORS}):
        bench.screen.step(f"decoder {name}")
        work = [payload for one in OPERATORS if one.decoder == name for payload in payloads_of(one, minute_of(AT))]
        decoder = DECODERS[name]
        rows = sum(decoder(payload, context).items for payload, context in work)

        def whole(decoder: Callable[..., object] = decoder, work: Sequence[tuple[bytes, SourceContext]] = work) -> None:
            for payload, context in work:
                decoder(payload, context)

        def bare(work: Sequence[tuple[bytes, SourceContext]] = work) -> None:
            for payload, _ in work:
                parsed(payload)

        figures.append(
            Figure(
                name=f"decode {name}",
                value=cpu_us(whole, rows),
                unit="us/row",
                reference=cpu_us(bare, rows),
                beside="its bytes parsed, no more",
            )
        )
    values = {figure.name.removeprefix("decode "): figure.value for figure in figures}
    return Measured(tuple(figures), {"decode_us_per_row": values})


def payloads_of(operator: Operator, minute: int) -> list[tuple[bytes, SourceContext]]:
    """What the simulated district sends of an operator in one minute, with what its decoder may know."""
    context = SourceContext(
        source=operator.source,
        received_at=time_of(minute),
        zone=ZoneInfo("Asia/Shanghai"),
        crs="EPSG:4547" if operator.decoder == "freiburg" else "EPSG:4326",
    )
    readings = readings_of(operator, minute)
    if operator.pushes:
        found = [message(operator.decoder, one, "bench", time_of(minute)).body for one in readings]
    elif operator.decoder == "lta":
        found = [lta_page(operator, minute, skip) for skip in range(0, len(readings), 25)]
    elif operator.decoder == "npr":
        found = [body for one in readings if (body := npr_lot(operator, minute, one.lot.ref)) is not None]
    else:
        found = [document(operator, minute)]
    return [(payload, context) for payload in found]


def parsed(payload: bytes) -> object:
    """A document parsed by the fastest parser of its kind, with nothing made of it."""
    body = payload.removeprefix(b"\xef\xbb\xbf").lstrip()
    if body[:1] in (b"{", b"["):
        return msgspec.json.decode(body)
    if body[:1] == b"<":
        return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    if b"=" in body.rstrip(b"="):
        return parse_qs(body.decode())
    return msgspec.json.decode(base64.b64decode(body))


def cpu_us(work: Callable[[], object], rows: int) -> float:
    """CPU time of this process per row of `work`, repeated until the clock can tell."""
    best = float("inf")
    for _ in range(TURNS):
        began, turns = time.process_time(), 0
        while time.process_time() - began < WHOLE_S / TURNS:
            work()
            turns += 1
        best = min(best, (time.process_time() - began) / turns / rows)
    return best * 1e6


def apply(bench: Bench) -> Measured:
    """What the worker does with a record of 500 rows, step by step."""
    bench.screen.step("reading records")
    parts = list(records(SERIES, MINUTES, ROWS_PER_RECORD))
    rows = sum(part.rows for part in parts)
    batches = [decode_record(part.value).rows for part in parts]
    bare = msgspec.json.Decoder(list[Observation])
    lists = [part.value[part.value.index(b'"rows":') + 7 : -1] for part in parts]
    reading = cpu_us(lambda: [decode_record(part.value) for part in parts], rows)
    plain = cpu_us(lambda: [bare.decode(value) for value in lists], rows)
    bench.screen.step("folding")
    folding = cpu_us(lambda: _folded(batches), rows)
    touching = cpu_us(lambda: [msgspec.structs.astuple(row) for batch in batches for row in batch], rows)
    bench.screen.step("writing")
    stored = [row for take in _folded(batches) for row in take]
    with fresh_database(bench, "write") as settings:
        calm(settings)
        with connect(settings.dsn("streams")) as connection, connection.cursor() as cursor:
            backend, client = cpu_s([connection.info.backend_pid]), time.process_time()
            with connection.transaction(), Streaming(cursor, OBSERVATION) as stream:
                for at in range(0, len(stored), ROWS_PER_RECORD):
                    stream.write(stored[at : at + ROWS_PER_RECORD])
            writing = (time.process_time() - client) / rows * 1e6
            serving = (cpu_s([connection.info.backend_pid]) - backend) / rows * 1e6
        chunks = encoded(settings)
    bench.screen.step("raw COPY")
    with fresh_database(bench, "copy") as settings:
        calm(settings)
        raw = copy_chunks(settings, chunks, rows)
    figures = (
        _figure("read a record (contract checked)", reading, plain, "msgspec to structs"),
        _figure("fold", folding, touching, "touching the row"),
        _figure("write, client", writing, raw.client_us, "bytes made before"),
        _figure("write, server", serving, raw.server_us, "bytes made before"),
    )
    values = {"read_us_per_row": reading, "fold_us_per_row": folding, "write_us_per_row": writing}
    return Measured(figures, values | {"write_server_us_per_row": serving})


def _folded(batches: Sequence[Sequence[Observation]]) -> list[list[StoredRow]]:
    series: dict[Key, Series] = {(*key_of(number), "public"): Series(number + 1) for number in range(SERIES)}
    takes = []
    limits = Parking()
    for rows in batches:
        changes = Changes()
        fold(series, {}, {}, rows, limits, changes)
        takes.append(changes.fresh)
    return takes


def _figure(name: str, value: float, reference: float, beside: str) -> Figure:
    return Figure(name=name, value=value, unit="us/row", reference=reference, beside=beside)
