-- name: health_of(sources)
-- What is known of these sources, to be moved on by their next reports.
select source, received_at, first_report_at, polls, failures, rows, rejects, spooled, last_success_at,
    newest_observed_at, cadence_s, error
from source_health where source = any(:sources);

-- name: put_health(sources, received_at, first_report_at, polls, failures, rows, rejects, spooled, last_success_at, newest_observed_at, cadence_s, error)!
-- The state after a take. An older report has been folded in already, so received_at only grows.
insert into source_health (source, received_at, first_report_at, polls, failures, rows, rejects, spooled,
    last_success_at, newest_observed_at, cadence_s, error)
select * from unnest(:sources::text[], :received_at::timestamptz[], :first_report_at::timestamptz[], :polls::bigint[],
    :failures::bigint[], :rows::bigint[], :rejects::bigint[], :spooled::bigint[], :last_success_at::timestamptz[],
    :newest_observed_at::timestamptz[], :cadence_s::real[], :error::text[])
on conflict (source) do update set received_at = excluded.received_at, first_report_at = excluded.first_report_at,
    polls = excluded.polls, failures = excluded.failures, rows = excluded.rows, rejects = excluded.rejects,
    spooled = excluded.spooled, last_success_at = excluded.last_success_at,
    newest_observed_at = excluded.newest_observed_at, cadence_s = excluded.cadence_s, error = excluded.error
where source_health.received_at <= excluded.received_at;

-- name: add_reports(sources, received_at, first_report_at, last_success_at, newest_observed_at, cadence_s)!
-- One row for each report that was the newest of its source: silence is judged at past minutes from these.
insert into source_report (source, received_at, first_report_at, last_success_at, newest_observed_at, cadence_s)
select * from unnest(:sources::text[], :received_at::timestamptz[], :first_report_at::timestamptz[],
    :last_success_at::timestamptz[], :newest_observed_at::timestamptz[], :cadence_s::real[])
on conflict (source, received_at) do update set
    last_success_at = greatest(source_report.last_success_at, excluded.last_success_at),
    newest_observed_at = greatest(source_report.newest_observed_at, excluded.newest_observed_at);

-- name: reports_at(at)
-- The newest report of each source up to an instant.
select h.source, r.received_at, r.first_report_at, r.last_success_at, r.newest_observed_at, r.cadence_s
from source_health as h
cross join lateral (
    select * from source_report where source = h.source and received_at <= :at order by received_at desc limit 1
) as r
order by h.source;

-- name: report_times(after, at)
-- When sources reported, all together, in order: holes are when the pipeline was blind.
select distinct received_at from source_report where received_at > :after and received_at <= :at order by received_at;

-- name: next_report(since)$
-- When the log speaks again.
select min(received_at) from source_report where received_at >= :since;

-- name: lots_by_source(at)
-- How many car parks hang on each source.
select source, count(distinct lot_id)::integer from lot_source
where valid_from <= :at and (valid_to is null or valid_to > :at) group by source;

-- name: progress(sweep)$
-- The newest instant that a sweep has judged.
select at from sweep_progress where sweep = :sweep;

-- name: put_progress(sweep, at)!
insert into sweep_progress (sweep, at) values (:sweep, :at) on conflict (sweep) do update set at = excluded.at;

-- name: clear_progress(sweep)!
delete from sweep_progress where sweep = :sweep;

-- name: clocks(topics)
-- How far each partition is applied, and its clock: the only now that there is.
select topic, partition, next_offset, clock from stream_fence where topic = any(:topics) order by topic, partition;

-- name: first_report()$
-- Where the silence sweep begins in a database that it has never judged.
select min(received_at) from source_report;

-- name: add_incident(kind, topic, detail)!
insert into stream_incident (kind, topic, detail) values (:kind, :topic, :detail);

-- name: add_stop(topic, detail)!
-- One open incident however often the process is started again and stops.
insert into stream_incident (kind, topic, detail) select 'stopped', :topic, :detail
where not exists (select from stream_incident where kind = 'stopped' and topic = :topic and closed_at is null);

-- name: close_stops(topic)!
update stream_incident set closed_at = now() where kind = 'stopped' and topic = :topic and closed_at is null;

-- name: drop_old_chunks(hypertable, older_than, at_most)$
select drop_old_chunks(:hypertable, :older_than, :at_most);

-- name: delete_old_payloads(older_than, at_most)!
delete from raw_payload where sha256 in (
    select sha256 from raw_payload where received_at < :older_than order by received_at limit :at_most
);

-- name: delete_old_revisions(older_than, at_most)!
delete from parking_revision where ctid = any(array(
    select ctid from parking_revision where at < :older_than limit :at_most
));

-- name: delete_old_runs(older_than, at_most)!
delete from parking_minute_run where (minute, revision) in (
    select minute, revision from parking_minute_run where minute < :older_than order by minute limit :at_most
);
