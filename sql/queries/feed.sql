-- The published feed: what it reads of minutes, revisions and registers, and the bodies that all replicas serve.

-- name: newest_run^
-- The newest minute that is written whole, in its newest revision.
select minute, revision, computed_at, clock, fences, register_version, content_seq, is_late, areas, quality
from parking_minute_run order by minute desc, revision desc limit 1;

-- name: run_of(minute, revision)^
select minute, revision, computed_at, clock, fences, register_version, content_seq, is_late, areas, quality
from parking_minute_run where minute = :minute and revision = :revision;

-- name: run_as_of(minute, as_of)^
-- The newest revision of a minute that was known at an instant.
select minute, revision, computed_at, clock, fences, register_version, content_seq, is_late, areas, quality
from parking_minute_run where minute = :minute and computed_at <= :as_of order by revision desc limit 1;

-- name: runs_of_seq(content_seq, after, at_most)
-- The minutes that a client with this sequence number may have, newest first.
select minute, revision, computed_at, clock, fences, register_version, content_seq, is_late, areas, quality
from parking_minute_run where content_seq = :content_seq and minute > :after
order by minute desc, revision desc limit :at_most;

-- name: lots_of(minute, revision)
-- Every lot of a minute. jsonb comes as text: the contract decodes it.
select minute, lot_id, revision, status, status_since, opening_status, available, available_min, available_max,
    capacity, occupied, mode, observed_at, received_at, time_basis, freshness, age_s, quality_score, flags, trend,
    fill_per_min, ttf_min, ttf_min_low, ttf_min_high, thresholds::text, pools::text, share::text, forecast::text,
    last_known::text, reason, source
from parking_minute where minute = :minute and revision = :revision order by lot_id;

-- name: register_changed_at$
select changed_at from register_version where register = 'parking';

-- name: register_version$
select version from register_version where register = 'parking';

-- name: alerts_at(minute, since)
-- What was wrong at a minute, or had been since an instant.
select alert_id::text, kind, subject, level, certainty, raised_at, ended_at, sentence_zh, sentence_en
from alert
where domain in ('parking', 'platform') and raised_at <= :minute and (ended_at is null or ended_at > :since)
order by raised_at, alert_id;

-- name: snapshots(views, minute, revision)
-- The stored bodies of one minute.
select view, encoding, etag, content_type, modified_at, body
from feed_snapshot where view = any(:views) and minute = :minute and revision = :revision;

-- name: put_snapshots(views, encodings, minute, revision, etags, content_types, modified_at, bodies)!
-- The first replica's bodies stay; rows lie in one order, so two replicas wait for each other and do not deadlock.
insert into feed_snapshot (view, encoding, minute, revision, etag, content_type, modified_at, body)
select v.view, v.encoding, :minute, :revision, v.etag, v.content_type, :modified_at, v.body
from unnest(:views::text[], :encodings::text[], :etags::text[], :content_types::text[], :bodies::bytea[])
    as v (view, encoding, etag, content_type, body)
order by v.view, v.encoding
on conflict do nothing;

-- name: lot_exists(lot_id)$
select exists (select 1 from lot where lot_id = :lot_id);

-- name: history(lot_id, start, until, as_of)
-- Each minute of a lot in the newest revision that was known at an instant.
select distinct on (m.minute) m.minute, m.revision, m.status, m.available, m.capacity, m.occupied, m.freshness,
    m.observed_at, m.reason
from parking_minute m
join parking_minute_run r on r.minute = m.minute and r.revision = m.revision
where m.lot_id = :lot_id and m.minute >= :start and m.minute < :until and r.computed_at <= :as_of
order by m.minute, m.revision desc;

-- name: corrections(lot_id, pool, start, until, as_of)
-- What sources took back or said anew about a time, the newest word last.
select v.at, v.received_at, v.kind, v.available
from parking_revision v
join parking_series s on s.series_id = v.series_id
join lot_source l on l.source = s.source and l.ref = s.ref
    and l.valid_from <= v.at and (l.valid_to is null or v.at < l.valid_to)
where l.lot_id = :lot_id and s.pool = :pool and v.kind in ('correct', 'void') and v.at >= :start and v.at < :until
    and v.received_at <= :as_of
order by v.at, v.received_at;

-- name: minutes_between(start, until)
-- Every lot in every minute of a span, each in its newest revision: a piece of a daily dump.
select distinct on (m.minute, m.lot_id) m.minute, m.lot_id, m.revision, m.status, m.opening_status, m.available,
    m.available_min, m.available_max, m.capacity, m.occupied, m.mode, m.observed_at, m.received_at, m.time_basis,
    m.freshness, m.age_s, m.quality_score, m.flags, m.trend, m.reason, m.source
from parking_minute m
where m.minute >= :start and m.minute < :until
order by m.minute, m.lot_id, m.revision desc;

-- name: newest_minute$
select max(minute) from parking_minute_run;
