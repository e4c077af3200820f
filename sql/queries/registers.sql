-- The parking register (and the version of any): read whole by workers, written in versions by the loader, held capacities decided by people.

-- name: version$
-- The number that grows with each change of the register.
select version from register_version where register = :register;

-- name: lock_version$
-- The same, and no other load until this transaction ends.
select version from register_version where register = :register for update;

-- name: bump_version$
update register_version set version = version + 1, changed_at = now() where register = :register returning version;

-- name: subdistricts
select code, name_zh, name_en, geometry from subdistrict order by code;

-- name: operators
select operator_id, name_zh, name_en, contact from operator order by operator_id;

-- name: source_terms
select source, licence, attribution, url from source_terms order by source;

-- name: calendar
select day, kind, name_zh, name_en, source from calendar_day order by day;

-- name: lots
select lot_id, version, valid_from, valid_to, name_zh, name_en, subdistrict_code, operator_id, kind, lat, lon, crs_given,
       address_zh, address_en, height_limit_m, opening_hours, entrances, contact, accessibility, thresholds,
       pricing_verified_at, withdrawn_at
from lot order by lot_id, version;

-- name: lot_sources
select source, ref, lot_id, priority, valid_from, valid_to from lot_source order by source, ref, valid_from;

-- name: pools
select lot_id, pool, version, vehicle, audience, product, exclusive, capacity, capacity_basis, valid_from, valid_to
from pool order by lot_id, pool, version;

-- name: prices
select lot_id, line, version, pool, weekdays, on_holidays, start, "end", step_min, step_price_fen, free_min, cap_fen,
       cap_period, text_zh, text_en, valid_from, valid_to
from price order by lot_id, line, version;

-- name: share_windows
select window_id, version, lot_id, source, ref, pool, spaces, weekdays, holiday_rule, start, "end", entry_only,
       min_stay_min, grace_min, buffer_min, reserve, exclusive, entrance_id, eligibility, overstay_rule_zh,
       overstay_rule_en, valid_from, valid_to, received_at, withdrawn_at
from share_window order by window_id, version;

-- name: upsert_subdistricts*!
insert into subdistrict (code, name_zh, name_en, geometry) values (:code, :name_zh, :name_en, :geometry)
on conflict (code) do update
set name_zh = excluded.name_zh, name_en = excluded.name_en, geometry = excluded.geometry;

-- name: upsert_operators*!
insert into operator (operator_id, name_zh, name_en, contact) values (:operator_id, :name_zh, :name_en, :contact)
on conflict (operator_id) do update
set name_zh = excluded.name_zh, name_en = excluded.name_en, contact = excluded.contact;

-- name: upsert_source_terms*!
insert into source_terms (source, licence, attribution, url) values (:source, :licence, :attribution, :url)
on conflict (source) do update
set licence = excluded.licence, attribution = excluded.attribution, url = excluded.url, updated_at = now();

-- name: upsert_calendar*!
insert into calendar_day (day, kind, name_zh, name_en, source) values (:day, :kind, :name_zh, :name_en, :source)
on conflict (day) do update
set kind = excluded.kind, name_zh = excluded.name_zh, name_en = excluded.name_en, source = excluded.source;

-- name: insert_lots*!
insert into lot (lot_id, version, valid_from, valid_to, name_zh, name_en, subdistrict_code, operator_id, kind, lat, lon,
    crs_given, address_zh, address_en, height_limit_m, opening_hours, entrances, contact, accessibility, thresholds,
    pricing_verified_at, withdrawn_at)
values (:lot_id, :version, :valid_from, :valid_to, :name_zh, :name_en, :subdistrict_code, :operator_id, :kind, :lat, :lon,
    :crs_given, :address_zh, :address_en, :height_limit_m, :opening_hours, :entrances, :contact, :accessibility,
    :thresholds, :pricing_verified_at, :withdrawn_at);

