"""The page's words, colours and files, checked without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from dashboards.feed import page
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.static import page_files
from schemas.usability import REASONS
from streams.parking.availability import REFUSALS
from tests.dashboards.feed.minutes import snapshot

FOLDER = page.FOLDER
WORDS = msgspec.json.decode((FOLDER / "words.json").read_bytes(), type=dict[str, dict[str, str]])
STREAMS = Path(__file__).parents[2] / "streams" / "parking"
SCRIPTS = sorted(FOLDER.glob("*.js"))
TEXT_PAIRS = [("text", "page"), ("text", "panel"), ("quiet", "page"), ("quiet", "panel"), ("alarm-text", "page")]
# a sign is told from its ground by its outline, and its colour from the outline: both 3:1
SHAPE_PAIRS = [("outline", "panel"), ("outline", "page"), ("quiet", "panel"), ("on-full", "status-full")]


def test_both_languages_have_the_same_words_with_the_same_places() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    for key, text in WORDS["zh"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", WORDS["en"][key])), key


def test_every_word_that_is_asked_for_is_there() -> None:
    asked: set[str] = set()
    for path in (*SCRIPTS, FOLDER / "page.html.jinja", Path(page.__file__)):
        asked |= set(re.findall(r"""\b(?:say|words)\(\s*["']([\w.]+)["']""", path.read_text(encoding="utf-8")))
        asked |= set(re.findall(r'data-say(?:-\w+)?="([\w.]+)"', path.read_text(encoding="utf-8")))
    assert asked and sorted(asked - WORDS["zh"].keys()) == []


def test_every_reason_that_the_feed_gives_has_its_words() -> None:
    assert [reason for reason in REASONS if f"usable.{reason}" not in WORDS["zh"]] == []
    source = "".join(path.read_text(encoding="utf-8") for path in STREAMS.glob("*.py"))
    given = set(re.findall(r"""(?:reason = |reason=|"unknown", reason=)"(\w+)\"""", source)) - {"headline"}
    assert [reason for reason in sorted({*given, *REFUSALS}) if f"reason.{reason}" not in WORDS["zh"]] == []


def test_the_page_names_its_own_modules() -> None:
    assert {path.stem for path in SCRIPTS} - {"first", "map"} == set(page.MODULES)  # the map is read when it is wanted


def test_what_pages_are_made_of_is_not_served() -> None:
    served = page_files()
    assert "/page/main.js" in served and "/page/maplibre-gl/maplibre-gl.mjs" in served
    assert [path for path in served if path.endswith((".jinja", ".py"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart(scheme: str) -> None:
    colours = tokens(scheme)
    for front, back in TEXT_PAIRS:
        assert contrast(colours[front], colours[back]) >= 4.5, f"{front} on {back}"
    for front, back in SHAPE_PAIRS:
        assert contrast(colours[front], colours[back]) >= 3, f"{front} on {back}"


def test_the_table_has_every_lot_and_escapes_every_name() -> None:
    text = page.page_en(_hostile()).decode()
    assert text.count('scope="row"') == 24
    assert "<img" not in text and "&lt;img src=x onerror=alert(1)&gt;" in text


def tokens(scheme: str) -> dict[str, str]:
    css = (FOLDER / "page.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark.split("\n}\n")[0]))
    return found


def contrast(one: str, other: str) -> float:
    """Of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _hostile() -> Snapshot:
    """A lot whose name is meant to run."""
    found = snapshot()
    first = msgspec.structs.replace(found.register.lots[0], name_en="<img src=x onerror=alert(1)>")
    register = msgspec.structs.replace(found.register, lots=(first, *found.register.lots[1:]))
    return msgspec.structs.replace(found, register=register)
