-- name: signers(name)
-- The secrets with which an endpoint signs now; of all of them when no name is given.
select e.endpoint_id, e.name,
    array(select s.ciphertext from endpoint_secret as s where s.endpoint_id = e.endpoint_id
        and (s.retires_at is null or s.retires_at > now()) order by s.secret_id desc limit 2)
from endpoint as e where e.state <> 'removed' and (:name::text = '' or e.name = :name::text)
order by e.name limit 100;

-- name: told(endpoint_id, alert_id)^
-- What this endpoint has been told of an alert: its domain, the first 2xx, when it was raised (null: an exercise).
select d.notice ->> 'domain', (select min(t.delivered_at) from delivery as t
        where t.endpoint_id = d.endpoint_id and t.alert_id = d.alert_id), a.raised_at
from delivery as d left join alert as a on a.alert_id = d.alert_id
where d.endpoint_id = :endpoint_id and d.alert_id = :alert_id and d.kind <> 'heartbeat'
order by d.revision desc limit 1;

-- name: acknowledge(action_id, topic, schema, who, why, body)!
-- The first one counts.
insert into action (action_id, topic, schema, who, why, body)
values (:action_id, :topic, :schema, :who, :why, :body::jsonb) on conflict do nothing;

-- name: acknowledgement(alert_id)^
select at, who, why, body ->> 'endpoint', (body ->> 'revision')::integer from action
where schema = 'alert.acknowledged.v1' and body ->> 'alert_id' = :alert_id;

-- name: alert_times(since)
-- When alerts were raised, delivered and acknowledged.
select alert_id, domain, kind, subject, level, raised_at, endpoint, first_attempt_at, delivered_at, acknowledged_at,
    acknowledged_by
from alert_times where raised_at >= :since order by raised_at, alert_id, endpoint;

-- name: storm()^
-- Up to which minute the sweep has looked for storms, and the newest minute of one that is kept.
select p.at, v.at, v.is_active, v.view from sweep_progress as p
left join lateral (select at, is_active, view from storm_view where at <= p.at order by at desc limit 1) as v on true
where p.sweep = 'storm';

-- name: basin_rain(as_of)
-- The newest means over basins of the hours by which a storm is known.
select b.basin_id, b.name_zh, b.name_en, r.hours, r.mm, r.missing_share, r.missing, r.at from basin as b
cross join unnest(array[1, 3, 6]::smallint[]) as asked (hours)
cross join lateral (
    select hours, mm, missing_share, missing, at from rain_sum
    where subject = b.basin_id and is_areal and hours = asked.hours
        and at > :as_of::timestamptz - interval '15 minutes' and at <= :as_of
    order by at desc limit 1
) as r
where exists (select from rain_weight as w where w.basin_id = b.basin_id)
order by b.basin_id, r.hours;

-- name: gauged_basins()
-- The basins whose rain is measured.
select basin_id, name_zh, name_en from basin as b
where exists (select from rain_weight as w where w.basin_id = b.basin_id) order by basin_id;
