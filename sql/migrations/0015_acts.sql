-- Acts of people about alerts, as the log has them: who has an alert in hand. The first one counts.
-- depends: 0012_water

create table alert_acknowledgement (
    alert_id        uuid        primary key,
    action_id       uuid        not null,
    acknowledged_at timestamptz not null,        -- when it was said
    acknowledged_by text        not null,
    endpoint        text        not null,        -- whose secret signed it
    note            text        not null,
    revision        integer                      -- that was read; null: nobody said
);
comment on table alert_acknowledgement is 'Beside table alert, because partitions are applied in any order: an act may be there before its alert, and that of an exercise has none.';

-- An act changes neither the level nor the revision of its alert, so its event has no level, and the revision that was read.
alter table alert_event drop constraint alert_event_change_check;
alter table alert_event add constraint alert_event_change_check check (change in ('raised', 'updated', 'ended', 'acknowledged'));
alter table alert_event alter column revision drop not null;
alter table alert_event alter column level drop not null;
alter table alert_event add constraint alert_event_complete check (change = 'acknowledged' or (revision is not null and level is not null));

-- alert.acknowledged_at and alert.acknowledged_by can be read as if they were columns of an alert (alert must be named).
create function acknowledged_at(alert) returns timestamptz language sql stable as $$
    select acknowledged_at from alert_acknowledgement where alert_id = $1.alert_id
$$;
create function acknowledged_by(alert) returns text language sql stable as $$
    select acknowledged_by from alert_acknowledgement where alert_id = $1.alert_id
$$;

create or replace view alert_times as
select a.alert_id, a.domain, a.kind, a.subject, a.level, a.revision, a.raised_at, a.ended_at, e.name as endpoint,
    d.first_attempt_at, d.delivered_at, d.delivered_revision, d.waiting_revision, k.acknowledged_at, k.acknowledged_by
from alert as a
left join (
    select alert_id, endpoint_id, min(first_attempt_at) as first_attempt_at, min(delivered_at) as delivered_at,
        max(revision) filter (where state = 'delivered') as delivered_revision,
        max(revision) filter (where state = 'waiting') as waiting_revision
    from delivery where kind = 'alert' group by alert_id, endpoint_id
) as d on d.alert_id = a.alert_id
left join endpoint as e on e.endpoint_id = d.endpoint_id
left join alert_acknowledgement as k on k.alert_id = a.alert_id;

create function notify_action() returns trigger language plpgsql as $$
begin
    perform pg_notify('action', new.topic);
    return null;
end $$;
create trigger action_notify after insert on action for each row execute function notify_action();

grant select, insert on alert_acknowledgement to citysense_streams;
grant select on alert_acknowledgement to citysense_connectors, citysense_feed, citysense_ops;
