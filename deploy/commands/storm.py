"""What does an officer see in a storm? The decision aid as tables, each rank with its reasons."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import typer
from rich.markup import escape
from rich.table import Table

from dashboards.ops.storm import storm_now
from deploy.commands.shared import screen, settings_now
from deploy.local.credentials import with_environment
from deploy.local.progress import StackError
from schemas.alerts import COLOURS
from schemas.storm import BasinRain, Machine, Reason, StormAnswer, StormView
from sql.connect import connect

Lang = Literal["zh", "en"]
COLOURS_ZH = {1: "蓝色", 2: "黄色", 3: "橙色", 4: "红色"}
STYLES = {0: "", 1: "blue", 2: "yellow", 3: "orange1", 4: "red"}
WORDS = {
    "close": ("下穿通道关闭次序", "The order of closing underpasses"),
    "hours": ("{} 小时", "{} h"),
    "coming": ("接下来的升级", "What crosses next"),
    "blind": ("情况不明", "Where we are blind"),
    "rain": ("面雨量", "Areal rain"),
    "machines": ("泵和闸门", "Pumps and sluices"),
    "place": ("地点", "place"),
    "points": ("分值", "points"),
    "why": ("理由", "why"),
    "at": ("时间", "at"),
    "in": ("分钟后", "in min"),
    "level": ("级别", "level"),
    "state": ("状态", "state"),
    "since": ("自", "since"),
    "basin": ("流域", "basin"),
    "missing": ("缺测", "missing"),
    "unknown": ("未知", "unknown"),
    "never": ("从未上报", "never heard of"),
    "offline": ("离线", "offline"),
    "stale": ("数据陈旧", "stale"),
    "running": ("运行", "running"),
    "standing": ("停止", "standing"),
    "open": ("开", "open"),
    "closed": ("关", "closed"),
    "moving": ("启闭中", "moving"),
    "more": ("另有 {} 处", "{} more"),
}


def storm(
    lang: Annotated[Lang, typer.Option(help="The language of the sentences: zh or en.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="The answer of GET /storm, both languages.")] = False,
) -> None:
    """What crosses next and when, where we are blind, which underpasses are closed first: each rank with its reasons.

    As of the newest minute of the log that was judged; red when that is more than 3 minutes ago. A decision aid: it
    ranks and says why, it closes nothing. The points of a rank are the sum of those of its reasons.

    [bold]./citysense storm --lang zh[/]        as an officer reads it out
    [bold]./citysense storm --json | jq '.view.close_first[0]'[/]
    [bold]./citysense demo --storm[/]           plays a synthetic storm to look at
    """
    settings = with_environment(settings_now())
    zone = ZoneInfo(settings.district.time_zone)
    try:
        with connect(settings.dsn("ops"), autocommit=True) as connection:
            answer = storm_now(connection, datetime.now(UTC), zone)
    except psycopg.errors.UndefinedTable as error:
        raise StackError("the database has an older schema: ./citysense migrate") from error
    except psycopg.OperationalError as error:
        raise StackError(
            f"the database does not answer: {error}\n`./citysense status` tells whether it runs."
        ) from error
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
        return
    show(answer, lang, zone)


def show(answer: StormAnswer, lang: Lang, zone: tzinfo) -> None:
    style = "bold red" if answer.is_stale else "bold" if answer.view is not None else ""
    screen.print(answer.sentence_zh if lang == "zh" else answer.sentence_en, style=style, markup=False)
    if answer.view is not None:
        _view(answer.view, lang, zone)
    if answer.rain:
        screen.print(_rain(answer.rain, lang))


def _view(view: StormView, lang: Lang, zone: tzinfo) -> None:
    if view.close_first:
        table = _table("close", ("", "place", "points", "level", "why"), lang)
        for rank, closing in enumerate(view.close_first, 1):
            table.add_row(
                str(rank), _name(closing, lang), f"{closing.points:g}", _colour(closing.level, lang),
                _reasons(closing.reasons, lang, with_points=True),
            )  # fmt: skip
        _print(table, view.close_total - len(view.close_first), lang)
    if view.coming:
        table = _table("coming", ("at", "in", "place", "level", "why"), lang)
        for coming in view.coming:
            minutes = f"{coming.minutes:.0f}" if coming.minutes >= 1 else "< 1"
            table.add_row(
                f"{coming.crosses_at.astimezone(zone):%H:%M}", minutes, _name(coming, lang),
                _colour(coming.level, lang), _reasons(coming.reasons, lang),
            )  # fmt: skip
        _print(table, view.coming_total - len(view.coming), lang)
    if view.blind:
        table = _table("blind", ("place", "state", "since", "points", "why"), lang)
        for blind in view.blind:
            since = "" if blind.since is None else f"{blind.since.astimezone(zone):%m-%d %H:%M}"
            table.add_row(
                _name(blind, lang), _word(blind.knowledge, lang), since, f"{blind.points:g}",
                _reasons(blind.reasons, lang, with_points=True),
            )  # fmt: skip
        _print(table, view.blind_total - len(view.blind), lang)
    if view.machines:
        screen.print(_machines(view.machines, lang, zone))


def _machines(machines: Iterable[Machine], lang: Lang, zone: tzinfo) -> Table:
    table = _table("machines", ("place", "state", "at"), lang)
    for machine in machines:
        at = "" if machine.observed_at is None else f"{machine.observed_at.astimezone(zone):%H:%M}"
        table.add_row(_name(machine, lang), _word(machine.state, lang), at)
    return table


def _rain(rain: Iterable[BasinRain], lang: Lang) -> Table:
    table = _table("rain", ("basin", "", "mm", "missing"), lang)
    for mean in rain:
        mm = _word("unknown", lang) if mean.mm is None else f"{mean.mm:.1f}"
        share = f"{mean.missing_share:.0%}" if mean.missing_share else ""
        table.add_row(
            _name(mean, lang),
            _word("hours", lang).format(mean.hours),
            mm,
            f"{share} {', '.join(mean.missing[:5])}".strip(),
        )
    return table


def _table(title: str, columns: Iterable[str], lang: Lang) -> Table:
    return Table(*(_word(each, lang) for each in columns), title=_word(title, lang), title_justify="left")


def _print(table: Table, more: int, lang: Lang) -> None:
    screen.print(table)
    if more > 0:
        screen.print(_word("more", lang).format(more))


def _word(word: str, lang: Lang) -> str:
    return WORDS.get(word, (word, word))[0 if lang == "zh" else 1]


def _name(of: object, lang: Lang) -> str:
    return escape(str(getattr(of, f"name_{lang}")))


def _colour(level: int, lang: Lang) -> str:
    if not level:
        return ""
    word = COLOURS_ZH[level] if lang == "zh" else COLOURS[level]
    return f"[{STYLES[level]}]{word}[/]"


def _reasons(reasons: Iterable[Reason], lang: Lang, *, with_points: bool = False) -> str:
    lines = []
    for reason in reasons:
        points = f" (+{reason.points:g})" if with_points and reason.points else ""
        lines.append(escape(reason.zh if lang == "zh" else reason.en) + points)
    return "\n".join(lines)
