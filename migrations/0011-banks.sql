-- Step change_bank: every change of a bank raises the generation, is an entry, and starts a pass over stored signals.

-- p: op (bank.create | bank.set | content.add | content.remove | content.set | content.resume), principal, now, and the fields of the op.
create function change_bank_v1(p jsonb) returns table (bank integer, content integer, generation bigint)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_op text := p->>'op';
  v_bank bank;
  v_before jsonb;
  v_content integer := (p->>'content')::integer;
  v_generation bigint;
begin
  -- Waits for every scan and batch that is being written with the generation of before.
  perform pg_advisory_xact_lock(bank_lock_key());
  update bank_head set generation = bank_head.generation + 1 returning bank_head.generation into v_generation;

  if v_op = 'bank.create' then
    insert into bank (name, mode, class, confidential, exchange, policy, created_at)
    values (p->>'name', p->>'mode', p->>'class', coalesce((p->>'confidential')::boolean, false), p->>'exchange',
      p->'policy', v_now)
    on conflict (name) do nothing
    returning * into v_bank;
    if not found then
      raise exception 'Bank already exists' using errcode = 'BU001';
    end if;
    insert into bank_policy_history values (v_bank.id, 1, p->'policy', v_principal, v_now);
  else
    select * into v_bank from bank b where b.name = p->>'name' for update;
    if not found then
      raise exception 'bank ''%'' not found', p->>'name' using errcode = 'BU001';
    end if;
    v_before := jsonb_build_object('mode', v_bank.mode, 'policy', v_bank.policy);
  end if;

  if v_op = 'bank.set' then
    update bank b set mode = coalesce(p->>'mode', b.mode), policy = coalesce(p->'policy', b.policy),
      policy_version = b.policy_version + 1
    where b.id = v_bank.id returning * into v_bank;
    insert into bank_policy_history values (v_bank.id, v_bank.policy_version, v_bank.policy, v_principal, v_now);
  elsif v_op = 'content.add' then
    insert into bank_content (bank, note, metadata, provenance, created_at)
    values (v_bank.id, p->>'note', p->'metadata', p->'provenance', v_now)
    returning id into v_content;
    insert into bank_signal (content, type, value, quality, added_generation)
    select v_content, s.type, decode(s.value, 'hex'), s.quality, v_generation
    from jsonb_to_recordset(p->'signals') as s(type text, value text, quality smallint);
  elsif v_op in ('content.remove', 'content.set', 'content.resume') then
    perform 1 from bank_content c where c.id = v_content and c.bank = v_bank.id and c.removed_at is null for update;
    if not found then
      raise exception 'bank ''%'' has no content %', p->>'name', v_content using errcode = 'BU001';
    end if;
    if v_op = 'content.remove' then
      update bank_content set removed_at = v_now where id = v_content;
      update bank_signal s set state = 'removed', removed_generation = v_generation
      where s.content = v_content and s.state = 'live';
    elsif v_op = 'content.set' then
      update bank_content set disable_until_ts = (p->>'disableUntilTs')::bigint where id = v_content;
    else
      -- A person looked at the flood: the content may act again, under a limit that counts anew.
      update bank_content set held_at = null, flood_since = v_now where id = v_content;
    end if;
  end if;

  insert into bank_change (generation, op, bank, content, principal, at)
  values (v_generation, v_op, v_bank.id, v_content, v_principal, v_now);

  -- What may match now and did not before: a pass over stored signals finds it.
  if v_op = 'content.add' or (v_op = 'content.set' and p->>'disableUntilTs' = '1')
    or (v_op = 'bank.set' and (v_bank.policy->>'pdqDistanceMax')::integer > (v_before#>>'{policy,pdqDistanceMax}')::integer)
  then
    insert into job (kind, key, next_at, reason, retro, detail, created_at)
    values ('rematch', int8send(v_generation), v_now, 'bank-change', v_generation,
      jsonb_strip_nulls(jsonb_build_object('content', v_content, 'bank', v_bank.id)), v_now);
  end if;

  perform note_v1(v_op, actor(v_principal),
    jsonb_strip_nulls(jsonb_build_object('bank', 'b' || v_bank.id, 'content', v_content, 'generation', v_generation,
      'before', v_before, 'disableUntilTs', p->'disableUntilTs', 'mode', p->>'mode', 'class', p->>'class', 'policy', p->'policy',
      'signals', (select jsonb_agg(distinct s.type) from jsonb_to_recordset(coalesce(p->'signals', '[]')) as s(type text)))),
    jsonb_strip_nulls(jsonb_build_object('name', v_bank.name, 'note', p->>'note')),
    null, null, null, 'bank:' || v_generation, v_now);
  return query select v_bank.id, v_content, v_generation;
end $$;

-- One page of a pass over stored signals: the blobs after p.after that were last matched before this generation.
-- The caller matches them and hands back those that need a scan job.
create function rematch_page_v1(p jsonb) returns table (cid text, pdq text, quality smallint, md5 text, sha1 text)
  language sql stable security definer set search_path = blobwatch, pg_temp as $$
  select encode(b.blob_cid, 'hex'), encode(b.pdq, 'hex'), b.quality, encode(b.md5, 'hex'), encode(b.sha1, 'hex')
  from blob b
  where b.blob_cid > decode(coalesce(p->>'after', ''), 'hex') and b.bank_generation < (p->>'generation')::bigint
  order by b.blob_cid
  limit (p->>'limit')::integer
$$;

-- Records a page of a pass: raises the jobs, moves the position, and ends the pass when it was the last page.
create function rematch_advance_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_key bytea := int8send((p->>'generation')::bigint);
  v_found jsonb;
begin
  perform 1 from job j where j.kind = 'rematch' and j.key = v_key and j.lease_token = (p->>'token')::uuid for update;
  if not found then
    return query select 'lost';
    return;
  end if;
  -- What was found before by the same signal was decided before.
  for v_found in select m from jsonb_array_elements(p->'matched') m order by m->>'cid' loop
    if exists (
      select from jsonb_array_elements_text(v_found->'signals') s
      where not exists (
        select from match m where m.blob_cid = decode(v_found->>'cid', 'hex') and m.signal = s::integer
      )
    ) then
      perform raise_scan_job(decode(v_found->>'cid', 'hex'), 'bank-change', (p->>'generation')::bigint, v_now);
    end if;
  end loop;
  if (p->>'done')::boolean then
    delete from job j where j.kind = 'rematch' and j.key = v_key;
    return query select 'done';
  else
    update job j set detail = j.detail || jsonb_build_object('after', p->>'after'),
      lease_until = v_now + make_interval(secs => (p->>'leaseSeconds')::double precision)
    where j.kind = 'rematch' and j.key = v_key;
    return query select 'more';
  end if;
end $$;
