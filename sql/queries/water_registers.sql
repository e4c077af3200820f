-- The water register: read whole by workers, written in versions by the loader.

-- name: basins
select basin_id, name_zh, name_en, parent_id from basin order by basin_id;

-- name: stations
select station_id, version, valid_from, valid_to, source, station, name_zh, name_en, kind, lat, lon, subdistrict_code,
       basin_id, element, datum, reference_value_m, cadence_s, range_low, range_high, rate_limit_per_min, noise_p99,
       flat_line_min, day_start, centre, may_query, may_set_clock, gateway, underpass_priority, withdrawn_at
from station order by station_id, version;

-- name: heights
select station_id, height_m, lowest_point_m, valid_from, valid_to from sensor_height order by station_id, valid_from;

-- name: thresholds
select station_id, hazard, element, level, version, "on", off, confirm, confirm_max_s, hold_min, source, valid_from, valid_to
from threshold order by station_id, hazard, element, level, version;

-- name: nodes
select node_id, station_id, invert_m, crown_m, ground_m, lat, lon from pipe_node order by node_id;

-- name: edges
select edge_id, upstream, downstream, diameter_m from pipe_edge order by edge_id;

-- name: neighbours
select station_id, neighbour_id, kind from neighbour order by station_id, neighbour_id;

-- name: rain_weights
select basin_id, station_id, weight from rain_weight order by basin_id, station_id;

-- name: upsert_basins*!
insert into basin (basin_id, name_zh, name_en, parent_id) values (:basin_id, :name_zh, :name_en, :parent_id)
on conflict (basin_id) do update
set name_zh = excluded.name_zh, name_en = excluded.name_en, parent_id = excluded.parent_id;

-- name: insert_stations*!
insert into station (station_id, version, valid_from, valid_to, source, station, name_zh, name_en, kind, lat, lon,
    subdistrict_code, basin_id, element, datum, reference_value_m, cadence_s, range_low, range_high, rate_limit_per_min,
    noise_p99, flat_line_min, day_start, centre, may_query, may_set_clock, gateway, underpass_priority, withdrawn_at)
values (:station_id, :version, :valid_from, :valid_to, :source, :station, :name_zh, :name_en, :kind, :lat, :lon,
    :subdistrict_code, :basin_id, :element, :datum, :reference_value_m, :cadence_s, :range_low, :range_high,
    :rate_limit_per_min, :noise_p99, :flat_line_min, :day_start, :centre, :may_query, :may_set_clock, :gateway,
    :underpass_priority, :withdrawn_at);

-- name: insert_heights*!
insert into sensor_height (station_id, height_m, lowest_point_m, valid_from, valid_to)
values (:station_id, :height_m, :lowest_point_m, :valid_from, :valid_to);

-- name: insert_thresholds*!
insert into threshold (station_id, hazard, element, level, version, "on", off, confirm, confirm_max_s, hold_min, source,
    valid_from, valid_to)
values (:station_id, :hazard, :element, :level, :version, :on, :off, :confirm, :confirm_max_s, :hold_min, :source,
    :valid_from, :valid_to);

-- name: upsert_nodes*!
insert into pipe_node (node_id, station_id, invert_m, crown_m, ground_m, lat, lon)
values (:node_id, :station_id, :invert_m, :crown_m, :ground_m, :lat, :lon)
on conflict (node_id) do update
set station_id = excluded.station_id, invert_m = excluded.invert_m, crown_m = excluded.crown_m,
    ground_m = excluded.ground_m, lat = excluded.lat, lon = excluded.lon;

-- name: upsert_edges*!
insert into pipe_edge (edge_id, upstream, downstream, diameter_m) values (:edge_id, :upstream, :downstream, :diameter_m)
on conflict (edge_id) do update
set upstream = excluded.upstream, downstream = excluded.downstream, diameter_m = excluded.diameter_m;

-- name: upsert_neighbours*!
insert into neighbour (station_id, neighbour_id, kind) values (:station_id, :neighbour_id, :kind)
on conflict (station_id, neighbour_id) do update set kind = excluded.kind;

-- name: upsert_rain_weights*!
insert into rain_weight (basin_id, station_id, weight) values (:basin_id, :station_id, :weight)
on conflict (basin_id, station_id) do update set weight = excluded.weight;

-- name: close_stations*!
update station set valid_to = :valid_to where station_id = :station_id and version = :version;

-- name: close_heights*!
update sensor_height set valid_to = :valid_to where station_id = :station_id and valid_from = :valid_from;

-- name: close_thresholds*!
update threshold set valid_to = :valid_to
where station_id = :station_id and hazard = :hazard and element = :element and level = :level and version = :version;

-- name: delete_edges*!
delete from pipe_edge where edge_id = :edge_id;

-- name: delete_neighbours*!
delete from neighbour where station_id = :station_id and neighbour_id = :neighbour_id;

-- name: delete_rain_weights*!
delete from rain_weight where basin_id = :basin_id and station_id = :station_id;

-- name: unregistered
-- Series that report and whose station is in no row of the register, with the newest of their readings.
select s.source, s.station, s.element, s.first_seen, r.at, r.value
from water_series s
left join lateral (
    select at, value from water_reading r where r.series_id = s.series_id order by at desc limit 1
) r on true
where not exists (
    select 1 from station t where t.source = s.source and t.station = s.station and t.valid_to is null
)
order by s.source, s.station, s.element;
