-- Registers of parking: what is known of a car park without asking a sensor. Effective-dated, versioned, never edited in place.
-- depends: 0001_ledger

create table subdistrict (
    code         text        primary key,
    name_zh      text        not null,
    name_en      text        not null,
    geometry     jsonb       not null            -- GeoJSON, WGS-84
);

create table operator (
    operator_id  text        primary key,
    name_zh      text        not null,
    name_en      text        not null,
    contact      text
);

create table source_terms (                      -- attribution and licence of each source, as published
    source       text        primary key,
    licence      text        not null,
    attribution  text        not null,
    url          text,
    updated_at   timestamptz not null default now()
);

create table lot (
    lot_id       text        not null,
    version      integer     not null,
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    name_zh      text        not null,
    name_en      text        not null,
    subdistrict_code text    not null references subdistrict,
    operator_id  text        references operator,
    kind         text        not null check (kind in ('on_street', 'surface', 'garage', 'underground', 'mechanical')),
    lat          double precision not null check (lat between -90 and 90),
    lon          double precision not null check (lon between -180 and 180),
    crs_given    text        not null default 'EPSG:4326',  -- the system the register's coordinates came in
    address_zh   text,
    address_en   text,
    height_limit_m real,
    opening_hours text,                          -- OSM syntax; null is unknown, '24/7' is always
    entrances    jsonb       not null default '[]',  -- [{entrance_id, name_zh, name_en, lat, lon, shared_users}]
    contact      text,
    accessibility text,
    thresholds   jsonb       not null default '{}',  -- overrides of [parking] in the settings, with their source
    pricing_verified_at date,
    withdrawn_at timestamptz,
    primary key (lot_id, version)
);
create index lot_current on lot (lot_id, valid_from);

create table lot_source (
    source       text        not null,
    ref          text        not null,
    lot_id       text        not null,
    priority     smallint    not null default 1, -- two sources of one lot: the lower number leads while it is fresh
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    primary key (source, ref, valid_from)
);
create index lot_source_lot on lot_source (lot_id);

create table pool (
    lot_id       text        not null,
    pool         text        not null,           -- as in observations: public, shared, disabled, ev, contract ...
    version      integer     not null,
    vehicle      text        not null default 'car' check (vehicle in ('car', 'motorcycle', 'lgv', 'hgv', 'coach', 'bicycle')),
    audience     text        not null check (audience in ('public', 'resident', 'contract', 'disabled', 'ev', 'women_family', 'shared', 'reserved', 'unloading')),
    product      text        not null default 'short_term' check (product in ('short_term', 'shared_window', 'monthly')),
    exclusive    boolean     not null default true,  -- its spaces are no other pool's: only these may be summed
    capacity     integer     check (capacity >= 0),
    capacity_basis text      not null default 'master' check (capacity_basis in ('master', 'live', 'contract')),
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    primary key (lot_id, pool, version)
);

create table capacity_hold (
    hold_id      bigint generated always as identity primary key,
    lot_id       text        not null,
    pool         text        not null,
    capacity_old integer,
    capacity_new integer,
    reason       text        not null check (reason in ('jump', 'placeholder')),
    row          jsonb       not null,           -- the register row that waits
    at           timestamptz not null default now(),
    state        text        not null default 'held' check (state in ('held', 'confirmed', 'rejected')),
    decided_at   timestamptz,
    decided_by   text
);
create unique index capacity_hold_waiting on capacity_hold (lot_id, pool) where state = 'held';

create table price (
    lot_id       text        not null,
    line         integer     not null,
    version      integer     not null,
    pool         text        not null default 'public',
    weekdays     smallint[]  not null default '{}',  -- 1-7; empty: every day
    on_holidays  boolean,                        -- null: both
    start        text        not null default '00:00',
    "end"        text        not null default '24:00',
    step_min     integer     not null check (step_min > 0),
    step_price_fen integer   not null check (step_price_fen >= 0),
    free_min     integer     not null default 0,
    cap_fen      integer,
    cap_period   text        check (cap_period in ('day', 'window', 'stay')),
    text_zh      text,
    text_en      text,
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    primary key (lot_id, line, version)
);

create table share_window (
    window_id    text        not null,
    version      integer     not null,
    lot_id       text,                           -- null while the (source, ref) of a message is not registered
    source       text        not null default 'register',
    ref          text,
    pool         text        not null default 'shared',
    spaces       integer     not null check (spaces >= 0),
    weekdays     smallint[]  not null default '{}',
    holiday_rule text        not null default 'as_weekday' check (holiday_rule in ('as_weekday', 'only_holidays', 'not_holidays', 'every_day')),
    start        text        not null,           -- local civil time, half-open; end <= start is the next day
    "end"        text        not null,
    entry_only   boolean     not null default false,
    min_stay_min integer     not null default 0,
    grace_min    integer     not null default 0,
    buffer_min   integer     not null default 0, -- must have left this long before the end
    reserve      integer     not null default 0, -- contract floor of the residents' reserve
    exclusive    boolean     not null default false,  -- adds to overlapping windows instead of merging by max
    entrance_id  text,
    eligibility  text        not null default 'anyone' check (eligibility in ('anyone', 'registered_plate', 'app', 'reservation')),
    overstay_rule_zh text,
    overstay_rule_en text,
    valid_from   timestamptz not null,
    valid_to     timestamptz,
    received_at  timestamptz not null,           -- when this version became known: as_of shows what was valid then
    withdrawn_at timestamptz,
    primary key (window_id, version)
);
create index share_window_lot on share_window (lot_id);

create table calendar_day (                      -- overrides of the holidays library
    day          date        primary key,
    kind         text        not null check (kind in ('holiday', 'workday', 'ordinary')),
    name_zh      text,
    name_en      text,
    source       text        not null
);
