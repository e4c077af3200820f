"""The rules of the house, over the syntax tree: who may import whom, what is pure, what is banned."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUNNING = ("connectors", "streams", "dashboards")
IO_MODULES = {
    "asyncio", "faust", "kafka", "logging", "os", "psycopg", "psycopg_pool", "requests", "httpx", "socket", "sqlite3",
    "subprocess", "threading", "time", "urllib.request", "uvicorn", "litestar", "paho",
}  # fmt: skip
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time"), ("datetime", "today")}


def modules(folder: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / folder).rglob("*.py")) if path.name != "__init__.py")


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def is_of(module: str, names: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def core() -> list[Path]:
    """Decoders; everything of a domain in streams but its stores; the snapshot of the feed and its views; contracts."""
    decoders = [*modules("connectors/parking"), *modules("connectors/water")]
    domains = [
        path
        for domain in sorted((ROOT / "streams").iterdir())
        if domain.is_dir() and domain.name != "__pycache__"
        for path in modules(f"streams/{domain.name}")
        if not path.stem.endswith("store") and path.stem not in ("observations", "readings")
    ]
    views = [ROOT / "dashboards/feed/snapshot.py", *modules("dashboards/feed/views")]
    pure = [ROOT / "connectors" / f"{name}.py" for name in ("decoding", "numbers", "times", "transports/addresses")]
    pure += [ROOT / "connectors/webhooks" / f"{name}.py" for name in ("cap", "message", "schedule")]
    return [*decoders, *domains, *views, *pure, *modules("schemas")]


@pytest.mark.parametrize("folder", RUNNING)
def test_the_three_running_folders_are_strangers(folder: str) -> None:
    others = {name for name in RUNNING if name != folder} | {"demo", "deploy", "tests"}
    wrong = {
        str(path.relative_to(ROOT)): sorted(m for m in imports(path) if is_of(m, others)) for path in modules(folder)
    }
    assert {path: names for path, names in wrong.items() if names} == {}


def test_contracts_import_nothing_of_ours() -> None:
    ours = {*RUNNING, "sql", "demo", "deploy", "tests"}
    assert [str(p) for p in modules("schemas") if any(is_of(m, ours) for m in imports(p))] == []


def test_sql_knows_only_contracts() -> None:
    ours = {*RUNNING, "demo", "deploy", "tests"}
    assert [str(p) for p in modules("sql") if any(is_of(m, ours) for m in imports(p))] == []


@pytest.mark.parametrize("path", core(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_is_pure(path: Path) -> None:
    assert [m for m in imports(path) if is_of(m, IO_MODULES)] == []
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.AsyncFunctionDef), f"async {node.name}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            assert (name, node.func.attr) not in CLOCKS, f"line {node.lineno} reads a clock"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input"), f"line {node.lineno} does I/O"


def every_module() -> list[Path]:
    return [path for folder in (*RUNNING, "schemas", "sql", "demo", "deploy", "tests") for path in modules(folder)]


def test_faust_is_used_only_by_the_idiom_that_loses_nothing() -> None:
    banned = {"take", "take_events", "take_with_timestamp", "events"}
    for path in modules("streams"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in banned:
                owner = node.func.value
                assert not (isinstance(owner, ast.Name) and owner.id == "stream"), f"{path}:{node.lineno}"
    agents = (ROOT / "streams/agents.py").read_text(encoding="utf-8")
    body = agents[agents.index("async def store(") :].splitlines()
    assert body[1].strip() == "stream.enable_acks = False"


def test_no_mocks() -> None:
    assert [str(path) for path in every_module() if any(is_of(m, {"unittest", "mock"}) for m in imports(path))] == []


@pytest.mark.parametrize("path", every_module(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_noun_long_and_says_which_question_it_answers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text.strip():
        assert ast.get_docstring(tree(path)), "no docstring"
    assert len(text.splitlines()) <= 350, "split it at the second noun"
