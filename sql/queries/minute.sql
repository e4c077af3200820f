-- name: newest_run^
-- The newest minute that was computed, in its newest revision.
select minute, revision from parking_minute_run order by minute desc, revision desc limit 1;

-- name: run_at(minute)^
-- The newest revision of one minute.
select revision, is_late, content_seq, register_version from parking_minute_run where minute = :minute
order by revision desc limit 1;

-- name: run_before(minute)^
-- The newest revision of the newest minute before one.
select minute, revision from parking_minute_run where minute < :minute order by minute desc, revision desc limit 1;

-- name: content_seq(since)$
-- The greatest of the runs from `since` on: a revision of an older minute may hold it.
select coalesce(max(content_seq), 0) from parking_minute_run where minute >= :since;

-- name: late_minutes(since, before)
-- Minutes whose newest revision is late, and that the clock has passed since.
select minute from (
    select distinct on (minute) minute, is_late from parking_minute_run
    where minute >= :since and minute < :before order by minute, revision desc
) as newest
where is_late order by minute;

-- name: lots_at(minute, revision)
-- The lots of one minute in one revision, as they were published and with what the next minute needs.
select minute, lot_id, revision, status, status_since, opening_status, available, available_min, available_max, capacity,
    occupied, mode, observed_at, received_at, time_basis, freshness, age_s, quality_score, flags, trend, fill_per_min,
    ttf_min, ttf_min_low, ttf_min_high, thresholds::text, pools::text, share::text, forecast::text, last_known::text,
    reason, source, state::text
from parking_minute where minute = :minute and revision = :revision order by lot_id;

-- name: latest_observations(at)
-- The newest observation of each registered series that was received by `at`: an index lookup for each, walking back.
-- A series without any is there too, with nulls: a correction may be all that is known of it.
select s.series_id, s.source, s.ref, s.pool, o.at, o.observed_at, o.received_at, o.mode, o.free, o.occupied, o.capacity,
    o.in_count, o.out_count, o.inside, o.shared_in_use, o.held, o.free_max, o.percent_occupied, o.available,
    o.available_min, o.available_max, o.capacity_used, o.overflow, o.time_basis, o.source_status, o.flags
from lot_source as ls
join parking_series as s using (source, ref)
left join lateral (
    select * from parking_observation
    where series_id = s.series_id and received_at <= :at
    order by at desc limit 1
) as o on true
where ls.valid_from <= :at and (ls.valid_to is null or ls.valid_to > :at)
order by s.series_id;

-- name: observations_before(series_ids, before, at)
-- The same for series whose newest observation was taken back: the one before it.
select s.series_id, s.source, s.ref, s.pool, o.at, o.observed_at, o.received_at, o.mode, o.free, o.occupied, o.capacity,
    o.in_count, o.out_count, o.inside, o.shared_in_use, o.held, o.free_max, o.percent_occupied, o.available,
    o.available_min, o.available_max, o.capacity_used, o.overflow, o.time_basis, o.source_status, o.flags
from unnest(:series_ids::int[], :before::timestamptz[]) as asked (series_id, before)
join parking_series as s using (series_id)
left join lateral (
    select * from parking_observation
    where series_id = s.series_id and received_at <= :at and at < asked.before
    order by at desc limit 1
) as o on true
order by s.series_id;

-- name: revisions_since(series_ids, sinces, at)
-- What was said again, by `at`, about times from that of each series' newest observation on.
select r.series_id, r.observation::text, r.available, r.available_min, r.available_max, r.capacity_used, r.overflow, r.flags
from unnest(:series_ids::int[], :sinces::timestamptz[]) as asked (series_id, since)
cross join lateral (
    select * from parking_revision
    where series_id = asked.series_id and at >= coalesce(asked.since, '-infinity') and received_at <= :at
) as r
order by r.series_id, r.at, r.received_at, r.kind, r.digest;

-- name: recent(since, minute)
-- The counts of the last minutes before one, each in its newest revision, oldest first.
select lot_id, at, available, occupied from (
    select distinct on (lot_id, minute) lot_id, minute, coalesce(observed_at, received_at) as at, available, occupied
    from parking_minute
    where minute >= :since and minute < :minute
    order by lot_id, minute, revision desc
) as newest
where at is not null order by lot_id, minute;

-- name: unregistered(at)$
-- How many series report that no car park claims.
select count(*)::integer from parking_series as s
where s.first_seen <= :at and not exists (
    select from lot_source as ls where ls.source = s.source and ls.ref = s.ref
        and ls.valid_from <= :at and (ls.valid_to is null or ls.valid_to > :at)
);

-- name: learn_movement(day, zone)!
-- How often each count changed in each hour of a local day. A step longer than an hour says nothing of what moved in it.
insert into parking_movement (lot_id, day, hour_of_week, observed_s, changes)
select lot_id, :day, hour_of_week, sum(step_s), count(*) filter (where is_change)
from (
    select lot_id, extract(epoch from at - lag(at) over each_lot)::float8 as step_s,
        available <> lag(available) over each_lot as is_change,
        ((extract(isodow from at at time zone :zone) - 1) * 24 + extract(hour from at at time zone :zone))::smallint
            as hour_of_week
    from (
        select distinct on (lot_id, coalesce(observed_at, received_at)) lot_id,
            coalesce(observed_at, received_at) as at, available
        from parking_minute
        where minute >= :day::timestamp at time zone :zone and minute < (:day::date + 1)::timestamp at time zone :zone
            and mode = 'count' and available is not null
        order by lot_id, coalesce(observed_at, received_at), minute desc, revision desc
    ) as points
    window each_lot as (partition by lot_id order by at)
) as steps
where step_s <= 3600
group by lot_id, hour_of_week
on conflict do nothing;

-- name: movement(since, until)
-- The sums of some days, by car park and hour of the week, of those that were followed on a week of days at least.
select lot_id, hour_of_week, sum(observed_s), sum(changes)::integer from parking_movement
where day >= :since and day <= :until
    and lot_id in (select lot_id from parking_movement where day >= :since and day <= :until
        group by lot_id having count(distinct day) >= 7)
group by lot_id, hour_of_week;

-- name: forget_movement(before)!
delete from parking_movement where day < :before;

-- name: first_heard$
-- When any series was first heard of.
select min(first_seen) from parking_series;

-- name: first_minute$
select min(minute) from parking_minute_run;

-- name: register_version$
select version from register_version where register = 'parking';

-- name: add_run(minute, revision, clock, fences, register_version, content_seq, is_late, areas, quality)!
insert into parking_minute_run (minute, revision, clock, fences, register_version, content_seq, is_late, areas, quality)
values (:minute, :revision, :clock, :fences, :register_version, :content_seq, :is_late, :areas, :quality);

-- name: announce(payload)$
-- Heard by the feed when the transaction commits.
select pg_notify('parking_minute', :payload);
