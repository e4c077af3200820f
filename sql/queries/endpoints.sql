-- name: add(endpoint_id, name, url, fallback_url, form, gb_prefix, domains, kinds, min_level, allowed, ca_pem, expire_s, heartbeat, added_by)!
insert into endpoint (endpoint_id, name, url, fallback_url, form, gb_prefix, domains, kinds, min_level, allowed, ca_pem,
    expire_s, heartbeat, added_by)
values (:endpoint_id, :name, :url, :fallback_url, :form, :gb_prefix, :domains, :kinds, :min_level, :allowed::cidr[],
    :ca_pem, :expire_s, :heartbeat, :added_by);

-- name: known(name)$
-- The id of an endpoint that has not been removed.
select endpoint_id from endpoint where name = :name and state <> 'removed';

-- name: add_secret(endpoint_id, ciphertext)$
insert into endpoint_secret (endpoint_id, ciphertext) values (:endpoint_id, :ciphertext) returning secret_id;

-- name: retire_secrets(endpoint_id, newest, overlap_s)!
-- The one before signs a while longer; any older one is over, so that there are never more than two.
update endpoint_secret as s set retires_at = case
    when s.secret_id = (select max(o.secret_id) from endpoint_secret as o
        where o.endpoint_id = s.endpoint_id and o.secret_id < :newest)
    then now() + make_interval(secs => :overlap_s::double precision) else now() end
where s.endpoint_id = :endpoint_id and s.secret_id < :newest and (s.retires_at is null or s.retires_at > now());

-- name: list
-- How each endpoint fares.
select e.name, e.state, e.form, e.url, e.fallback_url, e.failing_since, e.held_until, e.gone_urls,
    (select max(d.delivered_at) from delivery as d where d.endpoint_id = e.endpoint_id) as last_delivered_at,
    (select count(*)::integer from delivery as d where d.endpoint_id = e.endpoint_id and d.state = 'waiting'
        and d.kind <> 'heartbeat') as waiting,
    (select count(*)::integer from endpoint_incident as i where i.endpoint_id = e.endpoint_id and i.closed_at is null)
        as incidents,
    (select count(*)::integer from endpoint_secret as s where s.endpoint_id = e.endpoint_id
        and (s.retires_at is null or s.retires_at > now())) as secrets
from endpoint as e where e.state <> 'removed' order by e.name;

-- name: log(endpoint_id, heartbeats, at_most)
-- The newest deliveries of an endpoint, each with its last attempt, and whether somebody has its alert in hand.
select d.created_at, d.kind, d.notice ->> 'sentence_en', d.level, d.revision, d.state, d.attempts, d.delivered_at,
    a.started_at, a.url, a.status, a.outcome, a.detail, d.alert_id, d.delivery_id, k.acknowledged_at
from delivery as d
left join alert_acknowledgement as k on k.alert_id = d.alert_id
left join lateral (select * from delivery_attempt as t where t.delivery_id = d.delivery_id order by t.attempt desc limit 1)
    as a on true
where d.endpoint_id = :endpoint_id and (:heartbeats::boolean or d.kind <> 'heartbeat')
order by d.created_at desc, d.revision desc limit :at_most;

-- name: incidents(endpoint_id)
select at, kind, detail from endpoint_incident where endpoint_id = :endpoint_id and closed_at is null order by at;

-- name: replay(endpoint_id, since, alert_id, only_missed)
-- Queue the newest revision of each alert again, under its id: who has it already sees that by the id.
update delivery as d set state = 'waiting', next_at = now(), expires_at = now() + make_interval(secs => e.expire_s),
    attempts_before = d.attempts, first_attempt_at = null, last_url = null
from endpoint as e
where e.endpoint_id = d.endpoint_id and d.endpoint_id = :endpoint_id and d.kind = 'alert'
    and d.created_at >= :since::timestamptz and (:alert_id::uuid is null or d.alert_id = :alert_id::uuid)
    and d.state in ('delivered', 'expired') and (not :only_missed::boolean or d.state = 'expired')
    and not exists (select 1 from delivery as n where n.endpoint_id = d.endpoint_id and n.alert_id = d.alert_id
        and n.revision > d.revision)
returning d.delivery_id;

-- name: put_state(endpoint_id, state)!
-- Active again: nothing is known of how it fares.
update endpoint set state = :state, gone_urls = '{}', failing_since = null, held_until = null
where endpoint_id = :endpoint_id;

-- name: hurry(endpoint_id)!
update delivery set next_at = now(), attempts_before = attempts
where endpoint_id = :endpoint_id and state = 'waiting';

-- name: close_incidents(endpoint_id)!
update endpoint_incident set closed_at = now() where endpoint_id = :endpoint_id and closed_at is null;

-- name: outcome(delivery_id)^
-- What has come of a delivery so far.
select d.state, d.attempts, a.url, a.status, a.detail, extract(epoch from a.finished_at - a.started_at)::float8
from delivery as d
left join lateral (select * from delivery_attempt as t where t.delivery_id = d.delivery_id order by t.attempt desc limit 1)
    as a on true
where d.delivery_id = :delivery_id;
