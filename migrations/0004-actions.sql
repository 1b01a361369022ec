-- What was found, what was decided, what was done, and what people said about it.

create table match (
  blob_cid bytea not null,
  signal integer not null,
  variant text not null default 'original',
  type text not null,
  distance smallint not null,
  content integer not null,
  bank integer not null,
  bank_generation bigint not null,
  at timestamptz not null,
  primary key (blob_cid, signal, variant)
);
create index match_content on match (content);

-- What is acted on. wanted is what we aim at, observed what the other side last said.
create table subject (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('account', 'blob', 'record')),
  account bigint not null,
  blob_cid bytea,
  collection text,
  rkey text,
  record_cid bytea,
  standing text not null default 'none' check (standing in ('none', 'taken-down', 'released-by-person')),
  wanted text not null default 'none' check (wanted in ('none', 'taken-down')),
  revision integer not null default 0,
  observed text,
  observed_ref text,
  observed_at timestamptz,
  unique nulls not distinct (kind, account, blob_cid, collection, rkey)
);
create index subject_account on subject (account);

create table case_file (
  id integer generated always as identity primary key,
  -- 'blob:<hex>' or 'retro:<generation>': the thing that one decision is about.
  key text not null unique,
  -- 'acted': the policy acted by itself; nobody has to look, and anybody may overturn it.
  state text not null default 'open' check (state in ('open', 'acted', 'confirmed', 'released', 'overturned')),
  reason text not null,
  opened_at timestamptz not null,
  decided_at timestamptz,
  decided_by integer references principal
);
create table case_blob (
  blob_cid bytea primary key,
  case_file integer not null references case_file
);
create index case_blob_case on case_blob (case_file);
create table case_event (
  id bigint generated always as identity primary key,
  case_file integer not null references case_file,
  at timestamptz not null,
  principal integer references principal,
  event text not null,
  note text
);
create index case_event_case on case_event (case_file);

create table decision (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  blob_cid bytea not null,
  account bigint not null,
  source text not null,
  collection text,
  rkey text,
  record_cid bytea,
  sighting_at timestamptz not null,
  subject bigint not null references subject,
  bank integer not null,
  content integer not null,
  type text not null,
  distance smallint not null,
  bank_generation bigint not null,
  policy_version integer not null,
  mode text not null,
  outcome text not null check (outcome in ('observed', 'held', 'acted', 'released')),
  reason text not null,
  -- What the policy wants done: what would have been done in observe, what waits in hold.
  wants text[] not null,
  case_file integer references case_file
);
create index decision_blob on decision (blob_cid, account);
create index decision_case on decision (case_file);
create index decision_at on decision using brin (at);
create index decision_account on decision (account);

-- Blobs that matched, with the time up to which every sighting has its decision.
create table matched_blob (
  blob_cid bytea primary key,
  decided_through timestamptz not null
);

create table action (
  id bigint generated always as identity primary key,
  decision bigint not null references decision,
  subject bigint not null references subject,
  kind text not null check (kind in ('takedown-blob', 'takedown-record', 'label')),
  -- false: this action takes back what `undoes` did.
  applied boolean not null default true,
  undoes bigint references action,
  revision integer not null,
  idem text not null unique,
  state text not null check (state in ('held', 'planned', 'released', 'sending', 'done', 'refused', 'superseded', 'dead')),
  -- Why it is held ('perceptual', 'flood', …) or why a planned one waits ('daily-cap', 'paused').
  waiting text,
  by_person boolean not null default false,
  detail jsonb,
  created_at timestamptz not null,
  intent_seq bigint,
  released_at timestamptz,
  next_at timestamptz,
  lease_token uuid,
  lease_until timestamptz,
  attempts integer not null default 0,
  last_error text,
  ended_at timestamptz,
  result_seq bigint,
  unique (subject, kind, revision)
) with (fillfactor = 80);
create index action_planned on action (id) where state = 'planned';
create index action_due on action (next_at) where state in ('released', 'sending');
create index action_waiting on action (id) where state in ('held', 'dead');
create index action_released_at on action (kind, released_at);
create index action_decision on action (decision);

create table action_cause (
  action bigint not null references action,
  content integer not null,
  -- When the action was released by itself, not by a person: what the flood limit counts.
  released_at timestamptz,
  primary key (action, content)
);
create index action_cause_content on action_cause (content);
create index action_cause_released on action_cause (content, released_at) where released_at is not null;

-- Everything that a person stopped. A row without resumed_at is in force; read at the moment of release and of sending.
create table pause (
  id integer generated always as identity primary key,
  scope text not null check (scope in ('all', 'bank', 'kind')),
  target text not null default '',
  reason text not null,
  principal integer not null references principal,
  at timestamptz not null,
  resumed_at timestamptz,
  resumed_by integer references principal
);
create unique index pause_live on pause (scope, target) where resumed_at is null;

-- The label stream. A change of one (src, uri, val) takes a new seq and removes the row before it.
create table label (
  seq bigint primary key,
  src text not null,
  uri text not null,
  cid text,
  val text not null,
  neg boolean not null default false,
  cts text not null,
  sig bytea not null,
  key_did text not null,
  account bigint,
  action_id bigint,
  unique (src, uri, val)
);
create index label_uri on label (uri text_pattern_ops);
create table label_head (
  one boolean primary key default true check (one),
  seq bigint not null
);
insert into label_head (seq) values (0);

create table legal_hold (
  id integer generated always as identity primary key,
  account bigint,
  case_file integer references case_file,
  reason text not null,
  principal integer not null references principal,
  at timestamptz not null,
  lifted_at timestamptz,
  lifted_by integer references principal,
  check (account is not null or case_file is not null)
);
