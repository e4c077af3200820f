-- Crossings and jumps that wait for confirmation.

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

-- name: drop_old(before)!
delete from water_doubt where closed_at < :before;
