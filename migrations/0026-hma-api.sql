-- What HMA's interface changes and the command line does not: names and ends of banks, notes of contents, exchanges.

-- A bank that is gone keeps its number, because matches and decisions name it, and gives its name back.
alter table bank add column removed_at timestamptz;

-- Whoever knew it before it was removed, a command or an import, changes nothing in it.
create function refuse_removed_bank() returns trigger language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  raise exception 'bank ''%'' not found', old.name using errcode = 'BU001';
end $$;
create trigger bank_removed before update on bank for each row
  when (old.removed_at is not null) execute function refuse_removed_bank();

create function refuse_content_of_removed_bank() returns trigger language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  if exists (
    select from bank b where b.removed_at is not null and exists (
      select from changed c where c.bank = b.id and c.removed_at is null)
  ) then
    raise exception 'the bank was removed' using errcode = 'BU001';
  end if;
  return null;
end $$;
create trigger bank_content_added after insert on bank_content referencing new table as changed
  for each statement execute function refuse_content_of_removed_bank();
create trigger bank_content_changed after update on bank_content referencing new table as changed
  for each statement execute function refuse_content_of_removed_bank();

-- Ends a bank: its contents match nothing from now on, what they caused stays. Raises BU001 where it is too large for one
-- statement. Returns the generation of the change.
create function end_bank(p_bank bank, p_contents_max integer, p_principal integer, p_now timestamptz) returns bigint
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_generation bigint;
  v_contents integer;
begin
  select count(*) into v_contents from (
    select from bank_content c where c.bank = p_bank.id and c.removed_at is null limit p_contents_max + 1
  ) counted;
  if v_contents > p_contents_max then
    raise exception 'the bank has more than % contents: remove contents first', p_contents_max using errcode = 'BU001';
  end if;
  if exists (select from bank_import i where i.bank = p_bank.id and i.state not in ('done', 'refused')) then
    raise exception 'an import into the bank is open: end it first (bank import --abandon)' using errcode = 'BU001';
  end if;
  -- Whoever approved one of these would bring something into a bank that nobody sees.
  update proposal r set state = 'rejected', decided_by = p_principal, decided_at = p_now
  where r.bank = p_bank.id and r.state = 'open';
  update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
  update bank_signal s set state = 'removed', removed_generation = v_generation
  from bank_content c where c.bank = p_bank.id and c.removed_at is null and s.content = c.id and s.state = 'live';
  update bank_content c set removed_at = p_now where c.bank = p_bank.id and c.removed_at is null;
  delete from exchange e where e.bank = p_bank.id;
  -- With characters that no bank's name has, so that nobody's is in the way and none can be made.
  update bank b set name = left(p_bank.name, 230) || ' (removed ' || p_bank.id || ')', removed_at = p_now where b.id = p_bank.id;
  insert into bank_change (generation, op, bank, principal, at) values (v_generation, 'bank.remove', p_bank.id, p_principal, p_now);
  perform start_pass(v_generation, pass_of_negative(p_bank.policy), p_now);
  perform note_v1('bank.remove', actor(p_principal),
    jsonb_build_object('bank', 'b' || p_bank.id, 'generation', v_generation, 'contents', v_contents),
    jsonb_build_object('name', p_bank.name), null, null, null, 'bank:' || v_generation, p_now);
  return v_generation;
end $$;