-- name: insert_lot_sources*!
insert into lot_source (source, ref, lot_id, priority, valid_from, valid_to)
values (:source, :ref, :lot_id, :priority, :valid_from, :valid_to);

-- name: insert_pools*!
insert into pool (lot_id, pool, version, vehicle, audience, product, exclusive, capacity, capacity_basis, valid_from,
    valid_to)
values (:lot_id, :pool, :version, :vehicle, :audience, :product, :exclusive, :capacity, :capacity_basis, :valid_from,
    :valid_to);

-- name: insert_prices*!
insert into price (lot_id, line, version, pool, weekdays, on_holidays, start, "end", step_min, step_price_fen, free_min,
    cap_fen, cap_period, text_zh, text_en, valid_from, valid_to)
values (:lot_id, :line, :version, :pool, :weekdays, :on_holidays, :start, :end, :step_min, :step_price_fen, :free_min,
    :cap_fen, :cap_period, :text_zh, :text_en, :valid_from, :valid_to);

-- name: insert_share_windows*!
insert into share_window (window_id, version, lot_id, source, ref, pool, spaces, weekdays, holiday_rule, start, "end",
    entry_only, min_stay_min, grace_min, buffer_min, reserve, exclusive, entrance_id, eligibility, overstay_rule_zh,
    overstay_rule_en, valid_from, valid_to, received_at, withdrawn_at)
values (:window_id, :version, :lot_id, :source, :ref, :pool, :spaces, :weekdays, :holiday_rule, :start, :end,
    :entry_only, :min_stay_min, :grace_min, :buffer_min, :reserve, :exclusive, :entrance_id, :eligibility,
    :overstay_rule_zh, :overstay_rule_en, :valid_from, :valid_to, :received_at, :withdrawn_at);

-- name: close_lots*!
update lot set valid_to = :valid_to where lot_id = :lot_id and version = :version;

-- name: close_lot_sources*!
update lot_source set valid_to = :valid_to where source = :source and ref = :ref and valid_from = :valid_from;

-- name: close_pools*!
update pool set valid_to = :valid_to where lot_id = :lot_id and pool = :pool and version = :version;

-- name: close_prices*!
update price set valid_to = :valid_to where lot_id = :lot_id and line = :line and version = :version;

-- name: close_share_windows*!
update share_window set valid_to = :valid_to where window_id = :window_id and version = :version;

-- name: adopt_windows!
-- Windows that came by message before their (source, ref) was registered get their lot.
update share_window w set lot_id = s.lot_id
from lot_source s
where w.lot_id is null and s.source = w.source and s.ref = w.ref and s.valid_to is null;

-- name: holds
-- Held capacities, newest first; all that a person has not decided when :all_states is false.
select hold_id, lot_id, pool, capacity_old, capacity_new, reason, state, row, at
from capacity_hold where :all_states or state = 'held' order by hold_id desc;

-- name: hold^
-- One hold, locked until it is decided.
select hold_id, lot_id, pool, capacity_old, capacity_new, reason, state, row, at
from capacity_hold where hold_id = :hold_id for update;

-- name: insert_holds*!
insert into capacity_hold (lot_id, pool, capacity_old, capacity_new, reason, row, at)
values (:lot_id, :pool, :capacity_old, :capacity_new, :reason, :row, :at);

-- name: decide_hold!
update capacity_hold set state = :state, decided_at = :at, decided_by = :by where hold_id = :hold_id;

-- name: unregistered
-- Series that report and that no row of lot_source claims, with the newest of their observations.
select s.source, s.ref, s.pool, s.first_seen, o.at, o.free, o.capacity
from parking_series s
left join lateral (
    select at, free, capacity from parking_observation o where o.series_id = s.series_id order by at desc limit 1
) o on true
where not exists (
    select 1 from lot_source l where l.source = s.source and l.ref = s.ref and (l.valid_to is null or l.valid_to > now())
)
order by s.source, s.ref, s.pool;
