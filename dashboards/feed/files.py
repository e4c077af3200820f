"""Which files are made of one snapshot, under which paths? In the order in which the discovery document lists them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from dashboards.feed import page
from dashboards.feed.records import AlertsData, Envelope, ForecastData, LotStatusData, QualityData
from dashboards.feed.register_records import (
    DiscoveryData,
    FeedLink,
    LotInformationData,
    PricingData,
    ShareWindowsData,
    SystemInformationData,
    VersionsData,
)
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views import (
    alerts,
    datex2,
    discovery,
    forecast,
    geojson,
    information,
    parkapi,
    pricing,
    quality,
    status,
    subdistricts,
    table,
    windows,
)
from dashboards.feed.views.discovery import ROOT
from dashboards.feed.views.envelope import FORECAST_TTL_S, REGISTER_TTL_S, STATUS_TTL_S

JSON = "application/json"
LOT_STATUS = f"{ROOT}/lot_status.json"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """family minute: renewed at each tick. family register: renewed when the register in force changes."""

    path: str
    family: Literal["minute", "register"]
    media_type: str = JSON
    render: Callable[[Snapshot], bytes]
    record: Any = None  # the type of the JSON document; None: another format
    ttl_s: int
    title_zh: str
    title_en: str

    @property
    def name(self) -> str:
        return self.path.removeprefix(ROOT).lstrip("/") or "index.html"

    def modified_at(self, snapshot: Snapshot) -> datetime:
        return snapshot.run.minute if self.family == "minute" else snapshot.register.changed_at


def _minute(name: str, render: Callable[[Snapshot], bytes], titles: tuple[str, str], **fields: Any) -> File:
    fields = {"ttl_s": STATUS_TTL_S, **fields}
    return File(path=f"{ROOT}/{name}", family="minute", render=render, title_zh=titles[0], title_en=titles[1], **fields)


def _register(name: str, render: Callable[[Snapshot], bytes], titles: tuple[str, str], **fields: Any) -> File:
    fields = {"ttl_s": REGISTER_TTL_S, **fields}
    return File(
        path=f"{ROOT}/{name}", family="register", render=render, title_zh=titles[0], title_en=titles[1], **fields
    )


def _discovery(snapshot: Snapshot) -> bytes:
    return discovery.discovery(snapshot, LINKS)


XML = "application/xml; charset=utf-8"
FILES: tuple[File, ...] = (
    _register("parking.json", _discovery, ("目录", "Discovery"), record=Envelope[DiscoveryData]),
    _register(
        "system_information.json",
        discovery.system_information,
        ("发布者与条款", "Publisher and terms"),
        record=Envelope[SystemInformationData],
    ),
    _register(
        "lot_information.json",
        information.lot_information,
        ("停车场信息", "Car parks"),
        record=Envelope[LotInformationData],
    ),
    _minute("lot_status.json", status.lot_status, ("停车场状态", "Status"), record=Envelope[LotStatusData]),
    _register(
        "share_windows.json",
        windows.share_windows,
        ("错峰共享时段", "Share windows"),
        record=Envelope[ShareWindowsData],
    ),
    _register("pricing.json", pricing.pricing, ("价格", "Prices"), record=Envelope[PricingData]),
    _minute(
        "forecast.json",
        forecast.forecast,
        ("预测", "Forecast"),
        record=Envelope[ForecastData],
        ttl_s=FORECAST_TTL_S,
    ),
    _minute("alerts.json", alerts.alerts, ("数据告警", "Alerts about the data"), record=Envelope[AlertsData]),
    _minute("quality.json", quality.quality, ("数据质量", "Quality"), record=Envelope[QualityData]),
    _register("versions.json", discovery.versions, ("版本", "Versions"), record=Envelope[VersionsData]),
    _minute(
        "lots.geojson",
        geojson.lots_geojson,
        ("地图", "Map"),
        media_type="application/geo+json",
        record=geojson.LotFeatures,
    ),
    _register(
        "subdistricts.geojson",
        subdistricts.subdistricts_geojson,
        ("街道", "Subdistricts"),
        media_type="application/geo+json",
        record=subdistricts.SubdistrictFeatures,
    ),
    _minute("lots.csv", table.lots_csv, ("表格", "Table"), media_type="text/csv; charset=utf-8; header=present"),
    _minute(
        "lot_status.ndjson",
        status.lot_status_lines,
        ("逐行状态", "Status, one a line"),
        media_type="application/x-ndjson",
    ),
    _minute("parkapi/v1/city.json", parkapi.city, ("ParkAPI v1", "ParkAPI v1"), record=parkapi.City),
    _register("datex2/v3/table.xml", datex2.table_xml, ("DATEX II 目录", "DATEX II table"), media_type=XML),
    _minute("datex2/v3/status.xml", datex2.status_xml, ("DATEX II 状态", "DATEX II status"), media_type=XML),
)
PAGES: tuple[File, ...] = tuple(
    File(
        path=path,
        family="minute",
        media_type="text/html; charset=utf-8",
        render=render,
        ttl_s=STATUS_TTL_S,
        title_zh="网页",
        title_en="Page",
    )
    for path, render in page.PAGES.items()
)
ALL: tuple[File, ...] = (*FILES, *PAGES)
BY_PATH: dict[str, File] = {file.path: file for file in ALL}
_STREAM = FeedLink(
    name="stream",
    url=f"{ROOT}/stream",
    media_type="text/event-stream",
    ttl=None,
    title_zh="推送",
    title_en="Live stream",
)
LINKS: tuple[FeedLink, ...] = (
    *(
        FeedLink(
            name=file.name,
            url=file.path,
            media_type=file.media_type.partition(";")[0],
            ttl=file.ttl_s,
            title_zh=file.title_zh,
            title_en=file.title_en,
        )
        for file in FILES
    ),
    _STREAM,
)
