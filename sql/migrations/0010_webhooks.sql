-- Alerts out: who is told, what waits to be sent, every attempt, and who has acknowledged.
-- depends: 0005_sweeps

create table endpoint (
    endpoint_id   uuid        primary key,
    name          text        not null,
    url           text        not null,
    fallback_url  text,                           -- taken when the first has given no 2xx for 30 s
    form          text        not null default 'cloudevent' check (form in ('cloudevent', 'cap')),
    gb_prefix     text        check (gb_prefix ~ '^[0-9]{6}[0-9A-Z]{8}$'),  -- ZZZZZZDDDUUUXX: identifiers as GB/T 35965 has them
    domains       text[]      not null default '{}',   -- empty: all
    kinds         text[]      not null default '{}',   -- empty: all
    min_level     smallint    not null default 1 check (min_level between 1 and 4),
    allowed       cidr[]      not null default '{}',   -- networks that are not public, on which it may be
    ca_pem        text,                           -- whose certificates it has; null: those of this machine
    expire_s      integer     not null default 86400 check (expire_s between 60 and 2592000),
    heartbeat     boolean     not null default true,
    state         text        not null default 'active' check (state in ('active', 'paused', 'removed')),
    gone_urls     text[]      not null default '{}',   -- have answered 410
    failing_since timestamptz,                    -- the first url: no 2xx since
    held_until    timestamptz,                    -- the first url: it asked to wait (429, 503)
    added_at      timestamptz not null default now(),
    added_by      text        not null
);
create unique index endpoint_name on endpoint (name) where state <> 'removed';
comment on table endpoint is 'Who is told about alerts. Never switched off by failures; 410 pauses it until a person has looked.';

create table endpoint_secret (
    secret_id    bigint generated always as identity primary key,
    endpoint_id  uuid        not null references endpoint,
    ciphertext   bytea       not null,            -- Fernet, key from the environment
    made_at      timestamptz not null default now(),
    retires_at   timestamptz                      -- after a rotation: so long both sign
);
create index endpoint_secret_of on endpoint_secret (endpoint_id, secret_id desc);

create table delivery_lane (
    endpoint_id  uuid        not null references endpoint,
    alert_id     uuid        not null,            -- of heartbeats: the endpoint's own id
    leased_by    text,
    leased_until timestamptz,
    primary key (endpoint_id, alert_id)
);
comment on table delivery_lane is 'The order of one alert at one endpoint: who leases it sends its newest revision, and nobody else does.';

create table delivery (
    delivery_id      uuid        primary key,     -- the webhook-id of all its attempts
    endpoint_id      uuid        not null,
    alert_id         uuid        not null,
    revision         integer     not null,        -- of heartbeats: the minute
    kind             text        not null check (kind in ('alert', 'exercise', 'test', 'heartbeat')),
    level            smallint    not null,        -- of heartbeats: 0
    at               timestamptz not null,        -- when the change was, by the log
    notice           jsonb       not null,        -- schemas/alerts.py
    created_at       timestamptz not null default now(),
    next_at          timestamptz not null default now(),
    expires_at       timestamptz not null,
    state            text        not null default 'waiting' check (state in ('waiting', 'delivered', 'superseded', 'expired')),
    attempts         integer     not null default 0,
    attempts_before  integer     not null default 0,   -- those before it was last queued: the waits begin anew
    first_attempt_at timestamptz,
    last_url         text,
    delivered_at     timestamptz,
    superseded_by    uuid,
    unique (endpoint_id, alert_id, revision),
    foreign key (endpoint_id, alert_id) references delivery_lane
);
create index delivery_waiting on delivery (endpoint_id, next_at) where state = 'waiting';
create index delivery_newest on delivery (endpoint_id, created_at desc);
create index delivery_heartbeats on delivery (created_at) where kind = 'heartbeat';
create index delivery_alert on delivery (alert_id, revision);
comment on table delivery is 'The outbox: a row for each revision of an alert and each endpoint, written in the transaction of the alert.';

create table delivery_attempt (
    delivery_id  uuid        not null references delivery on delete cascade,
    attempt      integer     not null,
    url          text        not null,
    sender       text        not null,
    started_at   timestamptz not null default clock_timestamp(),
    finished_at  timestamptz,                     -- null: under way, or the sender died and nobody knows
    status       integer,
    outcome      text        check (outcome in ('delivered', 'again', 'held', 'gone')),
    detail       text,
    primary key (delivery_id, attempt)
);

create table bulletin_number (
    prefix       text        not null,            -- ZZZZZZDDDUUUXX
    at           timestamptz not null,            -- a whole second
    serial       smallint    not null check (serial between 0 and 9),
    alert_id     uuid        not null,
    revision     integer     not null,
    primary key (prefix, at, serial),
    unique (prefix, alert_id, revision)
);
comment on table bulletin_number is 'Identifiers of GB/T 35965: a unit has ten in a second, so they are given out.';

create table endpoint_incident (
    incident_id  bigint generated always as identity primary key,
    endpoint_id  uuid        not null references endpoint,
    at           timestamptz not null default now(),
    kind         text        not null check (kind in ('gone', 'expired')),
    delivery_id  uuid,
    detail       text        not null,
    closed_at    timestamptz
);
create index endpoint_incident_open on endpoint_incident (endpoint_id) where closed_at is null;
comment on table endpoint_incident is 'What only a person can mend: an endpoint that is gone for good, an alert that nobody was told of in time.';

create unique index alert_acknowledged on action ((body ->> 'alert_id')) where schema = 'alert.acknowledged.v1';

create view alert_times as
select a.alert_id, a.domain, a.kind, a.subject, a.level, a.revision, a.raised_at, a.ended_at, e.name as endpoint,
    d.first_attempt_at, d.delivered_at, d.delivered_revision, d.waiting_revision,
    acknowledged.at as acknowledged_at, acknowledged.who as acknowledged_by
from alert as a
left join (
    select alert_id, endpoint_id, min(first_attempt_at) as first_attempt_at, min(delivered_at) as delivered_at,
        max(revision) filter (where state = 'delivered') as delivered_revision,
        max(revision) filter (where state = 'waiting') as waiting_revision
    from delivery where kind = 'alert' group by alert_id, endpoint_id
) as d on d.alert_id = a.alert_id
left join endpoint as e on e.endpoint_id = d.endpoint_id
left join action as acknowledged on acknowledged.schema = 'alert.acknowledged.v1'
    and acknowledged.body ->> 'alert_id' = a.alert_id::text;
comment on view alert_times is 'When each alert was raised, first delivered to each endpoint, and acknowledged.';

grant select on endpoint, endpoint_incident to citysense_streams;
grant select, insert on delivery_lane, delivery to citysense_streams;
grant select on alert, alert_event, endpoint, endpoint_secret, endpoint_incident, delivery_lane, delivery, delivery_attempt, bulletin_number
    to citysense_connectors;
grant update (state, gone_urls, failing_since, held_until) on endpoint to citysense_connectors;
grant insert on delivery_lane, delivery, delivery_attempt, bulletin_number, endpoint_incident to citysense_connectors;
grant update on delivery_lane, delivery, delivery_attempt to citysense_connectors;
grant delete on delivery to citysense_connectors;
grant delete on delivery_attempt to citysense_connectors;
grant select on endpoint, endpoint_secret, endpoint_incident, delivery_lane, delivery, delivery_attempt, bulletin_number,
    alert_times to citysense_ops;
