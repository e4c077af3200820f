-- Rain and levels for the sweep. A minute sees what was received up to it, whatever is stored already.

-- name: series_of(sources, stations, elements)
-- The numbers of series; who never reported has none.
select s.source, s.station, s.element, s.series_id
from unnest(:sources::text[], :stations::text[], :elements::text[]) as asked (source, station, element)
join water_series as s using (source, station, element) where s.code = '';

-- name: revised(numbers, since, until)
-- The series that have another word about a time after `since`.
select distinct series_id from water_revision
where series_id = any(:numbers::int[]) and at > :since and at <= :until and received_at <= :until;

-- name: samples(numbers, since, received_after, until)
-- Good samples after `since` of each series, as columns in order of time (microseconds since 1970), and the earliest one
-- that is news.
select s.series_id, w.ats, w.vals, w.news_at
from unnest(:numbers::int[]) as s (series_id)
cross join lateral (
    select array_agg((extract(epoch from at) * 1000000)::bigint) as ats, array_agg(value) as vals,
        (extract(epoch from min(at) filter (where received_at > :received_after)) * 1000000)::bigint as news_at
    from (
        select at, received_at, value from water_reading
        where series_id = s.series_id and at > :since and at <= :until and received_at <= :until
            and flag = 1 and value is not null
        order by at
    ) as said
    having count(*) > 0
) as w
order by s.series_id;

-- name: revised_samples(numbers, since, received_after, until)
-- The same of series with several words about one time: the newest that has a value counts, as in the folds.
select s.series_id, w.ats, w.vals, w.news_at
from unnest(:numbers::int[]) as s (series_id)
cross join lateral (
    select array_agg((extract(epoch from at) * 1000000)::bigint order by at) as ats, array_agg(value order by at) as vals,
        (extract(epoch from min(at) filter (where newest > :received_after)) * 1000000)::bigint as news_at
    from (
        select distinct on (at) at, value, flag, max(received_at) over (partition by at) as newest
        from (
            select at, received_at, value, flag from water_reading
            where series_id = s.series_id and at > :since and at <= :until and received_at <= :until
            union all
            select at, received_at, value, flag from water_revision
            where series_id = s.series_id and at > :since and at <= :until and received_at <= :until
        ) as said
        order by at, value is null, received_at desc, value desc
    ) as word
    where flag = 1 and value is not null
    having count(*) > 0
) as w
order by s.series_id;

-- name: late(numbers, since, received_after, until)
-- What became known of times long past: the earliest of each series.
select series_id, min(at) from (
    select series_id, at from water_reading
    where received_at > :received_after and received_at <= :until and at > :since
        and received_at - at > interval '10 minutes'
    union all
    select series_id, at from water_revision
    where received_at > :received_after and received_at <= :until and at > :since
) as said
where series_id = any(:numbers::int[]) group by series_id order by series_id;

-- name: put_sums(subject, at, hours, mm, missing_share)!
-- Of gauges. A sum that came out the same again is not written again.
insert into rain_sum (subject, is_areal, at, hours, mm, missing_share)
select s.subject, false, s.at, s.hours, s.mm, s.missing_share
from unnest(:subject::text[], :at::timestamptz[], :hours::smallint[], :mm::double precision[], :missing_share::real[])
    as s (subject, at, hours, mm, missing_share)
on conflict (subject, is_areal, hours, at) do update set mm = excluded.mm, missing_share = excluded.missing_share
where (rain_sum.mm, rain_sum.missing_share) is distinct from (excluded.mm, excluded.missing_share);

-- name: put_means(subject, at, hours, mm, missing_share, missing)!
-- Of basins. `missing`: the gauges that are not in it, joined by unit separators.
insert into rain_sum (subject, is_areal, at, hours, mm, missing_share, missing)
select s.subject, true, s.at, s.hours, s.mm, s.missing_share, string_to_array(s.missing, e'\x1f')
from unnest(:subject::text[], :at::timestamptz[], :hours::smallint[], :mm::double precision[], :missing_share::real[],
    :missing::text[]) as s (subject, at, hours, mm, missing_share, missing)
on conflict (subject, is_areal, hours, at) do update
set mm = excluded.mm, missing_share = excluded.missing_share, missing = excluded.missing
where (rain_sum.mm, rain_sum.missing_share, rain_sum.missing)
    is distinct from (excluded.mm, excluded.missing_share, excluded.missing);

-- name: sums_at(subjects, at)
-- The sums of gauges at some times.
select subject, at, hours, mm, missing_share from rain_sum
where not is_areal and subject = any(:subjects::text[]) and at = any(:at::timestamptz[]) order by subject, at, hours;
