-- Rain and levels for the sweep. A minute sees what was received up to it, whatever is stored already.

-- name: series_of(sources, stations, elements)
-- The numbers of series; who never reported has none.
select s.source, s.station, s.element, s.series_id
from unnest(:sources::text[], :stations::text[], :elements::text[]) as asked (source, station, element)
join water_series as s using (source, station, element) where s.code = '';

-- name: samples(numbers, since, received_after, until)
-- Good samples after `since` of each series, in order, and whether they are news. Of several words about one time the
-- newest that has a value counts, as in the folds.
select s.series_id, w.at, w.value, w.is_news
from unnest(:numbers::int[]) as s (series_id)
cross join lateral (
    select distinct on (at) at, value, flag, max(received_at) over (partition by at) > :received_after as is_news
    from (
        select at, received_at, value, flag from water_reading
        where series_id = s.series_id and at > :since and at <= :until and received_at <= :until
        union all
        select at, received_at, value, flag from water_revision
        where series_id = s.series_id and at > :since and at <= :until and received_at <= :until
    ) as said
    order by at, value is null, received_at desc, value desc
) as w
where w.flag = 1 and w.value is not null
order by s.series_id, w.at;

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
