-- name: endpoints
-- Everybody who may have to be told; a paused one is told when a person has mended it.
select endpoint_id, domains, kinds, min_level, expire_s from endpoint where state <> 'removed' order by endpoint_id;

-- name: told(alert_ids)
-- Which endpoints have heard of these alerts.
select endpoint_id, alert_id from delivery_lane where alert_id = any(:alert_ids::uuid[]);

-- name: open_lanes(endpoint_ids, alert_ids)!
insert into delivery_lane (endpoint_id, alert_id)
select distinct * from unnest(:endpoint_ids::uuid[], :alert_ids::uuid[]) order by 2, 1
on conflict do nothing;

-- name: put_deliveries(delivery_ids, endpoint_ids, alert_ids, revisions, levels, ats, notices, expire_s)!
-- One row for each endpoint and revision, once.
insert into delivery (delivery_id, endpoint_id, alert_id, revision, kind, level, at, notice, expires_at)
select new.delivery_id, new.endpoint_id, new.alert_id, new.revision, 'alert', new.level, new.at, new.notice::jsonb,
    now() + make_interval(secs => new.expire_s)
from unnest(:delivery_ids::uuid[], :endpoint_ids::uuid[], :alert_ids::uuid[], :revisions::integer[],
    :levels::smallint[], :ats::timestamptz[], :notices::text[], :expire_s::integer[])
    as new (delivery_id, endpoint_id, alert_id, revision, level, at, notice, expire_s)
on conflict do nothing;

-- name: wake(channel, payload)$
-- When this transaction commits, the sender of that endpoint looks.
select pg_notify(:channel, :payload);

-- name: reach
-- How each endpoint can be reached now.
select e.name, e.failing_since, e.state = 'paused',
    (select min(i.at) from endpoint_incident as i
        where i.endpoint_id = e.endpoint_id and i.kind = 'gone' and i.closed_at is null),
    case when e.failing_since is not null or e.gone_urls <> '{}' then (select max(d.delivered_at) from delivery as d
        where d.endpoint_id = e.endpoint_id and d.created_at > now() - interval '1 day') end
from endpoint as e where e.state <> 'removed' order by e.name;
