-- Network scale: who, where, what. Partitioned; no foreign key points into these; what a case needs is copied out.
-- Fixed-width columns come first and words are enums: padding and repeated text would cost more than the facts.

-- The only table where a DID is text. Erasing a person is one row.
create table account (
  id bigint generated always as identity primary key,
  did text unique,
  -- When the network last said that its identity changed: what a process cached before that is asked for anew.
  identity_at timestamptz,
  status text not null default 'active',
  status_at timestamptz,
  erased_at timestamptz
);

-- The first 8 bytes of a CID's digest: what an index needs to find it, at a quarter of the size.
create function blob_key(cid bytea) returns bigint
  language sql immutable parallel safe strict
  return ('x' || encode(substring(cid from 1 for 8), 'hex'))::bit(64)::bigint;

-- No unique key: exactly-once comes from the gated cursor in take_in.
create type source_kind as enum ('firehose', 'webhook');

create table sighting (
  at timestamptz not null,
  account bigint not null,
  source source_kind not null,
  blob_cid bytea not null,
  record_cid bytea,
  collection text,
  rkey text,
  rev text
) partition by range (at);
create index sighting_blob on sighting (blob_key(blob_cid));
create index sighting_account on sighting (account);
create index sighting_at on sighting using brin (at);

-- One row per blob whose scan is settled. coverage: bits of the signal types computed (domain/blob.ts coverageBits).
create type verdict_kind as enum ('clear', 'matched', 'unscannable');
create type media_kind as enum ('image', 'video', 'other');

create table blob (
  hashed_at timestamptz not null,
  bank_generation bigint not null,
  bytes integer,
  verdict verdict_kind not null,
  kind media_kind,
  coverage smallint not null,
  quality smallint,
  blob_cid bytea not null primary key,
  pdq bytea,
  md5 bytea,
  sha1 bytea,
  reason text,
  check ((verdict = 'unscannable') = (reason is not null))
) partition by hash (blob_cid);

do $$
begin
  for n in 0..7 loop
    execute format('create table blob_%s partition of blob for values with (modulus 8, remainder %s)', n, n);
  end loop;
end $$;
create index blob_hashed_at on blob using brin (hashed_at);
create index blob_unscannable on blob (hashed_at) where verdict = 'unscannable';

-- The text of a reference whose CID is not CIDv1 raw sha2-256; blob_cid is then sha2-256 of that text.
create table cid_unsupported (
  blob_cid bytea primary key,
  cid text not null,
  at timestamptz not null
);

-- Deletions seen on the network, worked off in small batches within 24 hours. No collection: the whole account.
create table removal (
  id bigint generated always as identity primary key,
  account bigint not null,
  collection text,
  rkey text,
  rev text,
  at timestamptz not null
);
