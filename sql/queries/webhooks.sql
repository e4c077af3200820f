-- name: endpoints
-- Who is to be told. A paused endpoint keeps what waits for it.
select endpoint_id, name, state from endpoint where state <> 'removed' order by endpoint_id;

-- name: endpoint(endpoint_id)^
-- One endpoint as it is now, with the secrets that sign, the newest first.
select e.endpoint_id, e.name, e.url, e.fallback_url, e.form, e.gb_prefix, e.state, e.gone_urls, e.failing_since,
    e.held_until, e.allowed::text[], e.ca_pem, now(),
    array(select s.ciphertext from endpoint_secret as s where s.endpoint_id = e.endpoint_id
        and (s.retires_at is null or s.retires_at > now()) order by s.secret_id desc limit 2)
from endpoint as e where e.endpoint_id = :endpoint_id;

-- name: due_lanes(endpoint_id, slots)
-- Lanes with something due that nobody has, the most dangerous first. Who gets a row holds its lock until the commit.
select l.alert_id
from delivery as d join delivery_lane as l using (endpoint_id, alert_id)
where d.endpoint_id = :endpoint_id and d.state = 'waiting' and d.next_at <= now() and d.expires_at > now()
    and (l.leased_until is null or l.leased_until <= now())
order by d.level desc, d.attempts, d.next_at
limit :slots for no key update of l skip locked;

-- name: lane(endpoint_id, alert_id)
-- Every revision of a lane, read after its lock is held.
select delivery_id, revision, state, kind, level, at, notice::text, attempts, attempts_before,
    first_attempt_at, last_url, next_at <= now()
from delivery where endpoint_id = :endpoint_id and alert_id = :alert_id order by revision;

-- name: supersede(delivery_ids, by)!
update delivery set state = 'superseded', superseded_by = :by
where delivery_id = any(:delivery_ids::uuid[]) and state = 'waiting';

-- name: lease(endpoint_id, alert_id, holder, lease_s)!
update delivery_lane set leased_by = :holder, leased_until = now() + make_interval(secs => :lease_s::double precision)
where endpoint_id = :endpoint_id and alert_id = :alert_id;

-- name: release(endpoint_id, alert_id, holder)!
update delivery_lane set leased_by = null, leased_until = null
where endpoint_id = :endpoint_id and alert_id = :alert_id and leased_by = :holder;

-- name: begin_attempt(delivery_id, url)$
-- Counted before it is made: a sender that dies has tried.
update delivery set attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, now()), last_url = :url
where delivery_id = :delivery_id returning attempts;

-- name: add_attempt(delivery_id, attempt, url, sender)!
insert into delivery_attempt (delivery_id, attempt, url, sender) values (:delivery_id, :attempt, :url, :sender);

-- name: end_attempt(delivery_id, attempt, status, outcome, detail)!
update delivery_attempt set finished_at = clock_timestamp(), status = :status, outcome = :outcome, detail = :detail
where delivery_id = :delivery_id and attempt = :attempt;

-- name: delivered(delivery_id)!
update delivery set state = 'delivered', delivered_at = coalesce(delivered_at, clock_timestamp()),
    superseded_by = null
where delivery_id = :delivery_id and state <> 'delivered';

-- name: try_again(delivery_id, wait_s)!
-- What would come after the end comes a second before it, once.
update delivery set next_at = case
    when clock_timestamp() + make_interval(secs => :wait_s::double precision) < expires_at
        then clock_timestamp() + make_interval(secs => :wait_s::double precision)
    when clock_timestamp() < expires_at - interval '2 seconds' then expires_at - interval '1 second'
    else expires_at end
where delivery_id = :delivery_id and state = 'waiting';

-- name: wait_until(delivery_id, until)!
-- Nowhere to send it to yet.
update delivery set next_at = :until where delivery_id = :delivery_id and state = 'waiting';

-- name: answers(endpoint_id)!
-- The first url gave a 2xx.
update endpoint set failing_since = null, held_until = null
where endpoint_id = :endpoint_id and (failing_since is not null or held_until is not null);

-- name: fails(endpoint_id)!
update endpoint set failing_since = now() where endpoint_id = :endpoint_id and failing_since is null;

-- name: hold(endpoint_id, wait_s)!
update endpoint set held_until = clock_timestamp() + make_interval(secs => :wait_s::double precision)
where endpoint_id = :endpoint_id;

-- name: gone(endpoint_id, url)^
-- A url is gone for good; when none is left the endpoint waits for a person. Null: it was known.
update endpoint set gone_urls = gone_urls || :url::text,
    state = case when (url = :url or url = any(gone_urls))
        and (fallback_url is null or fallback_url = :url or fallback_url = any(gone_urls)) then 'paused' else state end
where endpoint_id = :endpoint_id and state <> 'removed' and not :url = any(gone_urls)
returning name, state;

