"""Whatever is thrown at a connector: a clear answer, a reason that is kept, flat memory, and neighbours unharmed."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.proof.chain import SECRET, Chain, free_port, listens, resident_kb, secret_variable
from tests.proof.current import stamped
from tests.proof.hostile import DOCUMENTS, MEGABYTE, REFUSED, Ground, good_message
from tests.proof.lots import Message

pytestmark = pytest.mark.stack
BODY_LIMITS = {"push_body_timeout_s": 2.0, "push_head_timeout_s": 2.0, "total_timeout_s": 5.0}
ROUNDS = 3  # how often each bad source is asked at least
FLAT_KB = 48 * 1024  # what remains of it all
PEAK_KB = 128 * 1024  # what it may cost meanwhile: a few bodies at their limit of 32 MB
_STORED = """
select o.observed_at, o.free from parking_series as s join parking_observation as o using (series_id)
where s.source = %s
"""
_HEALTH = "select source, error from source_health where source = any(%s)"


class Attacked:
    """A connector process of its own under attack, on the Kafka, worker and database of the city."""

    def __init__(self, city: Chain, ground: Ground, port: int) -> None:
        self.city = city
        self.ground = ground
        self.port = port
        self.pushed: dict[datetime, int] = {}
        self.rss_kb = 0

    def push_good(self) -> None:
        now = datetime.now(UTC)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # it travels in milliseconds
        free = len(self.pushed) % 100
        assert self.city.push("good-push", good_message(at, free), self.port).status_code == 200
        self.pushed[at] = free

    def stored(self, source: str) -> dict[datetime, int]:
        return dict(self.city.ask(_STORED, source))

    def post(self, body: bytes, source: str = "bad-push", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.city.push(source, Message(body=body, headers=named), self.port)

    def raw(self, data: bytes) -> bytes:
        """All that is answered to these bytes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as one:
            one.sendall(data)
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := one.recv(65536):
                    said += piece
            return said


@pytest.fixture(scope="module")
def attacked(city: Chain) -> Iterator[Attacked]:
    """Both good sources speak, the memory of the process is taken, and then the bad ones begin."""
    port = free_port()
    with Ground().serving() as ground, contextlib.ExitStack() as ends:
        file = city.write_settings("attacked", ground.supplies(), port, **BODY_LIMITS)
        for supply in ground.supplies():
            city.settings.environ.setdefault(secret_variable(supply.name), SECRET)
        process = ends.enter_context(city.start("attacked", "connectors", "run", file=file))
        ends.callback(city.processes.pop, "attacked")
        city.eventually(lambda: listens(port), "the attacked connector listens")
        under = Attacked(city, ground, port)
        under.push_good()
        city.eventually(lambda: len(ground.said) >= 3, "the good source is polled")
        under.rss_kb = resident_kb(process)
        ground.attack.set()
        yield under


def test_pushes_that_mean_harm_get_a_clear_answer(attacked: Attacked) -> None:
    now = datetime.now(UTC)
    space = {"service": "parkingspace", "parkid": "L1", "spacetotal": 10, "spaceLeft": 1}

    def told_of(source: str) -> str:
        return "".join(error or "" for _, error in attacked.city.ask(_HEALTH, [source]))

    bomb = gzip.compress(bytes(64 * MEGABYTE)) * 4
    assert attacked.post(bomb, Content_Encoding="gzip").status_code == 413
    stated = b"POST /push/bad-push HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"
    assert attacked.raw(stated).startswith(b"HTTP/1.1 413 ")
    attacked.city.eventually(lambda: "too_large" in told_of("bad-push"), "the operator hears of it")
    slow = b"POST /push/bad-push HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    slow_clients = [threading.Thread(target=attacked.raw, args=(data,)) for data in (slow, slow[:20], b"") * 10]
    for client in slow_clients:
        client.start()
    attacked.push_good()  # thirty slow clients are connected
    assert attacked.raw(slow).startswith(b"HTTP/1.1 408 ")
    for client in slow_clients:
        client.join(30)
        assert not client.is_alive()
    assert attacked.post(json.dumps(space).encode()).status_code == 401
    forged = attacked.post(json.dumps(space).encode(), X_Signature=f"t={int(now.timestamp())},v1={'0' * 64}")
    assert (forged.status_code, forged.json()["message"]) == (401, "bad_signature")
    old = stamped(space, now - timedelta(hours=1))
    assert attacked.city.push("bad-push", old, attacked.port).json()["message"] == "stale_timestamp"
    # signed and unreadable: it is safe as a dead letter, so the vendor need not send it again
    bodies: tuple[Any, ...] = (
        {**space, "spaceLeft": 1e308},
        {**space, "parkid": None},
        dict.fromkeys(space),
        [None],
        [[]] * 50,
    )
    for body in bodies:
        assert attacked.city.push("bad-push", stamped(body, now), attacked.port).status_code == 200
    wanted = {
        "missing_signature",
        "bad_signature",
        "stale_timestamp",
        "bad_number",
        "missing_id",
        "other_service",
        "bad_item",
    }
    attacked.city.eventually(lambda: reasons(attacked, "bad-push") >= wanted, f"dead letters of {wanted}")


