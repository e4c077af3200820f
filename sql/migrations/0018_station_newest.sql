-- What had a station sent before a connector heard it? Without the right to read what it was.
-- depends: 0012_water

create function station_newest(asked jsonb, elements text[], longest interval)
returns table (source text, station text, newest_at timestamptz)
language plpgsql stable security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    span constant interval := least(longest, interval '31 days');
    earliest timestamptz;                        -- of all that are asked for: other chunks are not looked at
    latest timestamptz;
begin
    select min(a.before) - span, max(a.before) into earliest, latest from jsonb_to_recordset(asked) as a (before timestamptz);
    return query
    select a.source, a.station, max(coalesce(r.at, a.before - span))
    from jsonb_to_recordset(asked) as a (source text, station text, before timestamptz, heard_at timestamptz)
    join water_series as s
        on s.source = a.source and s.station = a.station and s.element = any(elements) and s.first_seen < a.heard_at
    left join lateral (
        select at from water_reading
        where series_id = s.series_id and at > earliest and at < latest and at > a.before - span and at < a.before
            and (flags is null or flags !~ '\m(clock|backfill)\M')
        order by at desc limit 1
    ) as r on true
    group by a.source, a.station;
end
$$;
comment on function station_newest is
    'The newest reading of stations before a time, of what they reported themselves by a clock that is believed. One that
was heard, but not for `longest` (at most 31 days), has the beginning of that; one that was never heard has no row.';
revoke all on function station_newest from public;
grant execute on function station_newest to citysense_connectors;
