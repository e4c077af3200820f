"""Which processes make up CitySense, and what does each need? The one list that all ways of running it follow."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.settings import Settings


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the platform. `deploy/compose.yaml` and `deploy/systemd/` name the same ones."""

    name: str
    module: str  # python -m
    arguments: tuple[str, ...] = ()
    role: str = ""  # whose database password it is given
    port: str = ""  # the field of Ports on which it answers
    needs: tuple[str, ...] = ()  # what must be up before it starts
    holds_secrets: bool = False  # the vendors' secrets, and the key of table `secret`
    holds_key: bool = False  # the key alone, which encrypts the secrets of endpoints too
    what: str


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """What one run has over the configuration of its instance: the demo's variables, and arguments by process."""

    variables: Mapping[str, str] = {}
    arguments: Mapping[str, tuple[str, ...]] = {}


PLATFORM = (
    Process(
        name="sweeps",
        module="streams",
        arguments=("sweeps",),
        role="streams",
        port="sweeps_metrics",
        needs=("postgres",),
        what="what happens because time passed: the published minute, silence",
    ),
    Process(
        name="worker",
        module="streams",
        arguments=("worker",),
        role="streams",
        port="worker_metrics",
        needs=("kafka", "postgres"),
        what="from Kafka into the database: the ledger",
    ),
    Process(
        name="feed",
        module="dashboards.feed",
        role="feed",
        port="feed",
        needs=("postgres",),
        what="the published parking feed and its page",
    ),
    Process(
        name="connectors",
        module="connectors",
        arguments=("run",),
        role="connectors",
        port="connectors_metrics",
        needs=("kafka", "postgres"),
        holds_secrets=True,
        what="the city in: polls and pushes, decoded and published",
    ),
    Process(
        name="webhooks",
        module="connectors",
        arguments=("webhooks",),
        role="connectors",
        port="webhooks_metrics",
        needs=("postgres",),
        holds_key=True,
        what="alerts out: signed and delivered to those who are told",
    ),
    Process(
        name="ops",
        module="dashboards.ops",
        role="ops",
        port="ops",
        needs=("postgres",),
        holds_key=True,
        what="the operations centre: where authorities acknowledge alerts",
    ),
)
DISTRICT = Process(
    name="district",
    module="demo",
    port="demo",
    holds_secrets=True,
    what="the simulated district: car parks, rivers, pipes and rain gauges that speak their makers' formats",
)
ALL = (*PLATFORM, DISTRICT)
BY_NAME = {process.name: process for process in ALL}


def stack_names(settings: Settings) -> tuple[str, ...]:
    """What this machine runs beneath the platform: nothing where citysense.toml names others."""
    kafka = tuple("kafka" if node == 1 else f"kafka-{node}" for node in range(1, settings.brokers + 1))
    database = ("postgres",) if settings.local_database else ()
    return (kafka if settings.local_kafka else ()) + database + (("mosquitto",) if settings.local_mqtt else ())


def platform_names(demo: bool) -> tuple[str, ...]:
    """In the order of starting."""
    return ((DISTRICT.name,) if demo else ()) + tuple(process.name for process in PLATFORM)
