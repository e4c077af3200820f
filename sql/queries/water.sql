-- What the sweep over water reads and writes. A minute sees what was received up to it, whatever is stored already.
-- Many stations are asked for in one JSON array: that is read much faster than as many words of an array.

-- name: newest(asked, minute, since)
-- The newest reading of each series that has any after `since`, and its newest good one of the day before that. Of
-- several words about one time the newest that has a value counts. Only the chunks after `since` are looked at.
select s.source, s.station, s.element, n.at, n.received_at, n.flag, g.at, coalesce(w.value, g.value)
from jsonb_to_recordset(:asked::jsonb) as asked (source text, station text, element text)
join water_series as s on (s.source, s.station, s.element, s.code) = (asked.source, asked.station, asked.element, '')
cross join lateral (
    select at, received_at, flag from water_reading
    where series_id = s.series_id and at > :since and at <= :minute::timestamptz + interval '5 minutes'
        and received_at <= :minute
    order by at desc limit 1
) as n
left join lateral (
    select at, value from water_reading
    where series_id = s.series_id and at > :since::timestamptz - interval '1 day'
        and at <= :minute::timestamptz + interval '5 minutes' and at <= n.at and at > n.at - interval '1 day'
        and received_at <= :minute and flag = 1
    order by at desc limit 1
) as g on true
left join lateral (
    select value from water_revision
    where series_id = s.series_id and at = g.at and received_at <= :minute and flag = 1 and value is not null
    order by received_at desc, value desc limit 1
) as w on true;

-- name: heard(asked, minute)
-- When stations were last heard, by any of their series: also by one whose clock is ahead, or by what is an hour old.
select asked.source, asked.station, max(r.received_at)
from jsonb_to_recordset(:asked::jsonb) as asked (source text, station text)
join water_series as s using (source, station)
cross join lateral (
    select received_at from water_reading
    where series_id = s.series_id and at > :minute::timestamptz - interval '1 hour'
        and at <= :minute::timestamptz + interval '1 day' and received_at <= :minute
) as r
group by asked.source, asked.station;

-- name: raining(asked, minute)
-- The rain of the last hour, of gauges and over basins, as it was summed last.
select asked.subject, r.is_areal, r.mm
from jsonb_array_elements_text(:asked::jsonb) as asked (subject)
cross join (values (false), (true)) as kind (is_areal)
cross join lateral (
    select is_areal, mm from rain_sum
    where subject = asked.subject and is_areal = kind.is_areal and hours = 1
        and at > :minute::timestamptz - interval '10 minutes' and at <= :minute
    order by at desc limit 1
) as r
where r.mm is not null;

-- name: standing(minute)
-- Alerts of water as they stood at an instant of the log, and whether nothing was told of them since.
with later as (
    select distinct alert_id from alert_event where at > :minute and change <> 'acknowledged'
)
select a.alert_id, a.kind, a.subject, a.level, a.certainty, a.raised_at, a.revision, a.sentence_zh, a.sentence_en,
    a.detail, true
from alert as a
where a.domain = 'water' and a.ended_at is null and a.raised_at <= :minute
    and not exists (select from later where later.alert_id = a.alert_id)
union all
select a.alert_id, a.kind, a.subject, e.level, a.certainty, a.raised_at, e.revision, a.sentence_zh, a.sentence_en,
    e.detail, false
from later
join alert as a using (alert_id)
cross join lateral (
    select level, change, revision, detail from alert_event
    where alert_id = a.alert_id and at <= :minute and at > :minute::timestamptz - interval '30 days'
        and change <> 'acknowledged'
    order by at desc, revision desc limit 1
) as e
where a.domain = 'water' and e.change <> 'ended'
order by 1;

-- name: told(alert_ids, minute)
-- When these alerts were last told, and when somebody took them in hand.
select asked.alert_id, e.at, k.acknowledged_at
from unnest(:alert_ids::uuid[]) as asked (alert_id)
left join lateral (
    select max(at) as at from alert_event
    where alert_id = asked.alert_id and at <= :minute and at > :minute::timestamptz - interval '2 days'
        and change <> 'acknowledged'
) as e on true
left join alert_acknowledgement as k on k.alert_id = asked.alert_id and k.received_at <= :minute;

-- name: kept(asked)
-- What the folds remember of series that are not at rest.
select s.source, s.station, s.element, w.kept
from jsonb_to_recordset(:asked::jsonb) as asked (source text, station text, element text)
join water_series as s on (s.source, s.station, s.element, s.code) = (asked.source, asked.station, asked.element, '')
join water_state as w using (series_id);

-- name: first_reading()$
-- Where the sweep begins in a database that it has never judged.
select min(first_seen) from water_series;

-- name: register_version()$
select version from register_version where register = 'water';

-- name: hazards
-- The rows as they were written last.
select station_id, hazard, level, since, knowledge, knowledge_since, forecast_level, forecast_at, value, observed_at, state
from water_hazard;

-- name: is_element_heard(source, element, since)$
-- Whether any station of a source told an element of a time after `since`.
select exists (
    select from water_series as s
    where s.source = :source and s.element = :element
        and exists (select from water_reading as r where r.series_id = s.series_id and r.at > :since)
);

-- name: put_hazards(rows, at)!
insert into water_hazard (station_id, hazard, level, since, knowledge, knowledge_since, forecast_level, forecast_at,
    value, observed_at, state, updated_at)
select n.station_id, n.hazard, n.level, n.since, n.knowledge, n.knowledge_since, n.forecast_level, n.forecast_at,
    n.value, n.observed_at, n.state, :at
from jsonb_to_recordset(:rows::jsonb) as n (station_id text, hazard text, level smallint, since timestamptz,
    knowledge text, knowledge_since timestamptz, forecast_level smallint, forecast_at timestamptz,
    value double precision, observed_at timestamptz, state jsonb)
order by n.station_id, n.hazard
on conflict (station_id, hazard) do update set level = excluded.level, since = excluded.since,
    knowledge = excluded.knowledge, knowledge_since = excluded.knowledge_since, forecast_level = excluded.forecast_level,
    forecast_at = excluded.forecast_at, value = excluded.value, observed_at = excluded.observed_at,
    state = excluded.state, updated_at = excluded.updated_at;

-- name: drop_hazards(station_id, hazard)!
-- Of stations and thresholds that are no more.
delete from water_hazard where (station_id, hazard) in (select * from unnest(:station_id::text[], :hazard::text[]));

-- name: delete_old_words(older_than, at_most)!
-- What came again with other values.
delete from water_revision where ctid = any(array(
    select ctid from water_revision where at < :older_than limit :at_most
));

-- name: delete_old_tests(older_than, at_most)!
delete from water_test where test_id in (
    select test_id from water_test where received_at < :older_than order by test_id limit :at_most
);

-- name: delete_old_deliveries(older_than, at_most)!
-- What is waiting stays, however old it is.
delete from delivery where delivery_id in (
    select delivery_id from delivery where created_at < :older_than and state <> 'waiting' order by created_at
    limit :at_most
);
