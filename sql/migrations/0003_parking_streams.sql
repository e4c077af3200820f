-- Parking as it is observed, and as it is published each minute.
-- depends: 0002_parking_registers

create table parking_series (
    series_id    integer generated always as identity primary key,
    source       text        not null,
    ref          text        not null,
    pool         text        not null,
    first_seen   timestamptz not null,           -- received_at of its first row
    unique (source, ref, pool)
);
comment on table parking_series is 'Every (source, ref, pool) that ever reported; one that no lot_source row names is unregistered.';

create table parking_observation (
    series_id    integer     not null,
    at           timestamptz not null,           -- coalesce(observed_at, received_at)
    observed_at  timestamptz,
    received_at  timestamptz not null,
    mode         text        not null,
    free         integer,                        -- as the source gave it
    occupied     integer,
    capacity     integer,
    in_count     integer,
    out_count    integer,
    inside       integer,
    shared_in_use integer,
    held         integer,
    free_max     integer,
    percent_occupied double precision,
    available    integer,                        -- as clamped (streams/parking/availability.py)
    available_min integer,
    available_max integer,
    capacity_used integer,                       -- the capacity the clamp used: live, else the register's
    overflow     integer,
    time_basis   text        not null,
    source_status text,
    flags        text[],                         -- null when there are none
    raw_ref      text,
    raw_text     text
);
select create_hypertable('parking_observation', 'at', chunk_time_interval => interval '1 day', create_default_indexes => false);
create unique index parking_observation_key on parking_observation (series_id, at);

create table parking_revision (                  -- what came again for a time already stored: repeats, corrections, voids
    series_id    integer     not null,
    at           timestamptz not null,           -- the time it is about
    received_at  timestamptz not null,
    kind         text        not null check (kind in ('observe', 'correct', 'void')),
    digest       bytea       not null,           -- of the values: an identical repeat is no revision
    observation  jsonb       not null,           -- the whole row as it travelled
    available    integer,
    available_min integer,
    available_max integer,
    capacity_used integer,
    overflow     integer,
    flags        text[],
    primary key (series_id, at, received_at, kind, digest)
);

create table parking_minute (
    minute       timestamptz not null,
    lot_id       text        not null,
    revision     integer     not null default 1,
    status       text        not null check (status in ('open', 'almost_full', 'full', 'closed', 'unknown', 'withdrawn')),
    status_since timestamptz not null,
    opening_status text      not null check (opening_status in ('open', 'closed', 'unknown')),
    available    integer     check (available >= 0),
    available_min integer,
    available_max integer,
    capacity     integer,
    occupied     integer,
    mode         text,
    observed_at  timestamptz,
    received_at  timestamptz,
    time_basis   text,
    freshness    text        not null check (freshness in ('fresh', 'aging', 'stale', 'expired', 'dead', 'never')),
    age_s        integer,
    quality_score real       not null,
    flags        text[]      not null,
    trend        text,                           -- DATEX: increasingQuickly .. decreasingQuickly (of occupancy)
    fill_per_min real,
    ttf_min      integer,
    ttf_min_low  integer,
    ttf_min_high integer,
    thresholds   jsonb       not null,
    pools        jsonb       not null,           -- [{pool, available, capacity, status, observed_at, freshness, reason ...}]
    share        jsonb,                          -- null: the lot shares nothing
    forecast     jsonb,                          -- null: not served; {horizons: [...], score: ...}
    last_known   jsonb,
    reason       text,
    source       text,
    state        jsonb       not null,           -- what the next minute needs (dwell, movement, noise), not published
    check (available is null or capacity is null or available <= capacity)
);
select create_hypertable('parking_minute', 'minute', chunk_time_interval => interval '1 day', create_default_indexes => false);
create unique index parking_minute_key on parking_minute (lot_id, minute, revision);
create index parking_minute_page on parking_minute (minute, revision);

create table parking_minute_run (
    minute       timestamptz not null,
    revision     integer     not null,
    computed_at  timestamptz not null default now(),
    clock        timestamptz,                    -- least clock of the partitions
    fences       jsonb       not null,           -- {partition: next_offset} that it saw
    register_version bigint  not null,
    content_seq  bigint      not null,           -- grows only when a published value changed
    is_late      boolean     not null,           -- computed at minute + grace although a clock had not passed
    areas        jsonb       not null,           -- sums of the district and its subdistricts, with coverage
    quality      jsonb       not null,           -- the feed's own health
    primary key (minute, revision)
);

create table parking_forecast_score (
    lot_id       text        not null,
    horizon_min  smallint    not null,
    day          date        not null,
    n            integer     not null,
    error_model  double precision not null,      -- sum of absolute errors, spaces
    error_persistence double precision not null,
    covered      integer     not null default 0, -- of n, how often the truth lay within p10..p90
    primary key (lot_id, horizon_min, day)
);

create table feed_snapshot (
    minute       timestamptz not null,
    view         text        not null,           -- lot_status.json, lots.geojson, ...
    encoding     text        not null check (encoding in ('identity', 'gzip', 'br')),
    revision     integer     not null,
    etag         text        not null,
    content_type text        not null,
    modified_at  timestamptz not null,
    body         bytea       not null
);
select create_hypertable('feed_snapshot', 'minute', chunk_time_interval => interval '1 day', create_default_indexes => false);
create unique index feed_snapshot_key on feed_snapshot (view, encoding, minute, revision);
