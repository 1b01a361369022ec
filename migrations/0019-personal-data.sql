-- Personal data: a key for each account, erasure that a verifier can pair with what it removed, legal holds as steps.

-- When this row was made; null: before this migration. An erasure that is replayed after a restore must not hit a
-- stranger who was given the same number later. The database's own clock: nobody else is asked.
alter table account add column created_at timestamptz;
alter table account alter column created_at set default now();

-- A key of 256 bits for each account that has values in ledger_private, sealed under a key set, bound to the account's number.
-- Left out of database backups; backed up alone by `backup keys`.
create table account_key (
  account bigint primary key,
  key_set text not null,
  sealed bytea not null
);

-- What seals account keys from now on: the data key itself, or a key in account-keys.key in the data folder.
create table key_set (
  one boolean primary key default true check (one),
  current text not null,
  since timestamptz,
  -- True while account_key has rows. True and none: the database comes from a backup that left them out.
  has_keys boolean not null default false
);
insert into key_set (current) values ('data-key');

-- Erasures done: what a restored backup has to be told again. entry_from: its entry has this number or a higher one.
create table erasure (
  account bigint primary key,
  at timestamptz not null,
  entry_from bigint,
  fields integer not null
);
insert into erasure (account, at, fields) select id, erased_at, 0 from account where erased_at is not null;

alter table legal_hold add column authority text, add column lift_reason text;
create index legal_hold_account on legal_hold (account) where lifted_at is null;

-- Who asked and why, kept until it is done: the retry of an erasure that waited says the same.
alter table removal add column basis text, add column note text, add column principal integer;

