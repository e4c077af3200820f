"""Is a storm on, what crosses next, who is blind, what is closed first? As of which minute, and how old that is.

There is an answer to every question: that there is no storm, and that nobody knows, are said too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

import msgspec

from schemas.storm import BasinRain, StormAnswer, StormView
from sql.connect import Connection
from sql.named import named

STALE_S = 180.0
_SQL = named("ops")
Names = tuple[str, str]  # zh, en


def storm_now(connection: Connection, wall: datetime, zone: tzinfo) -> StormAnswer:
    """What the sweep has kept, read at one time."""
    row = _SQL.storm(connection)
    if row is None:
        return storm_answer(None, None, (), (), wall, zone)
    as_of, _, is_active, view = row
    rain = tuple(
        BasinRain(
            basin_id=basin, name_zh=zh, name_en=en, hours=hours, mm=mm, missing_share=round(share, 4),
            missing=tuple(missing or ()),
        )
        for basin, zh, en, hours, mm, share, missing, _ in _SQL.basin_rain(connection, as_of=as_of)
    )  # fmt: skip
    known = {each.basin_id for each in rain if each.mm is not None}
    unknown = [(zh, en) for basin, zh, en in _SQL.gauged_basins(connection) if basin not in known]
    shown = msgspec.convert(view, StormView) if is_active else None
    return storm_answer(as_of, shown, rain, unknown, wall, zone)


def storm_answer(
    as_of: datetime | None,
    view: StormView | None,
    rain: tuple[BasinRain, ...],
    unknown: Sequence[Names],
    wall: datetime,
    zone: tzinfo,
) -> StormAnswer:
    """`view`: of the storm that is on. `unknown`: basins of whose rain nothing is known."""
    age_s = None if as_of is None else max((wall - as_of).total_seconds(), 0.0)
    if as_of is None or age_s is None:
        zh, en = (
            "是否有暴雨未知：日志尚未处理。",
            "Whether there is a storm is unknown: the log has not been judged yet.",
        )
        return StormAnswer(as_of=None, age_s=None, is_stale=True, state="unknown", sentence_zh=zh, sentence_en=en)
    at = _clock(as_of, wall, zone)
    age_zh, age_en = f"截至 {at}，{_ago_zh(age_s)}", f"as of {at}, {_ago_en(age_s)}"
    is_known = any(each.mm is not None for each in rain)
    state = "storm" if view is not None else "no_storm" if is_known else "unknown"
    if view is not None:
        zh, en = _storm(view)
        zh, en = f"暴雨进行中（{age_zh}）：{zh}", f"A storm is on ({age_en}): {en}"
    elif is_known:
        zh, en = f"没有暴雨（{age_zh}）", f"No storm ({age_en})"
    else:
        zh, en = (
            f"是否有暴雨未知：雨量未知（{age_zh}）",
            f"Whether there is a storm is unknown: no rain is known ({age_en})",
        )
    if unknown and is_known:
        zh += f"；雨量未知的流域：{'、'.join(name for name, _ in unknown)}"
        en += f"; of these basins the rain is unknown: {', '.join(name for _, name in unknown)}"
    is_stale = age_s > STALE_S
    if is_stale:
        zh, en = f"{zh}。数据陈旧，现状未知", f"{en}. This is old: how it is now is unknown"
    return StormAnswer(
        as_of=as_of,
        age_s=round(age_s, 1),
        is_stale=is_stale,
        state=state,
        sentence_zh=f"{zh}。",
        sentence_en=f"{en}.",
        rain=rain if view is None else view.rain,
        view=view,
    )


def _storm(view: StormView) -> Names:
    zh = ["；".join(each.zh for each in view.why)]
    en = ["; ".join(each.en for each in view.why)]
    if view.coming:
        first = view.coming[0]
        is_now = first.minutes < 1
        when_zh = "1 分钟内" if is_now else f"约 {first.minutes:.0f} 分钟后"
        when_en = "within a minute" if is_now else f"in about {first.minutes:.0f} min"
        zh.append(f"{view.coming_total} 处一小时内升级，最早为{first.name_zh}（{when_zh}）")
        en.append(f"{view.coming_total} cross within an hour, first {first.name_en} {when_en}")
    if view.blind_total:
        zh.append(f"{view.blind_total} 处情况不明")
        en.append(f"{view.blind_total} are blind")
    if view.close_first:
        closing = view.close_first[0]
        if closing.level:
            zh.append(f"最先关闭{closing.name_zh}")
            en.append(f"close {closing.name_en} first")
        else:
            zh.append(f"下穿通道尚无积水预警，首先关注{closing.name_zh}")
            en.append(f"no underpass has an alert yet, watch {closing.name_en} first")
    return "；".join(zh), "; ".join(en)


def _clock(at: datetime, wall: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    is_today = local.date() == wall.astimezone(zone).date()
    return f"{local:%H:%M}" if is_today else f"{local:%Y-%m-%d %H:%M}"


def _ago_zh(age_s: float) -> str:
    return f"{age_s:.0f} 秒前" if age_s < 60 else f"{age_s / 60:.0f} 分钟前"


def _ago_en(age_s: float) -> str:
    return f"{age_s:.0f} s ago" if age_s < 60 else f"{age_s / 60:.0f} min ago"
