-- Rain as it is summed by the sweep, and what officers are shown in a storm.
-- depends: 0012_water

-- What came late is found by the time it came: few rows, so next to nothing for the others.
create index water_reading_late on water_reading (received_at) where received_at - at > interval '10 minutes';
create index water_revision_received on water_revision (received_at);

create table storm_view (
    at           timestamptz primary key,        -- the minute of the log that it shows
    is_active    boolean     not null,           -- false: the minute in which the storm was over
    view         jsonb       not null            -- schemas/storm.py
);
comment on table storm_view is 'What crosses next, who is blind, what is closed first; each minute of a storm and the one that ends it.';

grant select, insert, update, delete on storm_view to citysense_streams;
grant select on storm_view, stream_fence to citysense_ops;
