-- Sums of readings (water_rollup) and which of them are due.

-- name: lock_clocks(topic)
-- Waits for the takes that are under way; the next ones wait until this transaction is over.
select partition, clock from stream_fence where topic = :topic order by partition for share;

-- name: add_due(step_min, bucket, slice)!
-- Buckets that closed, of all series, a slice of them a row.
insert into water_rollup_due (step_min, bucket, first_series, last_series)
select b.step_min, b.bucket, s.first, s.first + :slice::int - 1
from unnest(:step_min::smallint[], :bucket::timestamptz[]) as b (step_min, bucket)
cross join generate_series(1, (select max(series_id) from water_series), :slice::int) as s (first)
order by 1, 2, 3
on conflict do nothing;

-- name: buckets_until(until)
-- The buckets of 5 minutes that have readings: asked once, of a database whose readings were never summed.
select distinct date_bin('5 minutes', at, timestamptz '1970-01-01Z') as bucket
from water_reading where at < :until order by bucket;

-- name: take_due(at_most)
-- What is computed next. Marks are locked in the order of their key, as those are who set them.
select step_min, bucket, first_series, last_series from water_rollup_due
order by step_min, bucket, first_series, last_series limit :at_most for update;

-- name: drop_due(step_min, bucket, first, last)!
delete from water_rollup_due as d using unnest(:first::int[], :last::int[]) as done (first, last)
where d.step_min = :step_min and d.bucket = :bucket and d.first_series = done.first and d.last_series = done.last;

-- name: roll_readings(bucket, until, first, last)!
-- 5 minutes of readings. Of several words about one time the newest that has a value and is not coarse counts, as in the folds.
insert into water_rollup (series_id, step_min, bucket, n, sum, min, max, last_at, last, worst_flag, said)
select s.series_id, 5, :bucket, r.n, r.sum, r.min, r.max, r.last_at, r.last, r.worst_flag, r.said
from (
    select distinct w.series_id from water_series as w
    join unnest(:first::int[], :last::int[]) as due (first, last) on w.series_id between due.first and due.last
) as s
cross join lateral (
    select count(*) filter (where counts), sum(value) filter (where counts), min(value) filter (where counts),
        max(value) filter (where counts), max(at) filter (where counts),
        (array_agg(value order by at desc) filter (where counts))[1], max(flag), count(*)
    from (
        select distinct on (at) at, value, flag, value is not null and flag <> 4 as counts
        from (
            select at, received_at, value, flag, flags from water_reading
            where series_id = s.series_id and at >= :bucket and at < :until
            union all
            select at, received_at, value, flag, flags from water_revision
            where series_id = s.series_id and at >= :bucket and at < :until
        ) as said
        order by at, value is null, flags is not null and 'coarse' = any(string_to_array(flags, ',')), received_at desc,
            value desc
    ) as word
    having count(*) > 0
) as r (n, sum, min, max, last_at, last, worst_flag, said)
on conflict (series_id, step_min, bucket) do update set n = excluded.n, sum = excluded.sum, min = excluded.min,
    max = excluded.max, last_at = excluded.last_at, last = excluded.last, worst_flag = excluded.worst_flag,
    said = excluded.said
where water_rollup.said <= excluded.said;

-- name: roll_up(step_min, finer_min, bucket, until, first, last)!
-- Hours of their 5 minutes, days of their hours.
insert into water_rollup (series_id, step_min, bucket, n, sum, min, max, last_at, last, worst_flag, said)
select s.series_id, :step_min, :bucket, r.n, r.sum, r.min, r.max, r.last_at, r.last, r.worst_flag, r.said
from (
    select distinct w.series_id from water_series as w
    join unnest(:first::int[], :last::int[]) as due (first, last) on w.series_id between due.first and due.last
) as s
cross join lateral (
    select sum(n), sum(sum order by bucket), min(min), max(max), max(last_at),
        (array_agg(last order by bucket desc) filter (where n > 0))[1], max(worst_flag), sum(said)
    from water_rollup
    where series_id = s.series_id and step_min = :finer_min and bucket >= :bucket and bucket < :until
    having count(*) > 0
) as r (n, sum, min, max, last_at, last, worst_flag, said)
on conflict (series_id, step_min, bucket) do update set n = excluded.n, sum = excluded.sum, min = excluded.min,
    max = excluded.max, last_at = excluded.last_at, last = excluded.last, worst_flag = excluded.worst_flag,
    said = excluded.said
where water_rollup.said <= excluded.said;
