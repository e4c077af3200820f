-- The ledger: how far each partition is applied, what went wrong, and what the platform knows of its sources.
-- depends:

create table stream_fence (
    topic        text        not null,
    partition    integer     not null,
    topic_id     text        not null,           -- Kafka's id of the topic: another id is another log
    next_offset  bigint      not null check (next_offset >= 0),
    clock        timestamptz,                    -- newest received_at applied: the only "now"
    updated_at   timestamptz not null default now(),
    primary key (topic, partition)
);
comment on table stream_fence is 'The next offset to apply of each partition, moved in the transaction that wrote its rows.';

create table stream_incident (
    incident_id  bigint generated always as identity primary key,
    at           timestamptz not null default now(),
    kind         text        not null check (kind in ('new_log', 'retention_gap', 'stopped', 'poison_stop', 'spool_full', 'pipeline_late')),
    topic        text        not null,
    partition    integer,
    first_offset bigint,
    last_offset  bigint,
    detail       text        not null,
    closed_at    timestamptz
);
comment on table stream_incident is 'What happened to a log that a person must know: a wiped Kafka, a lost range, a stop.';

create table dead_letter (
    letter_id    bigint generated always as identity primary key,
    at           timestamptz not null default now(),
    topic        text        not null,
    partition    integer     not null,
    kafka_offset bigint      not null,
    row_index    integer     not null,           -- -1: the whole record
    schema       text,
    source       text,
    received_at  timestamptz,
    reason       text        not null,
    detail       text        not null,
    raw          bytea       not null,
    raw_sha256   text,                           -- in raw_payload when the raw is longer than what travels
    state        text        not null default 'open' check (state in ('open', 'replayed', 'dropped')),
    replayed_at  timestamptz,
    replayed_by  text,
    unique (topic, partition, kafka_offset, row_index)
);
create index dead_letter_open on dead_letter (letter_id) where state = 'open';
create index dead_letter_reason on dead_letter (at desc, source, reason);

create table raw_payload (
    sha256       text        primary key,
    received_at  timestamptz not null,
    source       text        not null,
    bytes        integer     not null,
    body         bytea       not null            -- zlib
);
create index raw_payload_age on raw_payload (received_at);
comment on table raw_payload is 'Payloads whose rejects are longer than a Kafka row may be; kept 30 days.';

create table secret (
    name         text        not null,
    owner        text        not null,           -- the role that may read it
    ciphertext   bytea       not null,           -- Fernet, key from the environment
    changed_at   timestamptz not null default now(),
    primary key (owner, name)
);
alter table secret enable row level security;
create policy secret_of_role on secret using (owner = current_user);

create table action (
    action_id    uuid        primary key,
    at           timestamptz not null default now(),
    topic        text        not null,
    schema       text        not null,
    who          text        not null,
    why          text        not null,
    body         jsonb       not null,
    published_at timestamptz
);
create index action_waiting on action (at) where published_at is null;
comment on table action is 'Acts of people on their way into the log.';

create table job (
    job_id       uuid        primary key,
    asked_at     timestamptz not null default now(),
    asked_by     text        not null,
    kind         text        not null,
    params       jsonb       not null,
    state        text        not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
    progress     real        not null default 0,
    result       jsonb,
    finished_at  timestamptz
);

create table register_version (
    register     text        primary key,        -- parking
    version      bigint      not null default 0,
    changed_at   timestamptz not null default now()
);
insert into register_version (register) values ('parking');

create table source_health (
    source             text        primary key,
    received_at        timestamptz not null,     -- of the newest report applied
    first_report_at    timestamptz not null,
    polls              bigint      not null default 0,
    failures           bigint      not null default 0,
    rows               bigint      not null default 0,
    rejects            bigint      not null default 0,
    spooled            bigint      not null default 0,
    last_success_at    timestamptz,
    newest_observed_at timestamptz,
    cadence_s          real,
    error              text
);

create table alert (
    alert_id     uuid        primary key,        -- uuid5 of domain, kind, subject and the founding event
    domain       text        not null,           -- platform, parking, water, community
    kind         text        not null,           -- source_silent, pipeline_late, stream_stopped, ...
    subject      text        not null,
    level        smallint    not null check (level between 1 and 4),
    certainty    text        not null default 'observed',
    raised_at    timestamptz not null,
    ended_at     timestamptz,
    revision     integer     not null default 1,
    sentence_zh  text        not null,
    sentence_en  text        not null,
    detail       jsonb       not null default '{}'
);
create unique index alert_active on alert (domain, kind, subject) where ended_at is null;

create table alert_event (
    alert_id     uuid        not null,
    at           timestamptz not null,
    revision     integer     not null,
    change       text        not null check (change in ('raised', 'updated', 'ended')),
    level        smallint    not null,
    detail       jsonb       not null default '{}'
);
select create_hypertable('alert_event', 'at', chunk_time_interval => interval '1 day', create_default_indexes => false);
create unique index alert_event_key on alert_event (alert_id, revision, at);
