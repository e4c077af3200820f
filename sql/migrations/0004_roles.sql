-- Each process reads and writes what it must and nothing else.
-- depends: 0003_parking_streams

grant usage on schema public to citysense_streams, citysense_connectors, citysense_feed, citysense_ops;

grant select, insert, update on stream_fence, source_health, alert, job, parking_forecast_score to citysense_streams;
grant select, insert on stream_incident, dead_letter, alert_event, parking_series, parking_observation, parking_revision,
    parking_minute, parking_minute_run, share_window to citysense_streams;
grant update on stream_incident, share_window, register_version to citysense_streams;
grant delete on raw_payload to citysense_streams;
grant select on raw_payload, register_version, subdistrict, operator, source_terms, lot, lot_source, pool, price, calendar_day,
    feed_snapshot to citysense_streams;

grant select on secret, action, dead_letter, raw_payload, stream_fence to citysense_connectors;
grant insert on raw_payload, stream_incident to citysense_connectors;
grant update (published_at) on action to citysense_connectors;
grant update (state, replayed_at, replayed_by) on dead_letter to citysense_connectors;

grant select on parking_minute, parking_minute_run, parking_series, parking_observation, parking_revision, subdistrict, operator,
    source_terms, lot, lot_source, pool, price, share_window, calendar_day, alert, alert_event, source_health,
    parking_forecast_score, stream_fence, register_version, feed_snapshot to citysense_feed;
grant insert on feed_snapshot to citysense_feed;

grant select on all tables in schema public to citysense_ops;
revoke select on secret from citysense_ops;
grant insert on action, job to citysense_ops;
