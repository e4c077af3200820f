"""Which [[source]] tables connect the platform to the simulated district? TOML for a settings file, by its ports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from demo.district import lots_of
from demo.documents import PAGE
from demo.faults import PUBLISHED_BEFORE_S
from demo.operators import OPERATORS, SHARING, Operator
from demo.registers import LICENCE


def secret_variable(source: str) -> str:
    """Where the secret of a source is found: connectors and the demo read the same."""
    return "CITYSENSE_SECRET_" + source.upper().replace("-", "_")


def sources_with_secrets() -> tuple[str, ...]:
    return (*(operator.source for operator in OPERATORS if operator.pushes), SHARING, "demo-lta")


def toml(port: int) -> str:
    """`port` is the demo's; pushes come to the platform's own."""
    tables = [_table(operator, port) for operator in OPERATORS]
    tables.append(
        {
            "name": SHARING,
            "decoder": "njytb",
            "transport": "http_push",
            "topic": "registers.changes",
            "secret": SHARING,
            "cadence_s": 600.0,
        }
    )
    return "\n".join(written(table) for table in tables)


def _table(operator: Operator, port: int) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": operator.source,
        "decoder": operator.decoder,
        "transport": "http_push" if operator.pushes else "http_poll",
        "time_zone": "Asia/Shanghai",
        "licence": LICENCE,
        "attribution": f"{operator.name_zh}（演示）",
    }
    if operator.words:
        table["pools"] = operator.words
    if operator.pushes:
        return {**table, "secret": operator.source}
    table |= {"url": f"http://127.0.0.1:{port}{operator.path}", "allow_private_address": True}
    table["offset_s"] = 60.0 - PUBLISHED_BEFORE_S + 5.0  # when a feed has just got its figures
    if operator.decoder == "lta":
        table |= {"secret": operator.source, "auth": "header", "auth_header": "AccountKey"}
        table |= {"page_param": "$skip", "page_size": PAGE}
    if operator.decoder == "npr":
        table |= {"refs": [lot.ref for lot in lots_of(operator.source)], "requests_per_s": 5.0}
    if operator.decoder == "hongkong":
        table["params"] = {"data": "vacancy"}
    if operator.decoder == "freiburg":
        table["crs"] = "EPSG:4547"
    return table


def written(table: Mapping[str, Any]) -> str:
    lines = ["[[source]]", *(f"{name} = {_value(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{json.dumps(name, ensure_ascii=False)} = {_value(inner)}" for name, inner in value.items())
            + " }"
        )
    return json.dumps(value, ensure_ascii=False)  # strings, numbers, booleans and arrays are written alike in TOML
