"""What does each table of the settings file hold? The defaults, many of them guesses to be tuned."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class District(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    code: str = "440303"
    name_zh: str = "罗湖区"
    name_en: str = "Luohu"
    time_zone: str = "Asia/Shanghai"
    holiday_country: str = "CN"
    bbox: tuple[float, float, float, float] = (114.05, 22.50, 114.25, 22.65)  # west, south, east, north, WGS-84


class Ports(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kafka: Port = 19092
    kafka_controller: Port = 19093
    kafka_2: Port = 19094  # brokers 2 and 3 run in chaos mode only
    kafka_2_controller: Port = 19095
    kafka_3: Port = 19096
    kafka_3_controller: Port = 19097
    postgres: Port = 15432
    feed: Port = 8080
    push: Port = 8090
    demo: Port = 8100
    mqtt: Port = 18830
    ops: Port = 8110
    worker_metrics: Port = 8120
    sweeps_metrics: Port = 8121
    connectors_metrics: Port = 8122
    webhooks_metrics: Port = 8123


class Stack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The local Kafka and database. Name others in [kafka] and [database] and these are not started."""

    state_dir: str = ""  # empty: .local in the checkout, or /var/lib/citysense as root
    kafka_heap_mb: int = 384
    postgres_shared_buffers_mb: int = 128
    mqtt: bool = False  # a mosquitto of our own, also when no source asks for it (the demo does)
    ports: Ports = Ports()
    instance_port_offset: dict[str, int] = msgspec.field(
        default_factory=lambda: {"main": 0, "test": 1000, "chaos": 2000, "bench": 3000}
    )


