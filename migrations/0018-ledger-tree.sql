-- The ledger's Merkle tree beside its chain (RFC 6962), signed checkpoints of it, and what others hold of them.

-- frontier: the roots of the complete subtrees, largest first, 32 bytes each; null for a ledger that began before the tree.
-- vetted: when and on which timeline a leader last knew that this is the ledger it signed. No action leaves without.
alter table ledger_head
  add column frontier bytea,
  add column vetted_at timestamptz,
  add column vetted_on text;

-- The root of tile(level, index) of tlog-tiles, once the tile is full. Level 0 tiles are the hashes of ledger_entry.
create table ledger_node (
  level smallint not null,
  index bigint not null,
  hash bytea not null,
  primary key (level, index)
);

-- note: the signed note as it stands, with every cosignature that came in.
create table ledger_checkpoint (
  origin text not null,
  size bigint not null,
  note text not null,
  at timestamptz not null,
  -- Witnesses of the policy that have cosigned, and since when the policy's quorum is met.
  witnesses integer not null default 0,
  anchored_at timestamptz,
  primary key (origin, size)
);
create index ledger_checkpoint_at on ledger_checkpoint (at);

-- What another party holds: a cosignature is in the note; here are records in a repository and time stamps.
create table ledger_anchor (
  id bigint generated always as identity primary key,
  origin text not null,
  size bigint not null,
  kind text not null check (kind in ('witness', 'record', 'timestamp')),
  -- A witness's name, an at:// URI, the address of a time-stamping authority.
  who text not null,
  -- The record as JSON, the time stamp as DER; empty for a witness.
  body bytea not null,
  at timestamptz not null,
  unique (origin, size, kind, who)
);
create trigger ledger_node_kept before update or delete on ledger_node
  for each row execute function refuse_ledger_change();
create trigger ledger_node_not_emptied before truncate on ledger_node
  for each statement execute function refuse_ledger_change();
