-- What the log said of water in a range of receipt, for a replay. Reads only.

-- name: series
-- What is judged by itself; `other` is only stored.
select source, station, element, series_id from water_series where code = '';

-- name: said(series, since, until, at_most)
-- Readings and what revised them, in the order in which they were received. A reading may be about a time long before
-- it came; more than ten days before nothing is asked again, and nothing is told.
select series_id, at, received_at, value, quality_source, flags
from (
    select 0 as word, series_id, at, received_at, value, quality_source, flags, null::bytea as digest
    from water_reading
    where series_id = any(:series::int[])
        and at >= :since::timestamptz - interval '10 days' and at < :until::timestamptz + interval '1 day'
        and received_at >= :since::timestamptz and received_at < :until::timestamptz
    union all
    select 1, series_id, at, received_at, value, quality_source, flags, digest
    from water_revision
    where series_id = any(:series::int[])
        and received_at >= :since::timestamptz and received_at < :until::timestamptz
) as said
order by received_at, word, series_id, at, digest
limit :at_most;

-- name: standing_since(kinds, at)$
-- The beginning of the oldest alert that stood then.
select min(raised_at) from alert
where domain = 'water' and kind = any(:kinds::text[]) and raised_at < :at and (ended_at is null or ended_at >= :at);
