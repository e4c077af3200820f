"""Which files does the page need? Those of a folder, read and packed once when the process starts."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from pathlib import Path

from dashboards.feed.encodings import Prepared, prepared

PAGE = Path(__file__).parent / "page"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".geojson": "application/geo+json"}


def files(folder: Path, prefix: str) -> dict[str, Prepared]:
    """The files below a folder, by path: prefix + their place in it. Hidden ones and sources of Python are left out."""
    found: dict[str, Prepared] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and path.suffix != ".py" and not any(part.startswith((".", "__")) for part in place.parts):
            modified_at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
            found[f"{prefix}/{place.as_posix()}"] = prepared(path.read_bytes(), media_type(path), modified_at, "static")
    return found


def media_type(path: Path) -> str:
    found = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found