class Kafka(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bootstrap: str = ""  # empty: the local stack
    replication: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    min_insync_replicas: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    group: str = "citysense"


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    host: str = ""  # empty: the local stack
    port: Port = 5432
    name: str = "citysense"
    sslmode: str = "prefer"


class Publisher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    linger_ms: int = 100
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 2000
    max_bytes: Annotated[int, msgspec.Meta(ge=1024, le=256 * 1024)] = 256 * 1024
    pending_rows: int = 100_000  # rows and bytes that wait for the broker; beyond this the source waits
    pending_bytes: int = 64 * 1024 * 1024
    delivery_timeout_ms: int = 30_000
    tick_s: Positive = 5.0


class Connectors(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bind: str = "127.0.0.1"  # the push server listens on loopback unless told
    health_s: Positive = 15.0
    body_limit_bytes: int = 32 * 1024 * 1024
    decompressed_limit_bytes: int = 128 * 1024 * 1024
    rows_limit: int = 50_000  # rows of one payload
    connect_timeout_s: Positive = 5.0
    read_timeout_s: Positive = 30.0
    total_timeout_s: Positive = 45.0  # of one request with all its redirects
    redirects: int = 3
    poll_hold_s: Positive = 2.0  # so long the clock waits for a poll; a later answer is received when it comes
    per_host_concurrency: int = 4
    push_body_limit_bytes: int = 1024 * 1024
    push_timestamp_window_s: int = 300
    push_concurrency: int = 256  # requests under way; one more is answered 503 with Retry-After
    push_connections: int = 1024
    push_head_timeout_s: Positive = 10.0  # a client that is slower with its request line and headers is cut off
    push_body_timeout_s: Positive = 15.0
    push_confirm_timeout_s: Positive = 5.0  # without Kafka's confirmation for so long a push is answered 503
    push_rejects_per_minute: int = 60  # of one source, of what has no valid signature; the rest is only counted
    station_connections: Annotated[int, msgspec.Meta(ge=1)] = 4096  # of one server; a stranger makes room for the next
    station_first_frame_s: Positive = 30.0  # so long a connection may be without a frame that is believed
    station_idle_s: Positive = 660.0  # without a byte: longer than the 10 minutes that ESC keeps a station online
    station_packet_s: Positive = 15.0  # a message of many packets that stands still for so long is asked for the rest
    station_total_s: Positive = 86_400.0  # of one connection; an honest station comes back
    station_unanswered: Annotated[int, msgspec.Meta(ge=1)] = 16  # messages of a connection that wait for Kafka
    station_noise_bytes: Annotated[int, msgspec.Meta(ge=64)] = 65_536  # between two frames that are believed
    station_answer_s: Positive = 60.0  # so long a question waits for its answer
    station_gap_days: Annotated[float, msgspec.Meta(gt=0, le=31)] = 7.0  # so far back a station is asked what it missed
    register_refresh_s: Positive = 30.0
    messages_under_way: Annotated[int, msgspec.Meta(ge=1)] = 4096  # of a source over TCP or MQTT that wait for Kafka
    spool_dir: str = ""  # empty: beside the state of the local stack
    spool_limit_bytes: int = 512 * 1024 * 1024
    stop_timeout_s: Positive = 10.0


class Worker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    take_records: int = 64
    take_within_s: Positive = 0.05
    statement_timeout_ms: int = 30_000
    poison_in_a_row: int = 20  # dead letters in a row that stop the agent
    poison_share: float = 0.01  # share of dead letters in a minute that stops it
    liveness_s: int = 120


class Parking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The constants of reference parking 5, guesses to be tuned; each can be overridden per lot in the register."""

    cadence_s: Positive = 60.0
    aging_s: Positive = 300.0
    stale_s: Positive = 900.0
    dead_s: Positive = 86_400.0
    future_limit_s: Positive = 120.0
    identity_tolerance: tuple[float, float] = (2, 0.01)  # free + occupied == capacity within max(spaces, share)
    negative_tolerance: tuple[float, float] = (3, 0.05)
    excess_tolerance: tuple[float, float] = (2, 0.02)
    overfull_percent: float = 130.0  # more than this is suspect
    almost_full_enter: tuple[float, float] = (3, 0.10)
    almost_full_leave: tuple[float, float] = (5, 0.13)
    full_enter: tuple[float, float] = (0, 0.005)
    full_leave: tuple[float, float] = (2, 0.02)
    dwell_s: Positive = 120.0
    placeholder_capacities: tuple[int, ...] = (0, 1, 999, 9999, 99999)
    capacity_jump: float = 0.20
    trend_window_s: Positive = 900.0
    ttf_cap_min: int = 120
    frozen_probability: float = 1e-3
    frozen_min_s: Positive = 1800.0
    frozen_fallback_s: Positive = 21_600.0
    minute_grace_s: Positive = 4.0
    startup_grace_s: Positive = 120.0
    silent_factor: float = 5.0  # a source is silent after this many of its own cadences
    silent_min_s: Positive = 180.0


class Water(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a station is silent: guesses of reference water 2.3, to be tuned."""

    silent_factor: Positive = 3.0  # of the station's own reporting step, and at least ..
    silent_min_s: Positive = 600.0
    silent_factor_in_rain: Positive = 2.0
    silent_min_in_rain_s: Positive = 300.0
    raining_mm_1h: Positive = 2.5  # at the gauge, or over the station's basin; less is light rain (WMO-No. 8)


class Sweeps(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    catchup_hours: Positive = 24.0  # minutes missed longer ago are jumped, with an incident
    revise_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 60  # how long a late minute may still be revised
    pipeline_late_s: Positive = 60.0  # the log's clock this far behind the wall is an alert
    blind_s: Positive = 60.0  # no source at all reports for so long: the pipeline is blind, no source is judged


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many days each kind of row is kept. Dropped daily, chunk by chunk."""

    observations_days: Annotated[int, msgspec.Meta(ge=2)] = 90
    minutes_days: Annotated[int, msgspec.Meta(ge=28)] = 90  # the forecast looks back three weeks
    snapshots_days: Annotated[int, msgspec.Meta(ge=2)] = 30
    raw_payload_days: Annotated[int, msgspec.Meta(ge=2)] = 30
    reports_days: Annotated[int, msgspec.Meta(ge=2)] = 14
    alert_events_days: Annotated[int, msgspec.Meta(ge=30)] = 1826
    readings_days: Annotated[int, msgspec.Meta(ge=2)] = 90  # of water, as their stations said them
    sums_days: Annotated[int, msgspec.Meta(ge=30)] = 1826  # of rain, and the rollups of readings
    deliveries_days: Annotated[int, msgspec.Meta(ge=2)] = 90  # that wait for nothing more


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bind: str = "127.0.0.1"
    public_url: str = ""  # what the discovery document calls us; empty: as the request says
    publisher_zh: str = "罗湖区智慧停车"
    publisher_en: str = "Luohu smart parking"
    licence: str = "CC-BY-4.0"
    licence_url: str = "https://creativecommons.org/licenses/by/4.0/"
    contact: str = "parking@luohu.example"
    requests_per_minute: int = 600  # per client address
    burst: int = 120
    trust_forwarded_for: bool = False
    history_days: int = 90
    dumps_dir: str = ""  # where daily dumps are kept; empty: a folder that goes with the process
    dumps_kept: Annotated[int, msgspec.Meta(ge=2)] = 14  # files; the oldest go first


class Webhooks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    sender: str = "citysense.luohu.example"  # in CAP: who says it, unique in the world
    heartbeat: bool = True  # every minute, to each endpoint that wants it


class Ops(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bind: str = "127.0.0.1"
    public_url: str = ""  # where an authority acknowledges; empty: this machine's own address


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One feed of one supplier: transport x decoder x topic. README says what each field does."""

    name: Name
    decoder: Name
    transport: Literal["http_poll", "http_push", "tcp", "mqtt", "modbus"]
    enabled: bool = True
    topic: str = "parking.observations"
    url: str = (
        ""  # mqtt://host:1883 (empty: the local stack's), mqtts://host:8883, modbus://host:502 for those transports
    )
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0  # tcp: where stations connect
    topics: tuple[str, ...] = ()  # mqtt: what is subscribed to
    username: str = ""  # mqtt: its password is the secret
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    cadence_s: Positive = 60.0
    offset_s: float = 0.0  # when in the source's minute the fresh figures are there
    page_param: str = ""  # "$skip": pages until one is short
    page_size: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    refs: tuple[str, ...] = ()  # one request per lot: {ref} in the url
    requests_per_s: Positive = 5.0
    allow_private_address: bool = False  # a polled host on a private network must be allowed
    secret: str = ""  # name in table `secret`, or of the environment variable CITYSENSE_SECRET_<NAME>
    auth: Literal["", "none", "header", "md5", "hmac_sha256"] = ""  # empty: as the format has it; none: anyone
    auth_header: str = ""  # "X-Key" or, with more than the secret in it, "Authorization: apikey {secret}"
    can_resend: bool = True  # of a push. false: what Kafka cannot take goes to the spool, as a poll's minute does
    time_zone: str = "Asia/Shanghai"
    time_basis: Literal["", "lot", "feed", "ingest"] = ""  # empty: as the decoder knows
    crs: str = "EPSG:4326"
    pools: dict[str, str] = {}  # their word for a pool -> ours; a word that is not here keeps the decoder's default
    authoritative: Literal["free", "occupied"] = "free"
    licence: str = ""  # SPDX, or the address of the terms; empty is published as NOASSERTION, never as ours
    attribution: str = ""
    attribution_url: str = ""
    options: dict[str, Any] = {}  # what only this decoder knows
