"""How did it look? A record with its thresholds, alerts and quality marks: as SVG, and as one line for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from html import escape
from typing import Final

from streams.water.danger import Episode
from streams.water.replay import Shown
from streams.water.rules import HOUR, HazardRules, instant, period_at
from streams.water.sentences import COLOUR_EN

INK: Final = ("#5b6670", "#2f7fd8", "#d9a400", "#e8741e", "#cf2a2a")  # none, blue, yellow, orange, red
BARS: Final = "▁▂▃▄▅▆▇█"
ANSI: Final = ("", "\x1b[34m", "\x1b[33m", "\x1b[38;5;208m", "\x1b[31m")
WIDTH: Final = 1200
HEIGHT: Final = 280
LEFT: Final = 60
BOTTOM: Final = 30
_Scale = Callable[[float], float]
_Place = Callable[[int], float]
POINTS: Final = 2400  # of a line; more cannot be seen


def sparkline(shown: Shown, episodes: Sequence[Episode], width: int = 96, colour: bool = False) -> str:
    """The highest of each slice of time; in the colour of the alert then, or with its first letter in a second line."""
    good = _good(shown)
    if not good:
        return "no good samples"
    begin, end = good[0][0], max(good[-1][0], good[0][0] + 1)
    tops: list[float | None] = [None] * width
    for at, value in good:
        place = min((at - begin) * width // (end - begin), width - 1)
        before = tops[place]
        tops[place] = value if before is None else max(before, value)
    low, high = min(value for _, value in good), max(value for _, value in good)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    bars, letters = [], []
    for place, top in enumerate(tops):
        at = begin + (end - begin) * place // width
        level = max((_level_within(each, at, at + (end - begin) // width) for each in episodes), default=0)
        bar = "·" if top is None else BARS[round((top - low) * scale)]
        bars.append(f"{ANSI[level]}{bar}\x1b[0m" if colour and level else bar)
        letters.append(" byor"[level])
    line = f"{low:7.2f} {''.join(bars)} {high:.2f}"
    return line if colour else f"{line}\n{'':7} {''.join(letters)}".rstrip()


def svg(shown: Shown, episodes: Sequence[Episode], zone: tzinfo, top: int = 0) -> str:
    """One panel, `top` pixels below the top of its picture."""
    good = _good(shown)
    if not good:
        return _text(LEFT, top + 20, f"{shown.rules.station_id}: no good samples")
    hazards = period_at(shown.rules, good[-1][0]).hazards
    lines = [rule.on for hazard in hazards for rule in hazard.levels]
    values = [value for _, value in good] + lines
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or 0.1
    low, high = low - pad, high + pad
    begin, end = good[0][0], max(good[-1][0], good[0][0] + 1)

    def x(at: int) -> float:
        return LEFT + (at - begin) / (end - begin) * (WIDTH - LEFT - 20)

    def y(value: float) -> float:
        return top + HEIGHT - BOTTOM - (min(max(value, low), high) - low) / (high - low) * (HEIGHT - BOTTOM - 30)

    parts = [_text(LEFT, top + 16, f"{shown.rules.name_zh or shown.rules.station_id} · {shown.rules.element}", 14)]
    for episode in episodes:
        for level, since, until in stretches(episode, end):
            parts.append(
                f'<rect x="{x(since):.1f}" y="{top + 24}" width="{max(x(until) - x(since), 1.5):.1f}"'
                f' height="{HEIGHT - BOTTOM - 24}" fill="{INK[level]}" fill-opacity="0.16">'
                f"<title>{COLOUR_EN[level]} {instant(since).astimezone(zone):%m-%d %H:%M}</title></rect>"
            )
    for hazard in hazards:
        parts += _threshold_lines(hazard, y)
    step = max(1, len(good) // POINTS)
    thinned = [max(good[place : place + step], key=lambda each: each[1]) for place in range(0, len(good), step)]
    path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in thinned)
    parts.append(f'<polyline points="{path}" fill="none" stroke="#12303f" stroke-width="1.3"/>')
    for mark in shown.marks:
        ink = "#8a2be2" if mark.flag == 3 else "#c02020"
        parts.append(
            f'<path d="M{x(mark.at) - 3:.1f} {y(mark.value) - 3:.1f}l6 6m0 -6l-6 6" stroke="{ink}" stroke-width="1.4">'
            f"<title>{escape(mark.tests)} {mark.value:g}</title></path>"
        )
    parts += _time_axis(begin, end, zone, top, x)
    return "\n".join(parts)


def document(panels: Sequence[str]) -> str:
    height = HEIGHT * max(len(panels), 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def stretches(episode: Episode, now: int) -> list[tuple[int, int, int]]:
    """(level, since, until) of each level that an episode had."""
    ends = [step.at for step in episode.steps[1:]] + [now if episode.ended_at is None else episode.ended_at]
    return [
        (step.level, step.at, until) for step, until in zip(episode.steps, ends, strict=True) if step.level and until
    ]


def _level_within(episode: Episode, since: int, until: int) -> int:
    return max((level for level, a, b in stretches(episode, until + 1) if a <= until and b > since), default=0)


def _good(shown: Shown) -> list[tuple[int, float]]:
    bad = {mark.at for mark in shown.marks}
    return [(at, value) for at, value in zip(shown.ats.tolist(), shown.values.tolist(), strict=True) if at not in bad]


def _threshold_lines(hazard: HazardRules, y: _Scale) -> list[str]:
    parts = []
    for rule in hazard.levels:
        ink = INK[rule.level]
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(rule.on):.1f}" y2="{y(rule.on):.1f}" stroke="{ink}"'
            f' stroke-width="1.2"><title>{escape(rule.source)}</title></line>'
            f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(rule.off):.1f}" y2="{y(rule.off):.1f}" stroke="{ink}"'
            ' stroke-width="0.8" stroke-dasharray="3 4"/>'
        )
        parts.append(_text(4, y(rule.on) + 4, f"{rule.on:g}", 11, ink))
    return parts


def _time_axis(begin: int, end: int, zone: tzinfo, top: int, x: _Place) -> list[str]:
    span = (end - begin) / HOUR
    step = next((hours for hours in (1, 3, 6, 12, 24, 48, 120, 240, 720) if span / hours <= 12), 2160) * HOUR
    parts = []
    at = (begin // step + 1) * step
    while at <= end:
        place = x(at)
        parts.append(
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{top + HEIGHT - BOTTOM}" y2="{top + HEIGHT - BOTTOM + 4}"'
            ' stroke="#5b6670"/>'
        )
        local = instant(at).astimezone(zone)
        parts.append(_text(place - 28, top + HEIGHT - BOTTOM + 17, f"{local:%m-%d %H:%M}", 10))
        at += step
    return parts


def _text(x: float, y: float, text: str, size: int = 12, ink: str = "#12303f") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{ink}">{escape(text)}</text>'
