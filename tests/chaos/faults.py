"""What goes wrong in a chaos run, and in which order: the same seed, the same run."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from deploy.local.places import Places
from deploy.local.supervision import states
from tests.chaos.crew import Member

SLOW_S, ERRORS_S, HANGS_S, DEAD_S = 6.0, 5.0, 8.0, 4.0  # so long a receiver is in a mood
UNDER_WAY_S = 2.9  # all that came to a slow receiver meanwhile is under way then

Fault = tuple[str, Callable[[], None], Callable[[], None], float]  # what, do, undo, seconds in between
FROZEN_S = 6.0


def faults(
    where: Places, workers: Sequence[Member], spare: Member, connectors: Sequence[Member], brokers: int, seed: int
) -> Iterator[Fault]:
    """Of the platform, without end: each kind once in a shuffled order, and again in another."""
    chance = random.Random(seed)
    while True:
        round_of = [
            ("kill -9 of mosquitto", lambda: _kill(where, "mosquitto", signal.SIGKILL), _nothing, 0.0),
            _signal_to(chance.choice(workers), signal.SIGKILL),
            _signal_to(chance.choice(workers), signal.SIGTERM),
            _signal_to(chance.choice(connectors), signal.SIGKILL),
            _signal_to(chance.choice(connectors), signal.SIGTERM),
            ("immediate stop of PostgreSQL", lambda: _kill(where, "postgres", signal.SIGQUIT), _nothing, 0.0),
            _out_and_in(spare),
        ]
        node = chance.choice(_names(brokers))
        frozen = chance.choice(_names(brokers))
        round_of.append((f"kill -9 of {node}", lambda name=node: _kill(where, name, signal.SIGKILL), _nothing, 0.0))  # type: ignore[misc]
        round_of.append(
            (
                f"{frozen} frozen for {FROZEN_S:.0f} s",
                lambda name=frozen: _kill(where, name, signal.SIGSTOP),  # type: ignore[misc]
                lambda name=frozen: _kill(where, name, signal.SIGCONT),  # type: ignore[misc]
                FROZEN_S,
            )
        )
        chance.shuffle(round_of)
        yield from round_of


def faults_of_webhooks(
    senders: Sequence[Member], receiver: Member, mood: Callable[[str], None], seed: int
) -> Iterator[Fault]:
    """Of those who tell and of who is told, without end, beside the others."""
    chance = random.Random(seed)

    def well() -> None:
        mood("ok")

    def die() -> None:
        receiver.wanted = False
        receiver.send(signal.SIGKILL)

    def live() -> None:
        receiver.wanted = True

    while True:
        killed = chance.choice(senders)

        def kill_in_the_middle(sender: Member = killed) -> None:
            sender.send(signal.SIGKILL)
            mood("ok")

        round_of: list[Fault] = [
            ("a slow receiver", lambda: mood("slow"), well, SLOW_S),
            ("a receiver that answers 500", lambda: mood("error"), well, ERRORS_S),
            ("a receiver that hangs", lambda: mood("hang"), well, HANGS_S),
            ("a dead receiver", die, live, DEAD_S),
            (
                f"SIGKILL to {killed.name} in the middle of a POST",
                lambda: mood("slow"),
                kill_in_the_middle,
                UNDER_WAY_S,
            ),
            _signal_to(chance.choice(senders), signal.SIGTERM),
        ]
        chance.shuffle(round_of)
        yield from round_of


def _names(brokers: int) -> list[str]:
    return ["kafka", *(f"kafka-{node}" for node in range(2, brokers + 1))]


def _nothing() -> None:
    return


def _signal_to(member: Member, number: signal.Signals) -> Fault:
    return f"{number.name} to {member.name}", lambda: member.send(number), _nothing, 0.0


def _out_and_in(spare: Member) -> Fault:
    def out() -> None:
        spare.wanted = True

    def back() -> None:
        spare.wanted = False
        spare.send(signal.SIGTERM)

    return "scale out, and in", out, back, 8.0


def _kill(where: Places, name: str, number: signal.Signals) -> None:
    pid = states(where)[name].pid
    if pid:
        os.kill(pid, number)


def wait_until_up(where: Places, seconds: float = 60.0) -> None:
    """All of the stack runs again."""
    deadline = time.monotonic() + seconds
    while any(state.state != "RUNNING" for state in states(where).values()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the stack is not back after {seconds:.0f} s: {states(where)}")
        time.sleep(0.2)