-- name: add_incident(endpoint_id, kind, delivery_id, detail)!
insert into endpoint_incident (endpoint_id, kind, delivery_id, detail)
values (:endpoint_id, :kind, :delivery_id, :detail);

-- name: next_due(endpoint_id)$
-- In how many seconds is there something to do? Null: nothing waits.
select extract(epoch from min(greatest(d.next_at, coalesce(l.leased_until, d.next_at))) - clock_timestamp())::float8
from delivery as d join delivery_lane as l using (endpoint_id, alert_id)
where d.endpoint_id = :endpoint_id and d.state = 'waiting' and d.expires_at > now();

-- name: expire
-- What nobody took in time, and nobody is sending now. An older revision that a newer one replaced is not missed.
update delivery as d set state = 'expired'
from delivery_lane as l
where l.endpoint_id = d.endpoint_id and l.alert_id = d.alert_id and d.state = 'waiting' and d.expires_at <= now()
    and (l.leased_until is null or l.leased_until <= now())
returning d.delivery_id, d.endpoint_id, d.kind, d.attempts,
    not exists (select 1 from delivery as n where n.endpoint_id = d.endpoint_id and n.alert_id = d.alert_id
        and n.revision > d.revision);

-- name: give_up(delivery_id)!
update delivery set state = 'expired' where delivery_id = :delivery_id and state = 'waiting';

-- name: number_of(prefix, alert_id, revision)^
select at, serial from bulletin_number where prefix = :prefix and alert_id = :alert_id and revision = :revision;

-- name: lock_numbers(prefix)$
-- One gives out numbers at a time.
select pg_advisory_xact_lock(1129595220, hashtext(:prefix));

-- name: numbers_from(prefix, at)
select at, serial from bulletin_number where prefix = :prefix and at >= :at order by at, serial;

-- name: give_number(prefix, at, serial, alert_id, revision)!
insert into bulletin_number (prefix, at, serial, alert_id, revision)
values (:prefix, :at, :serial, :alert_id, :revision);

-- name: beating
-- The endpoints that want a heartbeat.
select endpoint_id, domains, kinds, min_level from endpoint
where state = 'active' and heartbeat order by endpoint_id;

-- name: active_alerts(endpoint_id, domains, kinds, min_level)
-- What is active for an endpoint: what it was told of, and what it would be told of.
select alert_id, revision, level from alert as a
where ended_at is null and (
    exists (select 1 from delivery_lane as l where l.endpoint_id = :endpoint_id and l.alert_id = a.alert_id)
    or (level >= :min_level and (:domains::text[] = '{}' or domain = any(:domains::text[]))
        and (:kinds::text[] = '{}' or kind = any(:kinds::text[])))
)
order by level desc, raised_at, alert_id;

-- name: open_lane(endpoint_id, alert_id)!
insert into delivery_lane (endpoint_id, alert_id) values (:endpoint_id, :alert_id) on conflict do nothing;

-- name: put_delivery(delivery_id, endpoint_id, alert_id, revision, kind, level, at, notice, expire_s)!
insert into delivery (delivery_id, endpoint_id, alert_id, revision, kind, level, at, notice, expires_at)
values (:delivery_id, :endpoint_id, :alert_id, :revision, :kind, :level, :at, :notice::jsonb,
    now() + make_interval(secs => :expire_s::double precision))
on conflict do nothing;

-- name: wake(channel, payload)$
select pg_notify(:channel, :payload);

-- name: drop_heartbeats(older_than)!
-- Attempts go with them.
delete from delivery where kind = 'heartbeat' and created_at < :older_than;

-- name: missing
-- Alerts whose newest revision is not queued for an endpoint that it concerns: the endpoint is new, or was changed.
select e.endpoint_id, e.expire_s, a.alert_id, a.revision, a.domain, a.kind, a.subject, a.level, a.certainty, a.raised_at,
    a.ended_at, a.sentence_zh, a.sentence_en, a.detail,
    coalesce((select v.at from alert_event as v where v.alert_id = a.alert_id and v.revision = a.revision
        order by v.at desc limit 1), a.ended_at, a.raised_at) as at
from endpoint as e
join alert as a on a.ended_at is null or a.ended_at > now() - interval '1 day'
where e.state = 'active'
    and not exists (select 1 from delivery as d
        where d.endpoint_id = e.endpoint_id and d.alert_id = a.alert_id and d.revision >= a.revision)
    and (exists (select 1 from delivery_lane as l where l.endpoint_id = e.endpoint_id and l.alert_id = a.alert_id)
        or (a.ended_at is null and a.level >= e.min_level and (e.domains = '{}' or a.domain = any(e.domains))
            and (e.kinds = '{}' or a.kind = any(e.kinds))))
order by a.alert_id, e.endpoint_id;
