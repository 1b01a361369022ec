-- Match scale: small, not partitioned, carries the unique keys, never dropped by retention.

create table principal (
  id integer generated always as identity primary key,
  kind text not null check (kind in ('person', 'service', 'system')),
  name text not null unique,
  created_at timestamptz not null
);

create table api_key (
  id text primary key,
  principal integer not null references principal,
  secret_sha256 bytea not null,
  scopes text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

create table bank (
  id integer generated always as identity primary key,
  name text not null unique,
  mode text not null check (mode in ('observe', 'hold', 'act')),
  class text not null check (class in ('restricted', 'open')),
  confidential boolean not null default false,
  exchange text,
  policy jsonb not null,
  policy_version integer not null default 1,
  created_at timestamptz not null
);

create table bank_policy_history (
  bank integer not null references bank,
  version integer not null,
  policy jsonb not null,
  principal integer not null references principal,
  at timestamptz not null,
  primary key (bank, version)
);

-- disable_until_ts as HMA has it: 0 disabled, 1 enabled, else disabled until that unix second.
create table bank_content (
  id integer generated always as identity primary key,
  bank integer not null references bank,
  disable_until_ts bigint not null default 1,
  -- Set aside by a flood: matches are still found and recorded, no action, a person decides.
  held_at timestamptz,
  -- The flood limit counts from here: when a person last let it go on.
  flood_since timestamptz,
  note text,
  metadata jsonb,
  provenance jsonb,
  created_at timestamptz not null,
  removed_at timestamptz
);
create index bank_content_bank on bank_content (bank);

create table bank_signal (
  id integer generated always as identity primary key,
  content integer not null references bank_content,
  type text not null,
  value bytea not null,
  quality smallint,
  state text not null default 'live' check (state in ('live', 'removed')),
  added_generation bigint not null,
  removed_generation bigint
);
create index bank_signal_value on bank_signal (type, value);
create index bank_signal_content on bank_signal (content);

-- What changed, in order. The index catches up from here; a worker knows by it what it has not matched yet.
create table bank_change (
  generation bigint primary key,
  op text not null,
  bank integer not null,
  content integer,
  principal integer not null references principal,
  at timestamptz not null
);
create table bank_head (
  one boolean primary key default true check (one),
  generation bigint not null
);
insert into bank_head (generation) values (0);
