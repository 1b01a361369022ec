-- Outside programmes that fill a bank, as somebody set them up. What they say lies in the bank itself.

-- checkpoint: where the programme's own paging goes on, in the words of its interface.
create table exchange (
  name text primary key,
  bank integer not null unique references bank,
  api text not null,
  config jsonb not null,
  enabled boolean not null default true,
  checkpoint jsonb,
  checkpoint_at timestamptz,
  fetched_items bigint not null default 0,
  fetch_started_at timestamptz,
  fetch_ended_at timestamptz,
  fetch_ok boolean,
  up_to_date boolean,
  created_at timestamptz not null
);

-- Sealed under the data key, with the api's name as context.
create table exchange_credentials (
  api text primary key,
  sealed bytea not null,
  updated_at timestamptz not null
);
