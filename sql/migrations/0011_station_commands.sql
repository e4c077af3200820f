-- What is asked of stations: again for a period, for the value of now, to set the clock.
-- depends: 0005_sweeps

create table station_command (
    id           uuid        primary key,
    source       text        not null,
    station      text        not null,           -- the source's own id
    kind         text        not null check (kind in ('37', '38', '3A', '4A')),
    params       jsonb       not null default '{}',   -- 38: since, until, code, step_min; 3A: codes
    created      timestamptz not null default now(),
    expires_at   timestamptz not null,
    state        text        not null default 'waiting' check (state in ('waiting', 'sent', 'answered', 'failed', 'expired')),
    attempts     integer     not null default 0,
    sent_at      timestamptz,
    answered_at  timestamptz,
    result       jsonb
);
create index station_command_open on station_command (source, created) where state in ('waiting', 'sent');
create index station_command_of on station_command (source, station, created desc);
comment on table station_command is 'Questions to stations, sent by the connector that holds the session, answered in the row.';

create function notify_station_command() returns trigger language plpgsql as $$
begin
    perform pg_notify('station_command', new.source);
    return null;
end $$;
create trigger station_command_notify after insert on station_command for each row execute function notify_station_command();

grant select, insert on station_command to citysense_streams, citysense_connectors, citysense_ops;
grant update (state, attempts, sent_at, answered_at, result) on station_command to citysense_connectors;
