-- name: active(domain, kinds)
-- The alerts of these kinds that have not ended.
select alert_id, domain, kind, subject, level, certainty, raised_at, ended_at, revision, sentence_zh, sentence_en, detail
from alert where domain = :domain and kind = any(:kinds) and ended_at is null order by alert_id;

-- name: lock(alert_ids)
-- Rows that a transaction is about to change, in the order in which all writers take them.
select alert_id from alert where alert_id = any(:alert_ids::uuid[]) order by alert_id for update;

-- name: put(rows)
-- The states of alerts, of no two with the same subject, after a change of each; the revisions that they have now, under
-- which the changes are events. One that begins again under the id it had goes on with the next.
-- Not among them: what had ended in just this way before (two writers may say the same end), for that is no change.
with said as (
    select * from jsonb_to_recordset(:rows::jsonb) as row (alert_id uuid, domain text, kind text, subject text,
        level smallint, certainty text, raised_at timestamptz, ended_at timestamptz, revision integer, sentence_zh text,
        sentence_en text, detail jsonb, at timestamptz, change text)
), put as (
    insert into alert (alert_id, domain, kind, subject, level, certainty, raised_at, ended_at, revision, sentence_zh,
        sentence_en, detail)
    select alert_id, domain, kind, subject, level, certainty, raised_at, ended_at, revision, sentence_zh, sentence_en,
        detail
    from said
    on conflict (alert_id) do update set level = excluded.level, certainty = excluded.certainty,
        ended_at = excluded.ended_at, revision = greatest(excluded.revision, alert.revision + 1),
        sentence_zh = excluded.sentence_zh, sentence_en = excluded.sentence_en, detail = excluded.detail
    where alert.ended_at is null or (alert.ended_at, alert.level, alert.certainty, alert.sentence_zh,
        alert.sentence_en, alert.detail) is distinct from (excluded.ended_at, excluded.level, excluded.certainty,
        excluded.sentence_zh, excluded.sentence_en, excluded.detail)
    returning alert_id, revision
), told as (
    insert into alert_event (alert_id, at, revision, change, level, detail)
    select alert_id, s.at, put.revision, s.change, s.level, s.detail from put join said as s using (alert_id)
    on conflict do nothing
)
select alert_id, revision from put;

-- name: count_active
-- For the metrics.
select domain, kind, count(*)::integer from alert where ended_at is null group by domain, kind;

-- name: acknowledge(action_ids, alert_ids, ats, whos, endpoints, notes, revisions, receiveds)!
-- Acts in the order of the log. The first about an alert counts and is an event of it; a repeat changes nothing.
with said as (
    select * from unnest(:action_ids::uuid[], :alert_ids::uuid[], :ats::timestamptz[], :whos::text[], :endpoints::text[],
        :notes::text[], :revisions::integer[], :receiveds::timestamptz[])
        with ordinality as s (action_id, alert_id, at, who, endpoint, note, revision, received_at, place)
), counted as (
    insert into alert_acknowledgement (alert_id, action_id, acknowledged_at, acknowledged_by, endpoint, note, revision,
        received_at)
    select alert_id, action_id, at, who, endpoint, note, revision, received_at from said order by place
    on conflict (alert_id) do nothing returning *
)
insert into alert_event (alert_id, at, revision, change, level, detail)
select alert_id, acknowledged_at, revision, 'acknowledged', null, jsonb_build_object('action_id', action_id,
    'by', acknowledged_by, 'endpoint', endpoint, 'note', note)
from counted on conflict do nothing;
