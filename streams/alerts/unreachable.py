"""Who is told of nothing although he should be? Never switched off for failing: people are told instead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from streams.alerts.episodes import Clearing, Finding, Subject

DOMAIN = "platform"
KIND = "endpoint_failing"
AFTER = timedelta(minutes=2)
YELLOW, ORANGE = 2, 3


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint can be reached now."""

    name: str
    failing_since: datetime | None = None  # its first url
    delivered_at: datetime | None = None  # the newest 2xx of any of its urls
    gone_since: datetime | None = None  # a url has answered 410 and no person has looked
    is_paused: bool = False


def findings(endpoints: Iterable[Reach], at: datetime, zone: ZoneInfo) -> tuple[list[Finding], list[Clearing]]:
    """The alerts about endpoints, and those that are over."""
    found, cleared = [], []
    for one in endpoints:
        finding = _finding(one, at, zone)
        if finding is not None:
            found.append(finding)
        elif one.failing_since is None and one.gone_since is None:
            cleared.append(
                Clearing(
                    subject=Subject(DOMAIN, KIND, one.name),
                    sentence_zh=f"预警接收端 {one.name} 恢复正常。",
                    sentence_en=f"Endpoint {one.name} takes alerts again.",
                )
            )
    return found, cleared


def gone(name: str) -> Clearing:
    """Of an endpoint that was removed."""
    return Clearing(
        subject=Subject(DOMAIN, KIND, name),
        sentence_zh=f"预警接收端 {name} 已移除。",
        sentence_en=f"Endpoint {name} was removed.",
    )


def _finding(one: Reach, at: datetime, zone: ZoneInfo) -> Finding | None:
    if one.gone_since is not None:
        since, why_zh, why_en = (
            one.gone_since,
            "返回 410(已停用),需人工处理",
            "has answered 410, a person must look",
        )
    elif one.failing_since is not None and one.failing_since <= at - AFTER:
        since, why_zh, why_en = one.failing_since, "无法送达", "cannot be reached"
    else:
        return None
    by_other = not one.is_paused and one.delivered_at is not None and one.delivered_at > since
    clock = f"{since.astimezone(zone):%H:%M}"
    return Finding(
        subject=Subject(DOMAIN, KIND, one.name),
        founded_at=since,
        level=YELLOW if by_other else ORANGE,
        sentence_zh=f"预警接收端 {one.name} 自 {clock} 起{why_zh}{',备用地址可用' if by_other else ''}。",
        sentence_en=f"Endpoint {one.name} {why_en} since {clock}{'; its second address works' if by_other else ''}.",
        detail={"endpoint": one.name, "second_address_works": by_other},
    )
