-- Sensors that are stuck, for the sweep over water. A minute sees what was received up to it, whatever is stored already.

-- name: words(asked, minute, by_itself)
-- The newest value of each series of the last day that nothing speaks against which a reading shows by itself (bits
-- `by_itself` of tests): what is judged of it by others, or later, does not count here. Of several words about one time
-- the newest one does.
select s.source, s.station, s.element, s.series_id, n.at, coalesce(w.value, n.value)
from jsonb_to_recordset(:asked::jsonb) as asked (source text, station text, element text)
join water_series as s on (s.source, s.station, s.element, s.code) = (asked.source, asked.station, asked.element, '')
cross join lateral (
    select at, value from water_reading
    where series_id = s.series_id and at > :minute::timestamptz - interval '1 day'
        and at <= :minute::timestamptz + interval '5 minutes' and received_at <= :minute
        and value is not null and tests & :by_itself = 0
    order by at desc limit 1
) as n
left join lateral (
    select value from water_revision
    where series_id = s.series_id and at = n.at and received_at <= :minute
        and value is not null and tests & :by_itself = 0
    order by received_at desc, value desc limit 1
) as w on true;

-- name: mark(lines, minute, since, until, by_itself, suspect, flat_line)
-- The readings of stuck lines are suspect. A worse flag stays; what is marked is not marked again.
update water_reading as r set flag = greatest(r.flag, :suspect::smallint), tests = r.tests | :flat_line::smallint
from jsonb_to_recordset(:lines::jsonb) as line (series_id integer, since timestamptz, until timestamptz,
    value double precision)
where r.series_id = line.series_id and r.at between line.since and line.until and r.at between :since and :until
    and r.received_at <= :minute and r.value = line.value
    and r.tests & :by_itself = 0 and r.tests & :flat_line::smallint = 0
returning r.series_id, r.at;