-- p: op (bank.edit | bank.remove | content.edit), name, principal, now, and the fields of the op.
-- bank.edit: to (the new name), policy; either may be missing. bank.remove: contentsMax; of a bank that is not there it does
-- nothing. content.edit: content, disableUntilTs, note (null takes it away); either may be missing.
create function change_hma_v1(p jsonb) returns table (bank integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_content integer := (p->>'content')::integer;
  v_bank bank;
  v_generation bigint;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_bank from bank b where b.name = p->>'name' and b.removed_at is null for update;
  if not found then
    if p->>'op' = 'bank.remove' then
      return;
    end if;
    raise exception 'bank ''%'' not found', p->>'name' using errcode = 'BU001';
  end if;

  if p->>'op' = 'bank.remove' then
    perform end_bank(v_bank, (p->>'contentsMax')::integer, v_principal, v_now);
  elsif p->>'op' = 'bank.edit' then
    if p ? 'policy' then
      perform change_bank_v1(jsonb_build_object('op', 'bank.set', 'name', v_bank.name, 'policy', p->'policy',
        'principal', v_principal, 'now', v_now));
    end if;
    if p ? 'to' and p->>'to' <> v_bank.name then
      if exists (select from bank b where b.name = p->>'to') then
        raise exception 'Bank name already exists' using errcode = 'BU001';
      end if;
      update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
      -- An exchange and its bank have one name.
      update bank b set name = p->>'to', exchange = case when b.exchange is not null then p->>'to' end where b.id = v_bank.id;
      update hma_exchange h set name = p->>'to' from exchange e where e.bank = v_bank.id and h.name = e.name;
      update exchange e set name = p->>'to' where e.bank = v_bank.id;
      insert into bank_change (generation, op, bank, principal, at)
      values (v_generation, 'bank.rename', v_bank.id, v_principal, v_now);
      perform note_v1('bank.rename', actor(v_principal),
        jsonb_build_object('bank', 'b' || v_bank.id, 'generation', v_generation),
        jsonb_build_object('name', p->>'to', 'before', v_bank.name), null, null, null, 'bank:' || v_generation, v_now);
    end if;
  elsif p->>'op' = 'content.edit' then
    if p ? 'disableUntilTs' then
      perform change_bank_v1(jsonb_build_object('op', 'content.set', 'name', v_bank.name, 'content', v_content,
        'disableUntilTs', p->'disableUntilTs', 'principal', v_principal, 'now', v_now));
    end if;
    if p ? 'note' then
      update bank_content c set note = p->>'note' where c.id = v_content and c.bank = v_bank.id and c.removed_at is null;
      if not found then
        raise exception 'bank ''%'' has no content %', v_bank.name, v_content using errcode = 'BU001';
      end if;
      perform note_v1('content.note', actor(v_principal),
        jsonb_build_object('bank', 'b' || v_bank.id, 'content', v_content),
        jsonb_strip_nulls(jsonb_build_object('name', v_bank.name, 'note', p->>'note')),
        null, null, null, 'content-note:' || gen_random_uuid(), v_now);
    end if;
  end if;
  return query select v_bank.id;
end $$;

-- p: op (create | set | remove), name, principal, now. create: api, config, policy; makes the bank of that name as well, which is
-- restricted, confidential and observes. set: enabled. remove: contentsMax; takes its bank away too.
-- Of an exchange that is not there, remove does nothing.
create function change_exchange_v1(p jsonb) returns table (bank integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_exchange exchange;
  v_bank bank;
  v_number integer;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  if p->>'op' = 'create' then
    select c.bank into v_number from change_bank_v1(jsonb_build_object('op', 'bank.create', 'name', p->>'name',
      'mode', 'observe', 'class', 'restricted', 'confidential', true, 'exchange', p->>'name', 'policy', p->'policy',
      'principal', v_principal, 'now', v_now)) c;
    insert into exchange (name, bank, api, config, created_at)
    values (p->>'name', v_number, p->>'api', p->'config', v_now) returning * into v_exchange;
  else
    select * into v_exchange from exchange e where e.name = p->>'name' for update;
    if not found then
      if p->>'op' = 'remove' then
        return;
      end if;
      raise exception 'Exchange ''%'' not found', p->>'name' using errcode = 'BU001';
    end if;
    if p->>'op' = 'set' then
      update exchange e set enabled = (p->>'enabled')::boolean where e.name = v_exchange.name returning * into v_exchange;
    end if;
  end if;
  perform note_v1('exchange.' || (p->>'op'), actor(v_principal),
    jsonb_build_object('bank', 'b' || v_exchange.bank, 'api', v_exchange.api, 'enabled', v_exchange.enabled),
    jsonb_build_object('name', v_exchange.name), null, null, null, 'exchange-change:' || gen_random_uuid(), v_now);
  if p->>'op' = 'remove' then
    select * into v_bank from bank b where b.id = v_exchange.bank for update;
    perform end_bank(v_bank, (p->>'contentsMax')::integer, v_principal, v_now);
  end if;
  return query select v_exchange.bank;
end $$;

-- p: api, sealed (hex; missing: none any more), principal, now.
create function set_exchange_credentials_v1(p jsonb) returns void
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  if p ? 'sealed' then
    insert into exchange_credentials (api, sealed, updated_at)
    values (p->>'api', decode(p->>'sealed', 'hex'), (p->>'now')::timestamptz)
    on conflict (api) do update set sealed = excluded.sealed, updated_at = excluded.updated_at;
  else
    delete from exchange_credentials c where c.api = p->>'api';
  end if;
  perform note_v1('exchange.credentials', actor((p->>'principal')::integer),
    jsonb_build_object('api', p->>'api', 'set', p ? 'sealed'), null, null, null, null,
    'exchange-credentials:' || gen_random_uuid(), (p->>'now')::timestamptz);
end $$;

-- How much of HMA's interface answers for a signal type, as its clients set it. Scans follow the banks' own policies.
create table hma_signal_type (
  name text primary key,
  enabled_ratio double precision not null check (enabled_ratio between 0 and 1),
  updated_at timestamptz not null
);

-- p: name, ratio, principal, now.
create function set_hma_signal_type_v1(p jsonb) returns void
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into hma_signal_type (name, enabled_ratio, updated_at)
  values (p->>'name', (p->>'ratio')::double precision, (p->>'now')::timestamptz)
  on conflict (name) do update set enabled_ratio = excluded.enabled_ratio, updated_at = excluded.updated_at;
  perform note_v1('hma.signal-type', actor((p->>'principal')::integer),
    jsonb_build_object('signalType', p->>'name', 'ratio', p->>'ratio'), null, null, null, null,
    'hma-signal-type:' || gen_random_uuid(), (p->>'now')::timestamptz);
end $$;
