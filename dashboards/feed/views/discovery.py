"""What is there to read, under which terms, from whom? parking.json, system_information.json, versions.json."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.feed.records import VERSION, Slo
from dashboards.feed.register_records import (
    Attribution,
    DiscoveryData,
    FeedLink,
    SystemInformationData,
    VersionLink,
    VersionsData,
)
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import of_register

ROOT = "/parking/v1"
LANGUAGES = ("zh-CN", "en")
TERMS_LAST_UPDATED = datetime(2026, 11, 1, tzinfo=UTC)  # when the terms of this feed last changed


def system_information(snapshot: Snapshot) -> bytes:
    publisher = snapshot.publisher
    terms = {row.source: row for row in (*publisher.source_terms, *snapshot.register.source_terms)}
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
            attribution=tuple(
                Attribution(source=row.source, licence=row.licence, attribution=row.attribution, url=row.url)
                for _, row in sorted(terms.items())
            ),
            contact=publisher.contact,
            bbox=publisher.bbox,
            slo=Slo(),
        ),
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
            licence=publisher.licence,
            licence_url=publisher.licence_url,
            documentation=f"{publisher.public_url}/openapi.json",
        ),
    )


def versions(snapshot: Snapshot) -> bytes:
    url = f"{snapshot.publisher.public_url}{ROOT}/parking.json"
    return of_register(snapshot, VersionsData(versions=(VersionLink(version=VERSION, url=url),)))
