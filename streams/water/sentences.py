"""What does an officer read out? One plain sentence in Chinese and in English for each transition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from schemas.water_registers import LEVELS
from streams.sources.silence import clock_text
from streams.water.danger import Episode, Step
from streams.water.rain import Reason
from streams.water.rules import SeriesRules, instant, is_gauge

COLOUR_ZH: Final = ("", "蓝色", "黄色", "橙色", "红色")
COLOUR_EN: Final = ("", *LEVELS)
# How a quantity is called, its unit, and both in English.
QUANTITY: Final = {
    "level_m": ("水位", "米", "water level", "m"),
    "level_relative_m": ("相对水位", "米", "relative water level", "m"),
    "level_above_gate_m": ("闸上水位", "米", "water level above the gate", "m"),
    "level_below_gate_m": ("闸下水位", "米", "water level below the gate", "m"),
    "depth_m": ("水深", "米", "water depth", "m"),
    "distance_m": ("水面距离", "米", "distance to the water", "m"),
    "flow_m3s": ("流量", "立方米每秒", "flow", "m³/s"),
    "velocity_ms": ("流速", "米每秒", "velocity", "m/s"),
    "rain_total_mm": ("累计雨量", "毫米", "accumulated rain", "mm"),
    "rain_day_mm": ("日雨量", "毫米", "rain of the day", "mm"),
    "rain_1min_mm": ("1 分钟雨量", "毫米", "rain of 1 minute", "mm"),
    "rain_5min_mm": ("5 分钟雨量", "毫米", "rain of 5 minutes", "mm"),
    "rain_10min_mm": ("10 分钟雨量", "毫米", "rain of 10 minutes", "mm"),
    "rain_15min_mm": ("15 分钟雨量", "毫米", "rain of 15 minutes", "mm"),
    "rain_30min_mm": ("30 分钟雨量", "毫米", "rain of 30 minutes", "mm"),
    "rain_1h_mm": ("小时雨量", "毫米", "rain of one hour", "mm"),
    "rain_2h_mm": ("2 小时雨量", "毫米", "rain of 2 hours", "mm"),
    "rain_3h_mm": ("3 小时雨量", "毫米", "rain of 3 hours", "mm"),
    "rain_6h_mm": ("6 小时雨量", "毫米", "rain of 6 hours", "mm"),
    "rain_12h_mm": ("12 小时雨量", "毫米", "rain of 12 hours", "mm"),
    "rain_24h_mm": ("24 小时雨量", "毫米", "rain of 24 hours", "mm"),
    "voltage_v": ("电压", "伏", "voltage", "V"),
    "battery_pct": ("电量", "%", "battery", "%"),
    "temperature_c": ("水温", "摄氏度", "temperature", "°C"),
    "gate_opening_m": ("闸门开度", "米", "gate opening", "m"),
    "pump_running": ("水泵运行状态", "", "pump running", ""),
    "status_bits": ("状态字", "", "status word", ""),
}
# Why a device or a source doubts its own value: words in a reading's flags.
DOUBTS: Final = {
    "low_battery": ("电池电压低", "battery low"),
    "gauge_fault": ("水位计故障", "gauge fault"),
    "sensor_fault": ("传感器故障", "sensor fault"),
    "tilt": ("设备倾斜", "the device hangs aslant"),
    "over_range": ("超出量程", "over its measuring range"),
    "maintenance": ("维护中", "under maintenance"),
    "calibration": ("校准中", "being calibrated"),
    "set_by_hand": ("人工设定值", "set by hand"),
}
Sentences = tuple[str, str]  # zh, en


def names(rules: SeriesRules) -> Sentences:
    return rules.name_zh or rules.station_id, rules.name_en or rules.station_id


def measured(element: str, value: float) -> Sentences:
    """A quantity with its value and unit: 水位 1.32 米, water level 1.32 m."""
    zh, unit_zh, en, unit_en = _quantity(element)
    return f"{zh} {value:.2f} {unit_zh}".rstrip(), f"{en} {value:.2f} {unit_en}".rstrip()


def pace(element: str, per_min: float) -> Sentences:
    """How much a quantity rises in a minute: levels in centimetres, for that is how people see water rise."""
    _, unit_zh, _, unit_en = _quantity(element)
    if unit_en == "m":
        return f"{per_min * 100:.1f} 厘米", f"{per_min * 100:.1f} cm"
    return f"{per_min:.2f} {unit_zh}".rstrip(), f"{per_min:.2f} {unit_en}".rstrip()


def _quantity(element: str) -> tuple[str, str, str, str]:
    return QUANTITY.get(element, (element, "", element, ""))


def doubt_of_device(words: Sequence[str]) -> Sentences:
    """In the words that the reading carries; words of a source that we do not know are told as they are."""
    known = [DOUBTS[word] for word in words if word in DOUBTS]
    if known:
        return f"设备自报{'、'.join(zh for zh, _ in known)}", f"its device says: {', '.join(en for _, en in known)}"
    if words:
        return f"数据来源标注存疑（{'、'.join(words)}）", f"its source calls it suspect ({', '.join(words)})"
    return "数据来源标注存疑", "its source calls it suspect"


def clock(at: int, now: datetime, zone: tzinfo) -> str:
    return clock_text(instant(at), now, zone)


def raised(
    rules: SeriesRules,
    episode: Episode,
    step: Step,
    clock_at: int,
    delayed: bool,
    zone: tzinfo,
    why: Reason | None = None,
) -> Sentences:
    """The danger is at `step.level` now: it began there, or it rose to it."""
    now = instant(clock_at)
    station_zh, station_en = names(rules)
    value_zh, value_en = measured(rules.element, step.value)
    at = clock(step.at, now, zone)
    crossed = clock(step.crossed_at, now, zone)
    zh = f"{COLOUR_ZH[step.level]}预警：{station_zh} {at} {value_zh}"
    en = f"{COLOUR_EN[step.level].capitalize()} alert: {station_en} at {at}, {value_en}"
    if why is not None:
        zh, en = rain(rules, step, why, at)
    elif step.rule is not None:
        _, unit_zh, _, unit_en = _quantity(rules.element)
        zh += f"，{crossed} 起达到阈值 {step.rule.on:.2f} {unit_zh}（依据：{step.rule.source}）"
        en += f", at or over {step.rule.on:.2f} {unit_en} since {crossed} (source: {step.rule.source})"
    if episode.flapping:
        zh, en = f"{zh}，水位反复，按最高级别保持", f"{en}; it goes up and down, held at the highest"
    if delayed:
        zh, en = f"{zh}，数据迟到", f"{en}; the data came late"
    return f"{zh}。", f"{en}."


def rain(rules: SeriesRules, step: Step, why: Reason, at: str) -> Sentences:
    """Which sum, over what line; and how much of it is not known."""
    station_zh, station_en = names(rules)
    hours, mm, missing = why.sum
    zh = f"{COLOUR_ZH[step.level]}预警：{station_zh} 截至 {at}，{hours} 小时降雨 {mm:.1f} 毫米"
    zh += f"，达到阈值 {why.rule.on:g} 毫米（依据：{why.rule.source}）"
    en = f"{COLOUR_EN[step.level].capitalize()} alert: {station_en} up to {at}, {mm:.1f} mm of rain in {hours} h"
    en += f", at or over {why.rule.on:g} mm (source: {why.rule.source})"
    if missing >= 0.01:
        zh, en = f"{zh}，其中 {missing:.0%} 时段缺测", f"{en}; {missing:.0%} of that time is missing"
    return zh, en


def highest(rules: SeriesRules, episode: Episode) -> Sentences:
    """The peak in words. Of a gauge that is its colour: what is summed has no single peak."""
    if is_gauge(rules):
        return f"级别{COLOUR_ZH[episode.highest]}", f"level {COLOUR_EN[episode.highest]}"
    return measured(rules.element, episode.peak)


def lowered(rules: SeriesRules, step: Step, before: int, clock_at: int, zone: tzinfo) -> Sentences:
    now = instant(clock_at)
    station_zh, station_en = names(rules)
    at = clock(step.at, now, zone)
    if is_gauge(rules):
        value_zh, value_en = "雨势减弱", "the rain abates"
    else:
        value_zh, value_en = measured(rules.element, step.value)
    return (
        f"{station_zh} {at} {value_zh}，预警由{COLOUR_ZH[before]}降为{COLOUR_ZH[step.level]}。",
        f"{station_en} at {at}, {value_en}: the alert falls from {COLOUR_EN[before]} to {COLOUR_EN[step.level]}.",
    )


def ended(rules: SeriesRules, episode: Episode, clock_at: int, zone: tzinfo) -> Sentences:
    now = instant(clock_at)
    station_zh, station_en = names(rules)
    end = clock(episode.ended_at or clock_at, now, zone)
    peak_zh, peak_en = highest(rules, episode)
    peak_at = clock(episode.peak_at, now, zone)
    return (
        f"解除：{station_zh} {end} 解除{COLOUR_ZH[episode.highest]}预警，最高{peak_zh}（{peak_at}）。",
        f"All clear: {station_en} at {end}, the {COLOUR_EN[episode.highest]} alert ends; "
        f"the highest {peak_en} was at {peak_at}.",
    )


def retrospective(rules: SeriesRules, episode: Episode, clock_at: int, zone: tzinfo) -> Sentences:
    now = instant(clock_at)
    station_zh, station_en = names(rules)
    begin, end = clock(episode.started_at, now, zone), clock(episode.ended_at or clock_at, now, zone)
    peak_zh, peak_en = highest(rules, episode)
    return (
        f"补记：{station_zh} {begin} 至 {end} 曾达{COLOUR_ZH[episode.highest]}级别，"
        f"最高{peak_zh}；数据迟到，仅作记录。",
        f"For the record: {station_en} was at {COLOUR_EN[episode.highest]} from {begin} to {end}, "
        f"the highest {peak_en}; the data came late, nothing is to be done.",
    )


def withdrawn(rules: SeriesRules, episode: Episode, clock_at: int, zone: tzinfo) -> Sentences:
    now = instant(clock_at)
    station_zh, station_en = names(rules)
    begin = clock(episode.started_at, now, zone)
    return (
        f"撤销：{station_zh} {begin} 的{COLOUR_ZH[episode.highest]}预警，迟到的数据表明它并未成立。",
        f"Withdrawn: the {COLOUR_EN[episode.highest]} alert of {station_en} at {begin}; "
        "data that came late show that there was none.",
    )


def corrected(rules: SeriesRules, episode: Episode, clock_at: int, zone: tzinfo) -> Sentences:
    now = instant(clock_at)
    station_zh, station_en = names(rules)
    begin = clock(episode.started_at, now, zone)
    peak_zh, peak_en = highest(rules, episode)
    return (
        f"更正：{station_zh} {begin} 起的预警按迟到的数据修正，最高级别{COLOUR_ZH[episode.highest]}，最高{peak_zh}。",
        f"Corrected by late data: the alert of {station_en} since {begin}, highest level "
        f"{COLOUR_EN[episode.highest]}, highest {peak_en}.",
    )
