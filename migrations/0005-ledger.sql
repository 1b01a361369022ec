-- The ledger: exact bytes, chained. Entries are only ever added, and only by append_v1.

create table ledger_intake (
  id bigint generated always as identity primary key,
  type text not null,
  -- actor, pub: what the entry shows. private: field -> value, becomes salted commitments.
  actor jsonb not null,
  pub jsonb not null,
  private jsonb not null default '{}',
  account bigint,
  action_id bigint,
  phase text check (phase in ('intent', 'result')),
  idem text not null unique,
  at timestamptz not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

create table ledger_head (
  one boolean primary key default true check (one),
  log text not null,
  size bigint not null,
  -- Leaf hash of the last entry; 32 zero bytes while the log is empty.
  hash bytea not null,
  epoch bigint not null,
  at timestamptz
);

create table ledger_entry (
  seq bigint not null primary key,
  bytes bytea not null,
  hash bytea not null
) partition by range (seq);
create table ledger_entry_0 partition of ledger_entry for values from (0) to (10000000);

-- Values and salts behind the commitments, sealed under the data key. Deleting a row is erasure.
create table ledger_private (
  seq bigint not null,
  field text not null,
  account bigint,
  sealed bytea not null,
  primary key (seq, field)
);
create index ledger_private_account on ledger_private (account);

create table counts_noted (
  source text not null,
  hour timestamptz not null,
  primary key (source, hour)
);

create function refuse_ledger_change() returns trigger language plpgsql as $$
begin
  raise exception 'ledger entries are never changed (% on %)', tg_op, tg_table_name using errcode = 'BW003';
end $$;
create trigger ledger_entry_kept before update or delete on ledger_entry
  for each row execute function refuse_ledger_change();
create trigger ledger_entry_not_emptied before truncate on ledger_entry
  for each statement execute function refuse_ledger_change();

-- Postgres does not hand a TRUNCATE trigger on to partitions: called for each new one.
create function guard_ledger_partitions() returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_partition regclass;
begin
  for v_partition in
    select i.inhrelid::regclass from pg_inherits i
    where i.inhparent = 'ledger_entry'::regclass and not exists (
      select from pg_trigger t where t.tgrelid = i.inhrelid and t.tgname = 'ledger_entry_not_emptied'
    )
  loop
    execute format('create trigger ledger_entry_not_emptied before truncate on %s
      for each statement execute function refuse_ledger_change()', v_partition);
  end loop;
end $$;
select guard_ledger_partitions();

-- An intake row is written in the same statement as the change that it records. on conflict: the same fact was recorded before.
create function note_v1(
  p_type text, p_actor jsonb, p_pub jsonb, p_private jsonb, p_account bigint,
  p_action bigint, p_phase text, p_idem text, p_now timestamptz
) returns void language sql set search_path = blobwatch, pg_temp as $$
  insert into ledger_intake (type, actor, pub, private, account, action_id, phase, idem, at)
  values (p_type, p_actor, p_pub, coalesce(p_private, '{}'), p_account, p_action, p_phase, p_idem, p_now)
  on conflict (idem) do nothing
$$;
