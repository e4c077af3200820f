-- name: observations(since, until)
-- What the log said in a range of receipt, for a replay: registered or not, each as it was first stored.
select s.series_id, s.source, s.ref, s.pool, o.at, o.observed_at, o.received_at, o.mode, o.free, o.occupied, o.capacity,
    o.in_count, o.out_count, o.inside, o.shared_in_use, o.held, o.free_max, o.percent_occupied, o.available,
    o.available_min, o.available_max, o.capacity_used, o.overflow, o.time_basis, o.source_status, o.flags
from parking_observation as o
join parking_series as s using (series_id)
where o.at >= :since::timestamptz - interval '1 day' and o.at <= :until::timestamptz + interval '1 day'
    and o.received_at >= :since and o.received_at <= :until
order by o.received_at, s.series_id;

-- name: revisions(since, until)
-- And what was said again.
select observation::text from parking_revision where received_at >= :since and received_at <= :until
order by received_at, series_id, digest;
