"""Which files does the page need? Its own and those of maplibre-gl, read and packed once when the process starts."""

from __future__ import annotations

import functools
import mimetypes
from datetime import UTC, datetime
from pathlib import Path

from dashboards.feed.encodings import Prepared, prepared

PAGE = Path(__file__).parent / "page"
MAPLIBRE = Path(__file__).parents[2] / "node_modules" / "maplibre-gl" / "dist"  # npm ci; without it there is no map
_MAPLIBRE_FILES = ("maplibre-gl.mjs", "maplibre-gl-worker.mjs", "maplibre-gl.css")
_SOURCES = (".py", ".jinja")  # what pages are made of is not served
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".geojson": "application/geo+json"}


@functools.cache
def page_files() -> dict[str, Prepared]:
    """All files of the page, by path."""
    found = files(PAGE, "/page")
    for name in _MAPLIBRE_FILES:
        if (MAPLIBRE / name).is_file():
            found[f"/page/maplibre-gl/{name}"] = _file(MAPLIBRE / name)
    return found


def files(folder: Path, prefix: str) -> dict[str, Prepared]:
    """The files below a folder, by path: prefix + their place in it. Hidden ones and sources are left out."""
    found: dict[str, Prepared] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        is_hidden = any(part.startswith((".", "__")) for part in place.parts)
        if path.is_file() and path.suffix not in _SOURCES and not is_hidden:
            found[f"{prefix}/{place.as_posix()}"] = _file(path)
    return found


def _file(path: Path) -> Prepared:
    modified_at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    return prepared(path.read_bytes(), media_type(path), modified_at, "static")


def media_type(path: Path) -> str:
    found = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found
