-- The decision aid for storms, as the sweep keeps it.

-- name: was_active(minute)$
select is_active from storm_view where at < :minute order by at desc limit 1;

-- name: hazards()
-- The dangers of this minute and what is known of each station.
select station_id, hazard, level, knowledge, knowledge_since, value, observed_at from water_hazard
order by station_id, hazard;

-- name: put_view(at, is_active, view)!
-- A minute that is swept again is shown as it comes out then.
insert into storm_view (at, is_active, view) values (:at, :is_active, :view::jsonb)
on conflict (at) do update set is_active = excluded.is_active, view = excluded.view;

-- name: delete_old_views(older_than, at_most)!
delete from storm_view where at in (select at from storm_view where at < :older_than order by at limit :at_most);
