-- Open work: rows live for seconds and are deleted when done, so autovacuum is kept close behind.

create table job (
  kind text not null check (kind in ('scan', 'url', 'rematch')),
  key bytea not null,
  generation bigint not null default 1,
  next_at timestamptz not null,
  lease_token uuid,
  lease_until timestamptz,
  attempts integer not null default 0,
  crashes integer not null default 0,
  reason text not null,
  -- Set by a pass over stored signals: the bank change that raised this job. Its matches are held as one case.
  retro bigint,
  detail jsonb,
  created_at timestamptz not null,
  primary key (kind, key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
create index job_due on job (kind, next_at);

-- What a host said about a blob. `until` is set while the host may be asked again; null is final for that host.
create table fetch_try (
  blob_cid bytea not null,
  host text not null,
  outcome text not null,
  at timestamptz not null,
  until timestamptz,
  attempts integer not null default 1,
  primary key (blob_cid, host)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

-- Where announced bytes lie that the account's host may not serve yet. Goes with the job.
create table blob_address (
  blob_cid bytea not null,
  url text not null,
  account bigint not null,
  at timestamptz not null,
  primary key (blob_cid, url)
);

create table cursor (
  source text not null,
  host text not null,
  position bigint,
  epoch bigint not null default 0,
  event_time timestamptz,
  updated_at timestamptz,
  primary key (source, host)
);

create table ingest_gap (
  id bigint generated always as identity primary key,
  source text not null,
  host text not null,
  reason text not null,
  -- Set when one account's records changed unseen; otherwise the gap is of the whole stream.
  account bigint,
  from_seq bigint,
  to_seq bigint,
  from_time timestamptz,
  to_time timestamptz,
  at timestamptz not null,
  closed_at timestamptz
);

create table frame_undecodable (
  id bigint generated always as identity primary key,
  source text not null,
  host text not null,
  seq bigint,
  bytes bytea not null,
  error text not null,
  at timestamptz not null
);

create table webhook_seen (
  endpoint text not null,
  webhook_id text not null,
  at timestamptz not null,
  primary key (endpoint, webhook_id)
);

-- The caller's own name for an announced blob.
create table webhook_content (
  endpoint text not null,
  content_id text not null,
  account bigint not null,
  blob_cid bytea not null,
  at timestamptz not null,
  primary key (endpoint, content_id)
);

-- One row: this deployment. data_key_id is a fingerprint; a process with another key refuses to start.
create table deployment (
  one boolean primary key default true check (one),
  id text not null,
  data_key_id text,
  created_at timestamptz not null
);
