-- What sweeps need: the history of source reports (silence is judged at past minutes too), how far each sweep came, old chunks.
-- depends: 0004_roles

create table source_report (
    source             text        not null,
    received_at        timestamptz not null,
    first_report_at    timestamptz not null,
    last_success_at    timestamptz,
    newest_observed_at timestamptz,
    cadence_s          real
);
select create_hypertable('source_report', 'received_at', chunk_time_interval => interval '1 day', create_default_indexes => false);
create unique index source_report_key on source_report (source, received_at);
create index source_report_time on source_report (received_at);
comment on table source_report is 'What was known of a source after each of its reports; source_health is the newest of it.';

create table sweep_progress (
    sweep        text        primary key,        -- silence, revise, movement, retention
    at           timestamptz not null            -- the newest instant it has judged
);

create table parking_movement (
    lot_id       text        not null,
    day          date        not null,           -- local
    hour_of_week smallint    not null check (hour_of_week between 0 and 167),  -- local, Monday 00:00 first
    observed_s   double precision not null,      -- how long its count was followed in that hour
    changes      integer     not null,           -- and how often it changed
    primary key (day, lot_id, hour_of_week)
);
comment on table parking_movement is 'How lively each car park is, learned a day at a time: a count that stands still is judged by it.';

alter table stream_incident drop constraint stream_incident_kind_check;
alter table stream_incident add constraint stream_incident_kind_check check (kind in
    ('new_log', 'retention_gap', 'stopped', 'poison_stop', 'spool_full', 'pipeline_late', 'minute_gap'));

-- Chunks belong to the owner; streams may drop old ones of these tables, a few at a time, and never young ones.
create function drop_old_chunks(hypertable text, older_than timestamptz, at_most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    span timestamptz;
    dropped integer := 0;
begin
    if hypertable not in ('parking_observation', 'parking_minute', 'feed_snapshot', 'alert_event', 'source_report') then
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
revoke all on function drop_old_chunks from public;
grant execute on function drop_old_chunks to citysense_streams;

grant select, insert, update on source_report to citysense_streams;
grant select, insert, update, delete on sweep_progress to citysense_streams;
grant select, insert, delete on parking_movement to citysense_streams;
grant delete on parking_revision, parking_minute_run to citysense_streams;
grant select on source_report, sweep_progress, parking_movement to citysense_ops;
grant select on source_report to citysense_feed;
