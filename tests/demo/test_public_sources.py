"""Are the public feeds in citysense.toml ready, off, and free of keys?"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.formats import DECODERS
from schemas.settings import parse

SETTINGS = Path(__file__).parents[2] / "citysense.toml"


def test_public_feeds_are_off_and_can_be_switched_on() -> None:
    settings = parse(SETTINGS.read_text(encoding="utf-8"))
    public = [source for source in settings.sources if source.url]
    assert len(public) >= 10
    for source in public:
        assert not source.enabled
        assert source.decoder in DECODERS
        assert source.url.startswith("https://")
        assert not source.secret
        assert source.attribution
        assert ZoneInfo(source.time_zone)
        assert not source.allow_private_address


def test_the_demo_has_names_of_its_own() -> None:
    from demo.sources import toml

    settings = parse(SETTINGS.read_text(encoding="utf-8") + toml(8100))
    assert len({source.name for source in settings.sources}) == len(settings.sources)
