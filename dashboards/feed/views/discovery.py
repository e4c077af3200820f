"""What is there to read, under which terms, from whom? parking.json, system_information.json, versions.json."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.feed.records import VERSION, Slo
from dashboards.feed.register_records import (
    Attribution,
    DiscoveryData,
    FeedLink,
    SystemInformationData,
    UrlTemplate,
    VersionLink,
    VersionsData,
)
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import of_register
from schemas.registers import SourceTerms

ROOT = "/parking/v1"
LANGUAGES = ("zh-CN", "en")
TERMS_LAST_UPDATED = datetime(2026, 11, 1, tzinfo=UTC)  # when the terms of this feed last changed

NO_LICENCE_TOLD = "NOASSERTION"  # the word of SPDX; a blank would be read as "free"
TEMPLATES = (
    ("snapshot", f"{ROOT}/snapshots/{{minute}}.json{{?revision}}", "一分钟的快照", "One minute, for ever"),
    ("history", f"{ROOT}/lots/{{lot_id}}/history{{?from,to,resolution,as_of}}", "历史", "History of a car park"),
    ("usable", f"{ROOT}/lots/usable{{?eta,stay,lot_id}}", "到达时可用", "Usable at arrival"),
    ("delta", f"{ROOT}/lot_status.json{{?since_seq}}", "变化", "What changed since"),
    ("dump", f"{ROOT}/dumps/{{day}}.{{format}}", "按日下载", "A whole day"),
)


def system_information(snapshot: Snapshot) -> bytes:
    publisher = snapshot.publisher
    return of_register(
        snapshot,
        SystemInformationData(
            system_id=f"{publisher.district_code}-parking",
            name_zh=f"{publisher.district_zh}停车",
            name_en=f"{publisher.district_en} parking",
            publisher_zh=publisher.publisher_zh,
            publisher_en=publisher.publisher_en,
            time_zone=publisher.time_zone,
            languages=LANGUAGES,
            license_id=publisher.licence,
            license_url=publisher.licence_url,
            terms_last_updated=snapshot.local(TERMS_LAST_UPDATED),
            attribution=_attribution(snapshot),
            contact=publisher.contact,
            bbox=publisher.bbox,
            slo=Slo(),
        ),
    )


def _attribution(snapshot: Snapshot) -> tuple[Attribution, ...]:
    """Of every source that a car park has. Terms that nobody has written down are not those of this feed."""
    register = snapshot.register
    terms = {row.source: row for row in (*snapshot.publisher.source_terms, *register.source_terms)}
    sources = sorted({row.source for rows in register.sources.values() for row in rows})
    known = [terms.get(source, SourceTerms(source=source, licence="", attribution=source)) for source in sources]
    return tuple(
        Attribution(source=row.source, licence=row.licence or NO_LICENCE_TOLD, attribution=row.attribution, url=row.url)
        for row in known
    )


def discovery(snapshot: Snapshot, links: tuple[FeedLink, ...]) -> bytes:
    """URLs are absolute when the settings name the public one, else relative to the host that was asked."""
    publisher = snapshot.publisher
    return of_register(
        snapshot,
        DiscoveryData(
            feeds=tuple(
                FeedLink(
                    name=link.name,
                    url=publisher.public_url + link.url,
                    media_type=link.media_type,
                    ttl=link.ttl,
                    title_zh=link.title_zh,
                    title_en=link.title_en,
                )
                for link in links
            ),
            templates=tuple(
                UrlTemplate(name=name, url_template=publisher.public_url + url, title_zh=title_zh, title_en=title_en)
                for name, url, title_zh, title_en in TEMPLATES
            ),
            licence=publisher.licence,
            licence_url=publisher.licence_url,
            documentation=f"{publisher.public_url}/openapi.json",
        ),
    )


def versions(snapshot: Snapshot) -> bytes:
    url = f"{snapshot.publisher.public_url}{ROOT}/parking.json"
    return of_register(snapshot, VersionsData(versions=(VersionLink(version=VERSION, url=url),)))
