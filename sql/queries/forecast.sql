-- name: samples(minutes)
-- Occupied spaces of every car park at these minutes; of several revisions the newest comes last.
select minute, lot_id, occupied from parking_minute
where minute = any(:minutes) and occupied is not null order by revision;

-- name: scores(since, before)
-- Sums over whole days: a day counts when it is over, so that a minute computed again sees the same.
select lot_id, horizon_min, sum(n)::integer, sum(error_model), sum(error_persistence), sum(covered)::integer
from parking_forecast_score where day >= :since and day < :before group by lot_id, horizon_min;

-- name: add_scores(lot_ids, horizons_min, days, errors_model, errors_persistence, covered)!
-- What was settled in this minute, added in the minute's own transaction: once.
insert into parking_forecast_score (lot_id, horizon_min, day, n, error_model, error_persistence, covered)
select lot_id, horizon_min, day, count(*), sum(error_model), sum(error_persistence), count(*) filter (where is_covered)
from unnest(:lot_ids::text[], :horizons_min::int[], :days::date[], :errors_model::float8[],
    :errors_persistence::float8[], :covered::bool[])
    as settled (lot_id, horizon_min, day, error_model, error_persistence, is_covered)
group by lot_id, horizon_min, day
on conflict (lot_id, horizon_min, day) do update set n = parking_forecast_score.n + excluded.n,
    error_model = parking_forecast_score.error_model + excluded.error_model,
    error_persistence = parking_forecast_score.error_persistence + excluded.error_persistence,
    covered = parking_forecast_score.covered + excluded.covered;

-- name: residents(minutes, lot_ids)
-- Cars that are not shared: all of them while nothing is shared, else without those that are known to share.
select minute, lot_id, residents from (
    select minute, lot_id, revision,
        occupied - case when share ->> 'state' = 'closed' then 0 else (share ->> 'in_use')::integer end as residents
    from parking_minute where minute = any(:minutes) and lot_id = any(:lot_ids)
) as seen
where residents is not null order by revision;