-- p: set, keys [{account, sealed}]. Missing keys are added unless the key set has moved on meanwhile or the account was
-- erased; what is there now is returned, whoever made it.
create function add_account_keys_v1(p jsonb) returns table (account bigint, key_set text, sealed text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_accounts bigint[] := array(select (k->>'account')::bigint from jsonb_array_elements(p->'keys') k order by 1);
begin
  perform 1 from account a where a.id = any (v_accounts) order by a.id for key share;
  perform 1 from key_set s where s.current = p->>'set' and s.has_keys for share;
  if not found then
    -- The first key of all, or the key set has moved on.
    update key_set s set has_keys = true where s.current = p->>'set' and not s.has_keys;
  elsif not exists (select from account_key) then
    raise exception 'the keys of accounts are missing: this database was restored from a backup without them. Run `blobwatch restore keys` before the service starts'
      using errcode = 'BW006';
  end if;
  if found then
    insert into account_key as x (account, key_set, sealed)
    select k.account, p->>'set', decode(k.sealed, 'hex')
    from jsonb_to_recordset(p->'keys') as k(account bigint, sealed text)
    where not exists (select from account a where a.id = k.account and a.erased_at is not null)
    order by k.account
    on conflict do nothing;
    update key_set s set has_keys = false where not exists (select from account_key);
  end if;
  return query select x.account, x.key_set, encode(x.sealed, 'hex') from account_key x where x.account = any (v_accounts);
end $$;

-- From here on new keys are sealed under this set; the old ones are sealed again by reseal_account_keys_v1.
create function move_key_set_v1(p jsonb) returns table (before text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_before text;
begin
  select s.current into v_before from key_set s for update;
  if v_before is distinct from p->>'set' then
    update key_set s set current = p->>'set', since = (p->>'now')::timestamptz;
    perform note_v1('key-set.moved', actor((p->>'principal')::integer), jsonb_build_object('set', p->>'set', 'before', v_before),
      null, null, null, null, 'key-set:' || (p->>'set'), (p->>'now')::timestamptz);
  end if;
  return query select v_before;
end $$;

-- p: set, keys [{account, was, sealed}]: sealed again under the current set, where nobody was faster.
create function reseal_account_keys_v1(p jsonb) returns table (resealed integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  perform 1 from key_set s where s.current = p->>'set' for share;
  if not found then
    raise exception 'the key set was moved by somebody else meanwhile: run the command again' using errcode = 'BU001';
  end if;
  update account_key x set sealed = decode(k.sealed, 'hex'), key_set = p->>'set'
  from jsonb_to_recordset(p->'keys') as k(account bigint, was text, sealed text)
  where x.account = k.account and x.sealed = decode(k.was, 'hex');
  get diagnostics resealed = row_count;
  return next;
end $$;

-- After a restore. p: set, keys [{account, sealed}], accountMax, sets (the key sets that this machine can open).
-- A key that is there and can be opened stays; an erased or unknown account gets none. accountMax: no later account may
-- get a number that the list of erasures knows as another's.
create function put_account_keys_v1(p jsonb) returns table (put integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  perform 1 from key_set s where s.current = p->>'set' for share;
  if not found then
    raise exception 'the key set was moved by somebody else meanwhile: run the command again' using errcode = 'BU001';
  end if;
  perform setval(pg_get_serial_sequence('account', 'id'), greatest((p->>'accountMax')::bigint, max(a.id), 1))
  from account a having coalesce((p->>'accountMax')::bigint, 0) > coalesce(max(a.id), 0);
  insert into account_key as x (account, key_set, sealed)
  select k.account, p->>'set', decode(k.sealed, 'hex')
  from jsonb_to_recordset(p->'keys') as k(account bigint, sealed text)
  join account a on a.id = k.account and a.erased_at is null
  order by k.account
  on conflict (account) do update set key_set = excluded.key_set, sealed = excluded.sealed
    where x.key_set <> all (array(select jsonb_array_elements_text(p->'sets')));
  get diagnostics put = row_count;
  return next;
end $$;

-- Keys that nobody can open (their key set is gone): the account gets a new one with its next entry.
create function drop_account_keys_v1(p jsonb) returns table (dropped integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  delete from account_key x where x.key_set <> all (array(select jsonb_array_elements_text(p->'sets')));
  get diagnostics dropped = row_count;
  update key_set s set has_keys = exists (select from account_key);
  if (p->>'put')::integer > 0 or dropped > 0 then
    perform note_v1('account-keys.restored', actor((p->>'principal')::integer),
      jsonb_build_object('put', (p->>'put')::integer, 'dropped', dropped), null, null, null, null,
      'account-keys.restored:' || gen_random_uuid(), (p->>'now')::timestamptz);
  end if;
  return next;
end $$;

-- Nothing personal about an account that was erased waits for an entry, whoever writes it and however late. The lock makes
-- an erasure and a writer wait for each other: the erasure sees the row, or the writer sees the erasure.
create function keep_erased_out() returns trigger language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  perform 1 from account a where a.id = new.account and a.erased_at is null for key share;
  if not found and exists (select from account a where a.id = new.account) then
    new.private := '{}';
  end if;
  return new;
end $$;
create trigger ledger_intake_erased before insert on ledger_intake for each row
  when (new.account is not null and new.private <> '{}'::jsonb) execute function keep_erased_out();

-- What an erasure has to wait for. A legal hold outranks it.
create function erasure_waits_for(p_account bigint) returns table (why text)
  language sql stable set search_path = blobwatch, pg_temp as $$
  select 'legal-hold' where exists (
    select from legal_hold h where h.lifted_at is null and h.account = p_account
  ) or exists (
    select from legal_hold h join decision d on d.case_file = h.case_file
    where h.lifted_at is null and d.account = p_account
  ) or exists (
    select from legal_hold h join case_blob cb on cb.case_file = h.case_file join decision d on d.blob_cid = cb.blob_cid
    where h.lifted_at is null and d.account = p_account
  )
  union all
  select 'open-case' where exists (
    select from decision d join case_file c on c.id = d.case_file where d.account = p_account and c.state = 'open'
  )
  union all
  select 'action' where exists (
    select from action a join subject s on s.id = a.subject
    where s.account = p_account and a.state in ('planned', 'released', 'sending')
  )
$$;

create or replace function under_hold(p_account bigint) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (select from erasure_waits_for(p_account))
$$;

-- The entries whose values were kept for this account, as ranges of entry numbers; parts of at most 1500 ranges, because
-- an entry has at most 65,535 bytes and a range at most 36.
create function erased_ranges(p_account bigint) returns table (part integer, ranges jsonb, fields integer)
  language sql stable set search_path = blobwatch, pg_temp as $$
  select ((r.ord - 1) / 1500 + 1)::integer, jsonb_agg(jsonb_build_array(r.first, r.last) order by r.first), sum(r.fields)::integer
  from (
    select min(g.seq) as first, max(g.seq) as last, sum(g.fields) as fields, row_number() over (order by min(g.seq)) as ord
    from (
      select l.seq, count(*) as fields, l.seq - row_number() over (order by l.seq) as run
      from ledger_private l where l.account = p_account group by l.seq
    ) g group by g.run
  ) r group by 1
$$;

-- An account leaves: what names it goes, with its key. `waiting`: for what `why` says; asked again later.
-- Values that wait for their entry are never emptied: the erasure waits for the entry, which takes a moment, so that every
-- commitment without a value is in the ranges of an account.erased entry (a trigger keeps later values out).
-- p: account, basis (a word of ours, shown) or note (a person's words, kept behind a commitment), principal, now.
create function erase_account_v2(p jsonb) returns table (result text, why text[], fields integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_account bigint := (p->>'account')::bigint;
  v_did text;
  v_action bigint;
  v_labels integer := 0;
  v_parts integer;
begin
  fields := 0;
  select a.did into v_did from account a where a.id = v_account and a.did is not null for update;
  if not found then
    return query select 'erased', '{}'::text[], 0;
    return;
  end if;
  why := array(select w.why from erasure_waits_for(v_account) w);
  if why <> '{}' then
    return query select 'waiting', why, 0;
    return;
  end if;
  -- A label names the account for everyone who follows the stream: it is negated first.
  for v_action in
    select l.action_id from label l where l.account = v_account and not l.neg and l.action_id is not null
  loop
    perform withdraw_action(v_action, null, 'erasure', v_now);
    v_labels := v_labels + 1;
  end loop;
  if v_labels > 0 then
    return query select 'waiting', '{label}'::text[], 0;
    return;
  end if;
  if exists (select from ledger_intake i where i.account = v_account and i.private <> '{}') then
    return query select 'waiting', '{entry}'::text[], 0;
    return;
  end if;
  delete from sighting s where s.account = v_account;
  delete from webhook_content w where w.account = v_account;
  delete from ingest_gap g where g.account = v_account;
  delete from blob_address b where b.account = v_account;
  delete from job j where j.kind = 'url' and (j.detail->>'account')::bigint = v_account;
  -- A frame that nobody could read may still spell the name; that there was one stays.
  update frame_undecodable f set bytes = '' where position(convert_to(v_did, 'UTF8') in f.bytes) > 0;
  -- So may what people wrote down, and the other side's own words about it.
  update case_event e set note = replace(e.note, v_did, '(erased)') where position(v_did in e.note) > 0;
  update feedback f set note = replace(f.note, v_did, '(erased)') where position(v_did in f.note) > 0;
  update action a set detail = a.detail - 'theirs' from subject s
  where s.account = v_account and a.subject = s.id and a.detail ? 'theirs';
  update legal_hold h set reason = '(erased)', authority = null, lift_reason = null where h.account = v_account;
  update legal_hold h set reason = replace(h.reason, v_did, '(erased)'), authority = replace(h.authority, v_did, '(erased)'),
    lift_reason = replace(h.lift_reason, v_did, '(erased)')
  where position(v_did in concat(h.reason, h.authority, h.lift_reason)) > 0;

  select coalesce(max(r.part), 1) into v_parts from erased_ranges(v_account) r;
  perform note_v1('account.erased', coalesce(actor((p->>'principal')::integer), '{"kind":"system"}'),
    jsonb_build_object('account', v_account, 'basis', coalesce(p->>'basis', 'requested'),
      'part', n, 'parts', v_parts, 'fields', coalesce(r.fields, 0), 'erased', coalesce(r.ranges, '[]')),
    case when n = 1 and p->>'note' is not null then jsonb_build_object('basis', replace(p->>'note', v_did, '(erased)')) end,
    null, null, null, 'erased:' || v_account || case when n = 1 then '' else ':' || n end, v_now)
  from generate_series(1, v_parts) n left join erased_ranges(v_account) r on r.part = n
  order by n;
  delete from ledger_private l where l.account = v_account;
  get diagnostics fields = row_count;
  delete from account_key k where k.account = v_account;
  update key_set s set has_keys = false where s.has_keys and not exists (select from account_key);
  update account a set did = null, identity_at = null, erased_at = v_now where a.id = v_account;
  insert into erasure (account, at, entry_from, fields)
  values (v_account, v_now, coalesce((select h.size from ledger_head h), 0), erase_account_v2.fields);
  result := 'erased';
  why := '{}';
  return next;
end $$;

create or replace function erase_account_v1(p jsonb) returns table (result text)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  select e.result from erase_account_v2(p) e
$$;

-- An erasure that somebody asks for: done now, or noted and tried again every minute until nothing stands against it.
create function ask_erasure(p_account bigint, p jsonb) returns table (result text, why text[], fields integer)
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_removal bigint;
begin
  -- In the order in which work_removals_v1 takes them.
  perform 1 from removal r where r.account = p_account order by r.id for update;
  select e.* into result, why, fields from erase_account_v2(p || jsonb_build_object('account', p_account)) e;
  if result = 'erased' then
    delete from removal r where r.account = p_account;
  else
    select min(r.id) into v_removal from removal r where r.account = p_account and r.collection is null;
    if v_removal is null then
      insert into removal (account, at, basis, note, principal)
      values (p_account, (p->>'now')::timestamptz, p->>'basis', p->>'note', (p->>'principal')::integer)
      returning id into v_removal;
      perform note_v1('erasure.waiting', coalesce(actor((p->>'principal')::integer), '{"kind":"system"}'),
        jsonb_build_object('account', p_account, 'for', to_jsonb(why)), null, null, null, null,
        'erasure.waiting:' || v_removal, (p->>'now')::timestamptz);
    end if;
  end if;
  return next;
end $$;

-- p: did, note, principal, now.
create function request_erasure_v1(p jsonb) returns table (account bigint, result text, why text[], fields integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  select a.id into account from account a where a.did = p->>'did';
  if not found then
    raise exception 'no account with this DID is known here: there is nothing to erase' using errcode = 'BU001';
  end if;
  select e.result, e.why, e.fields into result, why, fields from ask_erasure(request_erasure_v1.account, p - 'did') e;
  return next;
end $$;

-- An erasure that a restored database does not know. p: account, at (when it was done), principal, now.
-- `known`: it does; `unknown`: it has no such account; `other`: the number is somebody else's by now.
create function replay_erasure_v1(p jsonb) returns table (result text, why text[])
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_account account;
begin
  why := '{}';
  select * into v_account from account a where a.id = (p->>'account')::bigint;
  if not found then
    result := 'unknown';
  elsif v_account.erased_at is not null then
    result := 'known';
  elsif v_account.created_at > (p->>'at')::timestamptz then
    result := 'other';
  else
    select e.result, e.why into result, why
    from ask_erasure(v_account.id, p - 'at' || '{"basis":"replayed after restore"}') e;
  end if;
  return next;
end $$;

-- Deletions seen on the network, and erasures that waited, a batch after p.after at a time; through: the last one looked
-- at, null at the end. A decision has its own copy of the facts, so a sighting may go.
create or replace function work_removals_v1(p jsonb) returns table (records integer, accounts integer, waiting integer, through bigint)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_r removal;
  v_result text;
begin
  records := 0; accounts := 0; waiting := 0;
  for v_r in
    select * from removal r where r.id > coalesce((p->>'after')::bigint, 0) order by r.id
    limit (p->>'limit')::integer for update skip locked
  loop
    through := v_r.id;
    if v_r.collection is not null then
      delete from sighting s
      where s.account = v_r.account and s.collection = v_r.collection and s.rkey = v_r.rkey
        and s.at <= v_r.at and (s.rev is null or v_r.rev is null or s.rev <= v_r.rev);
      update subject s set observed = 'deleted', observed_at = v_now
      where s.kind = 'record' and s.account = v_r.account and s.collection = v_r.collection and s.rkey = v_r.rkey;
      delete from removal r where r.id = v_r.id;
      records := records + 1;
    else
      select e.result into v_result from erase_account_v2(jsonb_strip_nulls(jsonb_build_object(
        'account', v_r.account,
        'basis', coalesce(v_r.basis, case when v_r.principal is null then 'account deleted' end),
        'note', v_r.note, 'principal', v_r.principal, 'now', v_now))) e;
      if v_result = 'erased' then
        delete from removal r where r.id = v_r.id;
        accounts := accounts + 1;
      else
        waiting := waiting + 1;
      end if;
    end if;
  end loop;
  return next;
end $$;

-- p: did or case, reason, authority, principal, now. Locks the accounts: an erasure and a legal hold wait for each other.
create function place_legal_hold_v1(p jsonb) returns table (id integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_case integer := (p->>'case')::integer;
  v_account bigint;
begin
  if p->>'did' is not null then
    select a.id into v_account from account a where a.did = p->>'did' for key share;
    if not found then
      raise exception 'no account with this DID is known here: nothing is kept about it that a legal hold could keep'
        using errcode = 'BU001';
    end if;
  else
    perform 1 from case_file c where c.id = v_case for key share;
    if not found then
      raise exception 'there is no case %', v_case using errcode = 'BU001';
    end if;
    perform 1 from account a where a.id in (
      select d.account from decision d
      where d.case_file = v_case or d.blob_cid in (select cb.blob_cid from case_blob cb where cb.case_file = v_case)
    ) order by a.id for key share;
  end if;
  insert into legal_hold as h (account, case_file, reason, authority, principal, at)
  values (v_account, v_case, p->>'reason', p->>'authority', (p->>'principal')::integer, v_now)
  returning h.id into place_legal_hold_v1.id;
  perform note_v1('legal-hold.placed', actor((p->>'principal')::integer),
    jsonb_strip_nulls(jsonb_build_object('legalHold', place_legal_hold_v1.id, 'case', v_case)),
    jsonb_strip_nulls(jsonb_build_object('reason', p->>'reason', 'authority', p->>'authority', 'account', p->>'did')),
    v_account, null, null, 'legal-hold.placed:' || place_legal_hold_v1.id, v_now);
  return next;
end $$;

-- p: id, reason, principal, now. What waited for it is tried again within a minute.
create function lift_legal_hold_v1(p jsonb) returns table (account bigint, case_file integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_hold legal_hold;
begin
  update legal_hold h set lifted_at = v_now, lifted_by = (p->>'principal')::integer, lift_reason = p->>'reason'
  where h.id = (p->>'id')::integer and h.lifted_at is null
  returning h.* into v_hold;
  if not found then
    raise exception 'there is no legal hold % that stands', p->>'id' using errcode = 'BU001';
  end if;
  perform note_v1('legal-hold.lifted', actor((p->>'principal')::integer),
    jsonb_strip_nulls(jsonb_build_object('legalHold', v_hold.id, 'case', v_hold.case_file)),
    jsonb_build_object('reason', p->>'reason'), v_hold.account, null, null, 'legal-hold.lifted:' || v_hold.id, v_now);
  return query select v_hold.account, v_hold.case_file;
end $$;
