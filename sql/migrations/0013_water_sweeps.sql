-- What happens to water because time passes: who was never heard of is known as that, and old rows may go.
-- depends: 0012_water

alter table water_hazard drop constraint water_hazard_knowledge_check;
alter table water_hazard add constraint water_hazard_knowledge_check
    check (knowledge in ('ok', 'suspect', 'stale', 'offline', 'never'));
comment on column water_hazard.knowledge is 'Never lowers the level. never: no reading of it is here.';

create index alert_event_time on alert_event (at);         -- which alerts changed since a minute that is judged late
create index delivery_age on delivery (created_at);

grant delete on delivery to citysense_streams;             -- old ones; its attempts go with it
