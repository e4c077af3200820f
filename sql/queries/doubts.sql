-- Crossings and jumps that wait for confirmation, and samples that their own device doubts.

-- name: close(stations, elements, open, clock)!
-- What is no longer in doubt, of the series that a take changed.
update water_doubt set closed_at = :clock
where closed_at is null and not question_id = any(:open::uuid[]) and (station_id, element) in (
    select * from unnest(:stations::text[], :elements::text[])
);

-- name: keep(rows)!
insert into water_doubt (question_id, hazard, station_id, element, doubt, level, value, since, overdue_at, opened_at)
select question_id, hazard, station_id, element, doubt, level, value, since, overdue_at, opened_at
from jsonb_to_recordset(:rows::jsonb) as row (question_id uuid, hazard text, station_id text, element text, doubt text,
    level smallint, value double precision, since timestamptz, overdue_at timestamptz, opened_at timestamptz)
on conflict (question_id, hazard) do update set closed_at = null, level = excluded.level, value = excluded.value
where water_doubt.closed_at is not null or (water_doubt.level, water_doubt.value) <> (excluded.level, excluded.value);

-- name: open_at(minute)
-- As it was at an instant of the log.
select hazard, station_id, element, doubt, level, value, since, overdue_at from water_doubt
where opened_at <= :minute and (closed_at is null or closed_at > :minute)
order by station_id, hazard, since;

-- name: spoken(asked, since, minute)
-- Of each series the newest sample that is good by itself, or suspect by its device or its source; by its last word.
-- Whether it is, is settled when it comes (tests 1 gross_range, 16 device, 32 clock, 64 source): a flag may change since.
select s.source, s.station, s.element, n.at, n.value, n.tests & 80 <> 0, n.flags
from jsonb_to_recordset(:asked::jsonb) as asked (source text, station text, element text, since timestamptz)
join water_series as s on (s.source, s.station, s.element, s.code) = (asked.source, asked.station, asked.element, '')
cross join lateral (
    select r.at, word.value, word.tests, word.flags
    from water_reading as r
    cross join lateral (
        select r.value, r.flag, r.tests, r.flags, r.received_at
        union all
        select value, flag, tests, flags, received_at from water_revision
        where series_id = r.series_id and at = r.at and received_at <= :minute
        order by received_at desc, value desc nulls last limit 1
    ) as word
    where r.series_id = s.series_id and r.at >= :since and r.at >= asked.since
        and r.at <= :minute::timestamptz + interval '5 minutes' and r.received_at <= :minute
        and word.value is not null
        and (word.tests & 113 = 0 or (word.flag = 3 and word.tests & 33 = 0))
    order by r.at desc limit 1
) as n;

-- name: drop_old(before)!
delete from water_doubt where closed_at < :before;