def test_a_push_that_comes_again_is_answered_and_stored_once(attacked: Attacked) -> None:
    now = datetime.now(UTC)
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    for _ in range(5):
        assert attacked.city.push("good-push", good_message(at, 77), attacked.port).status_code == 200
    attacked.pushed[at] = 77
    attacked.city.eventually(lambda: attacked.stored("good-push").get(at) == 77, "the message is stored")
    assert [free for when, free in attacked.city.ask(_STORED, "good-push") if when == at] == [77]


def test_what_can_be_read_and_not_used_is_a_dead_letter_with_its_reason(attacked: Attacked) -> None:
    for name, (_, _, reason) in DOCUMENTS.items():
        attacked.city.eventually(lambda: reasons(attacked, name) == {reason}, f"{name}: {reason}")  # noqa: B023 at once
    for letter in attacked.city.letters(*DOCUMENTS):
        assert len(letter["raw"]) <= 32 * 1024
        assert letter["detail"]


def test_what_cannot_be_read_is_told_by_the_health_of_its_source(attacked: Attacked) -> None:
    def errors() -> dict[str, str]:
        return {name: error or "" for name, error in attacked.city.ask(_HEALTH, list(REFUSED))}

    def are_told() -> bool:
        return all(word in errors().get(name, "") for name, word in REFUSED.items())

    try:
        attacked.city.eventually(are_told, "every refusal is told")
    except AssertionError as error:
        raise AssertionError(f"{errors()}") from error


def test_neighbours_are_unharmed_and_memory_is_flat(attacked: Attacked) -> None:
    city, ground = attacked.city, attacked.ground
    city.eventually(lambda: min(ground.asked.values()) >= ROUNDS, f"{ROUNDS} rounds of all: {ground.asked}", 150)
    for _ in range(20):
        attacked.push_good()
    polled = dict(ground.said)
    assert len(polled) > 5
    city.eventually(lambda: attacked.stored("good-push") == attacked.pushed, "every good push is stored")
    city.eventually(lambda: polled.items() <= attacked.stored("good-poll").items(), "every good poll is stored")
    assert city.letters("good-push", "good-poll") == []
    process = city.processes["attacked"]
    peak_kb = resident_kb(process, "VmHWM")
    assert peak_kb - attacked.rss_kb < PEAK_KB, f"from {attacked.rss_kb} kB to {peak_kb} kB at most"
    left = [resident_kb(process)]

    def is_flat() -> bool:
        left.append(resident_kb(process))
        return min(left[-50:]) - attacked.rss_kb < FLAT_KB

    city.eventually(is_flat, f"memory comes back: {attacked.rss_kb} kB at the start, peak {peak_kb} kB", 30)


def test_good_neighbours_are_in_the_feed(attacked: Attacked) -> None:
    attacked.push_good()
    wanted = list(attacked.pushed.values())[-1]
    found = attacked.city.lots_at(datetime.now(UTC))
    assert (found["good-push.p-1"]["available"], found["good-push.p-1"]["freshness"]) == (wanted, "fresh")
    assert found["good-poll.7:1"]["freshness"] == "fresh"
    assert found["good-poll.7:1"]["available"] in attacked.ground.said.values()


def reasons(attacked: Attacked, source: str) -> set[str]:
    return {letter["reason"] for letter in attacked.city.letters(source)}
