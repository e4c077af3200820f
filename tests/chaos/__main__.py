"""python -m tests.chaos: kill under load, then count. Exit 1 when a confirmed row is lost or anything is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import psycopg
import typer
from kafka.errors import KafkaError
from rich.console import Console

from deploy.local.database import admin_dsn
from deploy.local.places import places
from deploy.local.stack import settings_of, up
from schemas.settings import Settings
from schemas.topics import PARKING_OBSERVATIONS
from sql.connect import connect
from streams.positions import log_states
from tests.chaos.account import Account, settle
from tests.chaos.crew import Member, connector, worker
from tests.chaos.faults import faults, wait_until_up
from tests.chaos.load import Client, Offers

CALM_S = 3.0  # between two faults
SETTLE_S = 180.0
TOPIC = PARKING_OBSERVATIONS.name
show = Console(stderr=True)

# Every committed move of a fence, in a table without any key: what was applied twice is in it twice. And one
# transaction in fifty fails at its last statement.
AUDIT = """
create table if not exists chaos_move (topic text, partition int, before bigint, after bigint);
grant insert, select on chaos_move to citysense_streams, citysense_owner;
create or replace function chaos_audit() returns trigger language plpgsql as $$
begin
    if random() < 0.02 then
        raise exception 'chaos' using errcode = '40001';
    end if;
    insert into chaos_move values (new.topic, new.partition, old.next_offset, new.next_offset);
    return new;
end $$;
create or replace trigger chaos_audit before update on stream_fence for each row
    when (new.next_offset <> old.next_offset) execute function chaos_audit();
"""


def main(
    seconds: Annotated[float, typer.Option(help="How long faults go on; settling comes on top.")] = 60.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 1,
    clients: Annotated[int, typer.Option(help="Car parks per connector.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="The account as one JSON object.")] = False,
    keep_logs: Annotated[bool, typer.Option(help="Say where the logs of the processes are, and keep them.")] = False,
) -> None:
    """Three workers and two connectors under load, while everything is killed in turn. Ends with the account."""
    settings = up(settings_of("chaos"))
    with connect(admin_dsn(settings, settings.database.name), autocommit=True) as connection:
        connection.execute(AUDIT)
    folder = Path(tempfile.mkdtemp(prefix="citysense-chaos-"))
    offers = Offers()
    try:
        account = asyncio.run(_run(settings, folder, seconds, seed, clients, offers))
    finally:
        if keep_logs:
            show.print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.write(
            msgspec.json.encode({**msgspec.structs.asdict(account), "balances": account.balances}).decode()
        )
        sys.stdout.write("\n")
    else:
        verdict = "[green]balances[/]" if account.balances else "[red]does not balance[/]"
        show.print(f"The account {verdict}: {account}")
    raise typer.Exit(0 if account.balances else 1)


async def _run(settings: Settings, folder: Path, seconds: float, seed: int, clients: int, offers: Offers) -> Account:
    workers = [worker(settings, folder, number) for number in range(1, 4)]
    spare = worker(settings, folder, 4)
    spare.wanted = False
    ports = [settings.ports.push, settings.ports.push + 4]
    connectors = [connector(settings, folder, number, port) for number, port in enumerate(ports, start=1)]
    crew = [*workers, spare, *connectors]
    stop = asyncio.Event()
    tending = asyncio.create_task(_tend(crew, stop))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=10.0, limits=limits) as http:
        quiet = asyncio.Event()
        start = datetime.now(UTC).replace(microsecond=0)
        pushing = [
            asyncio.create_task(Client(http, port, f"op-{number}", f"lot-{i}", offers).run(_past(start), 0.05, quiet))
            for number, port in enumerate(ports, start=1)
            for i in range(clients)
        ]
        await _wait(lambda: len(offers.confirmed) > 10 * clients, "the first pushes are confirmed", SETTLE_S, crew)
        await _break_things(settings, workers, spare, connectors, seconds, seed, offers)
        wait_until_up(places(settings))
        quiet.set()
        show.print("calm: waiting until the last push is confirmed and applied")
        await asyncio.wait_for(asyncio.gather(*pushing), SETTLE_S)
        ends = await _until_applied(settings, crew)
    stop.set()
    await tending
    for member in crew:
        member.end()
    with connect(settings.dsn("owner")) as connection:
        stored = [
            ((source, ref, at), free)
            for source, ref, at, free in connection.execute(
                "select source, ref, at, free from parking_observation join parking_series using (series_id)"
                " where source in ('op-1', 'op-2')"
            )
        ]
        moves = connection.execute("select topic, partition, before, after from chaos_move").fetchall()
    starts = ", ".join(f"{member.name} {member.starts}" for member in crew)
    show.print(f"{offers.attempts} attempts; refused: {dict(offers.refusals)}; starts: {starts}")
    return settle(offers.offered, offers.confirmed, stored, [move for move in moves if move[0] == TOPIC], ends)


def _past(start: datetime) -> datetime:
    """A day back: a client counts a second for each push, and must not run into the future."""
    return datetime.fromtimestamp(start.timestamp() - 86_400, UTC)


async def _break_things(
    settings: Settings,
    workers: list[Member],
    spare: Member,
    connectors: list[Member],
    seconds: float,
    seed: int,
    offers: Offers,
) -> None:
    deadline = time.monotonic() + seconds
    for what, do, undo, lasting in faults(places(settings), workers, spare, connectors, settings.brokers, seed):
        if time.monotonic() > deadline:
            return
        show.print(f"[dim]{len(offers.confirmed):>7} confirmed[/]  {what}")
        do()
        await asyncio.sleep(lasting)
        undo()
        await asyncio.sleep(CALM_S)


async def _tend(crew: list[Member], stop: asyncio.Event) -> None:
    while not stop.is_set():
        for member in crew:
            member.tend()
        await asyncio.sleep(0.2)


async def _until_applied(settings: Settings, crew: list[Member]) -> dict[tuple[str, int], int]:
    """Kafka's ends once nothing comes any more and the fences have reached them. Ticks stop with the connectors."""
    for member in crew:
        if member.name.startswith("connector"):
            member.end()
    ends: dict[tuple[str, int], int] = {}

    def applied() -> bool:
        with contextlib.suppress(KafkaError, psycopg.OperationalError):
            logs = log_states(settings.bootstrap, (PARKING_OBSERVATIONS,))[TOPIC]
            ends.update({(TOPIC, partition): log.end for partition, log in logs.items()})
            with connect(settings.dsn("owner")) as connection:
                rows = connection.execute("select partition, next_offset from stream_fence where topic = %s", (TOPIC,))
                fences: dict[int, int] = dict(rows.fetchall())
            return all(fences.get(partition) == log.end for partition, log in logs.items())
        return False

    await _wait(applied, "the fences reach the ends of the log", SETTLE_S, crew)
    return ends


async def _wait(holds: Callable[[], bool], what: str, seconds: float, crew: list[Member]) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            starts = ", ".join(f"{member.name} {member.starts}" for member in crew)
            raise TimeoutError(f"not within {seconds:.0f} s: {what} (starts: {starts})")
        await asyncio.sleep(0.3)


if __name__ == "__main__":
    typer.run(main)
