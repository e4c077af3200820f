-- When an act came into the log: a minute is judged with the acts that were received up to it, now and in a replay.
-- depends: 0015_acts

alter table alert_acknowledgement add column received_at timestamptz;
update alert_acknowledgement set received_at = acknowledged_at;
alter table alert_acknowledgement alter column received_at set not null;
