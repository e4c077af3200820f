-- Water: its registers, and what its stations said, as it was judged.
-- depends: 0011_station_commands

-- What is known without a sensor (schemas/water_registers.py). Dated and versioned as parking's registers are.

create table basin (
    basin_id     text        primary key,
    name_zh      text        not null,
    name_en      text        not null,
    parent_id    text        references basin deferrable initially deferred
);

create table station (
    station_id   text        not null,
    version      integer     not null,
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    source       text        not null,
    station      text        not null,           -- the source's own id
    name_zh      text        not null,
    name_en      text        not null,
    kind         text        not null check (kind in ('river', 'reservoir', 'pipe_node', 'street', 'underpass', 'rain', 'pump', 'sluice')),
    lat          double precision not null check (lat between -90 and 90),
    lon          double precision not null check (lon between -180 and 180),
    subdistrict_code text,
    basin_id     text        references basin,
    element      text        not null,           -- by which its hazard is judged
    datum        text        not null default '',
    reference_value_m double precision,          -- SL 651: relative levels are above this
    cadence_s    double precision not null check (cadence_s > 0),
    range_low    double precision,               -- of the judged element; outside it is a fault of the sensor
    range_high   double precision,
    rate_limit_per_min double precision check (rate_limit_per_min > 0),
    noise_p99    double precision not null check (noise_p99 >= 0),
    flat_line_min double precision not null check (flat_line_min > 0),
    day_start    text        not null,           -- local; when its daily counters reset
    centre       integer,                        -- SL 651: another centre is refused
    may_query    boolean     not null default false,
    may_set_clock boolean    not null default false,
    gateway      text,                           -- stations behind one gateway fall silent together
    underpass_priority integer,
    withdrawn_at timestamptz,
    primary key (station_id, version),
    check (range_low < range_high)
);
create index station_of_source on station (source, station);

create table sensor_height (                     -- deployments of a downward-looking sensor: level = height - distance
    station_id   text        not null,
    height_m     double precision not null,
    lowest_point_m double precision not null default 0,
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    primary key (station_id, valid_from)
);

create table threshold (
    station_id   text        not null,
    hazard       text        not null check (hazard in ('flood', 'surcharge', 'ponding', 'rain', 'reversal', 'blockage')),
    element      text        not null,           -- rain_sum_3h_mm: a sum over the gauge's own counts
    level        text        not null check (level in ('blue', 'yellow', 'orange', 'red')),
    version      integer     not null,
    "on"         double precision not null,
    off          double precision not null,
    confirm      integer     not null check (confirm >= 0),  -- further good samples needed beside the first
    confirm_max_s double precision not null check (confirm_max_s >= 0),
    hold_min     double precision not null check (hold_min >= 0),
    source       text        not null check (source <> ''),  -- the document that it comes from
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    primary key (station_id, hazard, element, level, version),
    check (off <= "on")
);

create table pipe_node (
    node_id      text        primary key,
    station_id   text,
    invert_m     double precision not null,      -- all in the district's datum
    crown_m      double precision not null,
    ground_m     double precision not null,
    lat          double precision not null check (lat between -90 and 90),
    lon          double precision not null check (lon between -180 and 180),
    check (invert_m <= crown_m and crown_m <= ground_m)
);

create table pipe_edge (
    edge_id      text        primary key,
    upstream     text        not null references pipe_node,
    downstream   text        not null references pipe_node,
    diameter_m   double precision check (diameter_m > 0),
    check (upstream <> downstream)
);

create table neighbour (
    station_id   text        not null,
    neighbour_id text        not null,
    kind         text        not null check (kind in ('upstream', 'downstream', 'near', 'rain')),
    primary key (station_id, neighbour_id),
    check (station_id <> neighbour_id)
);

create table rain_weight (
    basin_id     text        not null references basin,
    station_id   text        not null,
    weight       double precision not null check (weight between 0 and 1),
    primary key (basin_id, station_id)
);
comment on table rain_weight is 'The share of a gauge in the areal mean of a basin; the shares of a basin sum to 1.';

insert into register_version (register) values ('water');

-- What stations said.

create table water_series (
    series_id    integer generated always as identity primary key,
    source       text        not null,
    station      text        not null,
    element      text        not null,
    code         text        not null default '',  -- of element other: what it is at its source
    first_seen   timestamptz not null,           -- received_at of its first reading
    unique (source, station, element, code)
);
comment on table water_series is 'Every (source, station, element) that ever reported; one that no station row names is unregistered.';

create table water_reading (
    series_id    integer     not null,
    at           timestamptz not null,           -- observed_at
    received_at  timestamptz not null,
    value        double precision,               -- as the station said it; null: it said that it has none
    quality_source smallint  not null,           -- what the source says of it, in QARTOD's numbers
    flag         smallint    not null,           -- what we say: QARTOD 1 good, 2 unknown, 3 suspect, 4 fail, 9 missing
    tests        smallint    not null,           -- which tests spoke: water_tests(tests) names them
    flags        text,                           -- the source's words, joined by commas
    raw_ref      text
);
select create_hypertable('water_reading', 'at', chunk_time_interval => interval '1 day', create_default_indexes => false);
create unique index water_reading_key on water_reading (series_id, at);

