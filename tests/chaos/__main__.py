"""python -m tests.chaos: kill under load, then count. Exit 1 when anything accepted is lost, doubled or not told."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from deploy.local.database import admin_dsn
from deploy.local.stack import settings_of, up
from sql.connect import connect
from tests.chaos import findings
from tests.chaos.course import Course, show

# Every committed move of a fence, in a table without any key: what was applied twice is in it twice. And one
# transaction in fifty fails at its last statement; so does one in fifty of those that write what came of a delivery.
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
create or replace function chaos_outcome() returns trigger language plpgsql as $$
begin
    if random() < 0.02 then
        raise exception 'chaos' using errcode = '40001';
    end if;
    return new;
end $$;
create or replace trigger chaos_outcome before update on delivery for each row execute function chaos_outcome();
"""


def main(
    seconds: Annotated[float, typer.Option(help="How long faults go on; settling comes on top.")] = 60.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 1,
    clients: Annotated[int, typer.Option(help="Car parks per connector.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="The account as one JSON object.")] = False,
    keep_logs: Annotated[bool, typer.Option(help="Say where the logs of the processes are, and keep them.")] = False,
) -> None:
    """Workers, connectors and senders under load, while everything is killed in turn. Ends with the account.

    Beside the figures of parking, --json has those of water (the same ones) and of its alerts.
    """
    settings = up(settings_of("chaos"))
    with connect(admin_dsn(settings, settings.database.name), autocommit=True) as connection:
        connection.execute(AUDIT)
    folder = Path(tempfile.mkdtemp(prefix="citysense-chaos-"))
    course = Course(settings, folder, seed, clients)
    try:
        ends = asyncio.run(course.run(seconds))
        with connect(settings.dsn("owner")) as connection:
            parking = findings.parking(connection, course.offers, ends)
            water = findings.water(connection, course.heard, ends)
            alerts = findings.alerts(connection, settings, folder)
            for letter in findings.dead_letters(connection):
                show.print(f"dead letter: {letter}", markup=False, soft_wrap=True)
    finally:
        if keep_logs:
            show.print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    balances = parking.balances and water.balances and alerts.balances
    if as_json:
        found = {**msgspec.structs.asdict(parking), "balances": balances, "water": water, "alerts": alerts}
        sys.stdout.write(f"{msgspec.json.encode(found).decode()}\n")
    else:
        for name, account in (("parking", parking), ("water", water), ("alerts", alerts)):
            verdict = "[green]balances[/]" if account.balances else "[red]does not balance[/]"
            show.print(f"{name} {verdict}: {account}")
    raise typer.Exit(0 if balances else 1)


if __name__ == "__main__":
    typer.run(main)
