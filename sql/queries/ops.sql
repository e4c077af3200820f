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
