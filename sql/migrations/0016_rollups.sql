-- Sums of readings: which of them are to be computed.
-- depends: 0012_water

create table water_rollup_due (
    step_min     smallint    not null check (step_min in (5, 60, 1440)),
    bucket       timestamptz not null,
    first_series integer     not null,
    last_series  integer     not null,
    primary key (step_min, bucket, first_series, last_series),
    check (first_series <= last_series)
);
comment on table water_rollup_due is 'Buckets that closed (of many series), or whose readings changed after that (of one). Gone when computed.';
alter table water_rollup add column said integer not null check (said >= n);
comment on column water_rollup.said is 'Times of which there is a reading, good or not. It only grows: what retention dropped is not summed again.';
comment on table water_rollup is 'Closed buckets, computed from the readings; computed again when one of these comes late or is judged anew.';

-- Written in the transaction of the readings. The update locks a mark that is there already, so that whoever takes it
-- sees these readings too.
grant select, insert, update, delete on water_rollup_due to citysense_streams;
grant select on water_rollup_due to citysense_ops;
