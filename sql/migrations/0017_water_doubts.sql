-- What would be an alert if it were confirmed: crossings and jumps that wait for their next sample.
-- depends: 0012_water

create table water_doubt (
    question_id  uuid        not null,
    hazard       text        not null,
    station_id   text        not null,
    element      text        not null,
    doubt        text        not null check (doubt in ('crossing', 'jump')),
    level        smallint    not null check (level between 1 and 4),  -- that would be raised
    value        double precision not null,
    since        timestamptz not null,           -- the sample that is to be confirmed
    overdue_at   timestamptz,                    -- from then on it has waited too long; null: its threshold says no end
    opened_at    timestamptz not null,           -- the log's clock, as is the next
    closed_at    timestamptz,
    primary key (question_id, hazard)
);
create index water_doubt_open on water_doubt (station_id) where closed_at is null;
create index water_doubt_closed on water_doubt (closed_at) where closed_at is not null;
comment on table water_doubt is 'Written by the folds; told by the sweep when it is overdue or a neighbour bears it out.';

grant select, insert, update, delete on water_doubt to citysense_streams;
grant select on water_doubt to citysense_ops;