create table water_revision (                    -- what came again with other values for a time already stored
    series_id    integer     not null,
    at           timestamptz not null,           -- the time it is about
    received_at  timestamptz not null,
    digest       bytea       not null,           -- of the values: an identical repeat is no revision
    value        double precision,
    quality_source smallint  not null,
    flag         smallint    not null,
    tests        smallint    not null,
    flags        text,
    raw_ref      text,
    primary key (series_id, at, received_at, digest)
);

create function water_tests(tests smallint) returns text[] language sql immutable parallel safe as $$
    select array(
        select name from unnest(
            array['gross_range', 'rate_of_change', 'spike', 'flat_line', 'device', 'clock', 'source', 'neighbour']
        ) with ordinality as known (name, place)
        where tests & (1 << (place - 1)::integer) <> 0 order by place
    )
$$;
comment on function water_tests is 'The names of the tests that spoke, QARTOD''s where it has one.';

create table water_state (                       -- what the folds must know after a restart, beside the readings
    series_id    integer     primary key,
    kept         bytea       not null,           -- MessagePack, streams/water/series.py
    updated_at   timestamptz not null            -- the log's clock
);
comment on table water_state is 'Series that are not at rest. Written in the transaction that moves the fence.';

create table water_hazard (                      -- danger and knowledge of an asset: two states that never mix
    station_id   text        not null,
    hazard       text        not null,
    level        smallint    not null check (level between 0 and 4),
    since        timestamptz,
    knowledge    text        not null default 'ok' check (knowledge in ('ok', 'suspect', 'stale', 'offline')),
    knowledge_since timestamptz,
    forecast_level smallint  not null default 0 check (forecast_level between 0 and 4),
    forecast_at  timestamptz,                    -- when the forecast level is reached
    value        double precision,               -- newest good value as it is judged
    observed_at  timestamptz,
    state        jsonb       not null default '{}',
    updated_at   timestamptz not null,           -- the log's clock
    primary key (station_id, hazard)
);

create table water_test (                        -- test reports (SL 651 function 30): never readings
    test_id      bigint generated always as identity primary key,
    source       text        not null,
    station      text        not null,
    observed_at  timestamptz,
    received_at  timestamptz not null,
    serial       integer,
    elements     jsonb       not null default '{}',
    raw_ref      text
);
create index water_test_of on water_test (source, station, received_at desc);

create table rain_sum (                          -- of a gauge, or the areal mean of a basin
    subject      text        not null,           -- station_id or basin_id
    is_areal     boolean     not null,
    at           timestamptz not null,           -- the end of the hours
    hours        smallint    not null check (hours in (1, 3, 6, 12, 24)),
    mm           double precision,               -- null: nothing is known
    missing_share real       not null check (missing_share between 0 and 1),
    missing      text[],                         -- of a mean: the gauges that are not in it
    primary key (subject, is_areal, hours, at)
);
select create_hypertable('rain_sum', 'at', chunk_time_interval => interval '1 day', create_default_indexes => false);

create table water_rollup (
    series_id    integer     not null,
    step_min     smallint    not null check (step_min in (5, 60, 1440)),
    bucket       timestamptz not null,           -- its start; days are local
    n            integer     not null check (n >= 0),
    sum          double precision,               -- of values that did not fail; null: there is none
    min          double precision,
    max          double precision,
    last_at      timestamptz,
    last         double precision,
    worst_flag   smallint    not null
);
select create_hypertable('water_rollup', 'bucket', chunk_time_interval => interval '7 days', create_default_indexes => false);
create unique index water_rollup_key on water_rollup (series_id, step_min, bucket);
comment on table water_rollup is 'Written as deltas in the transaction of the readings, so exact under late data and corrections.';

-- Old chunks: the function of 0005, and the tables of water.
create or replace function drop_old_chunks(hypertable text, older_than timestamptz, at_most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    span timestamptz;
    dropped integer := 0;
begin
    if hypertable not in ('parking_observation', 'parking_minute', 'feed_snapshot', 'alert_event', 'source_report',
        'water_reading', 'water_rollup', 'rain_sum') then
        raise exception '% is not kept by sweeps', hypertable using errcode = 'invalid_parameter_value';
    end if;
    if older_than > now() - interval '1 day' then
        raise exception 'chunks of the last day are not dropped' using errcode = 'invalid_parameter_value';
    end if;
    for span in
        select c.range_end from timescaledb_information.chunks as c
        where c.hypertable_schema = 'public' and c.hypertable_name = hypertable and c.range_end <= older_than
        order by c.range_end limit at_most
    loop
        perform drop_chunks(hypertable::regclass, older_than => span);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

grant select on station, sensor_height, threshold, pipe_node, pipe_edge, basin, neighbour, rain_weight
    to citysense_streams, citysense_connectors, citysense_ops;
grant select, insert on threshold to citysense_streams;           -- an edited threshold is a new version
grant update (valid_to) on threshold to citysense_streams;
grant select, insert on water_series, water_revision, water_test to citysense_streams;
grant select, insert on water_reading to citysense_streams;
grant update (flag, tests) on water_reading to citysense_streams;  -- a held sample is judged by the next; values never change
grant select, insert, update, delete on water_state, water_hazard to citysense_streams;
grant select, insert, update on rain_sum, water_rollup to citysense_streams;
grant delete on water_revision, water_test to citysense_streams;
grant select on water_series, register_version to citysense_connectors;
grant select on water_series, water_reading, water_revision, water_hazard, water_test, rain_sum, water_rollup, water_state
    to citysense_ops;
