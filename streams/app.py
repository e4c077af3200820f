"""The one Faust application and its settings; why each has its value is in README, "Why it is so"."""

from __future__ import annotations

import os
import tempfile

import faust

from schemas.settings import Settings
from streams.consumer import RunTransport


def create_app(settings: Settings) -> faust.App:
    """An app that loses nothing with the agents of agents.py: no tables, no auto-created topics, no timed leave."""
    bootstrap = ";".join(f"kafka://{host}" for host in settings.bootstrap.split(","))
    app = faust.App(
        settings.kafka.group,
        broker=bootstrap,
        store="memory://",
        datadir=os.path.join(tempfile.gettempdir(), f"citysense-{settings.kafka.group}"),  # made, never written to
        table_standby_replicas=0,  # also keeps the assignor the same for ever
        topic_disable_leader=True,
        topic_allow_declare=False,
        agent_supervisor="mode.CrashingSupervisor",
        consumer_auto_offset_reset="earliest",
        processing_guarantee="at_least_once",
        broker_commit_interval=1.0,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_rebalance_timeout=30.0,
        broker_request_timeout=40.0,
        broker_max_poll_interval=864_000.0,  # or aiokafka leaves the group in a long outage and never returns
        broker_max_poll_records=500,
        consumer_max_fetch_size=1024 * 1024,
        stream_buffer_maxsize=256,
        stream_wait_empty=False,  # a rebalance must not wait for a database that is away: the fence skips repeats
        stream_processing_timeout=900.0,
        web_enabled=False,
        cython_optimizations=False,
    )
    app.transport = RunTransport(app.conf.broker_consumer, app)
    return app
