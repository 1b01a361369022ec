-- Step append: intake rows become entries, and only here is an action released. Caps, pauses and flood limits live here and nowhere else.

create function lead_ledger_v1(p jsonb) returns table (log text, size bigint, hash text, epoch bigint, at timestamptz)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  insert into ledger_head (log, size, hash, epoch, at)
  values (p->>'log', 0, decode(repeat('00', 32), 'hex'), 1, null)
  on conflict (one) do update set epoch = ledger_head.epoch + 1
  returning ledger_head.log, ledger_head.size, encode(ledger_head.hash, 'hex'), ledger_head.epoch, ledger_head.at
$$;

-- True while a person has stopped this action: everything, its kind, or every bank that caused it.
create function is_paused(p_action bigint, p_kind text) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from pause where resumed_at is null and (scope = 'all' or (scope = 'kind' and target = p_kind))
  ) or (
    exists (select from pause where resumed_at is null and scope = 'bank')
    and not exists (
      select from action_cause ac
      join bank_content c on c.id = ac.content
      where ac.action = p_action
        and not exists (select from pause p where p.resumed_at is null and p.scope = 'bank' and p.target = c.bank::text)
    )
    and exists (select from action_cause ac where ac.action = p_action)
  )
$$;

-- False when a person has since removed or disabled every content that caused this action.
create function has_live_cause(p_action bigint, p_now timestamptz) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from action_cause ac join bank_content c on c.id = ac.content
    where ac.action = p_action and c.removed_at is null
      and (c.disable_until_ts = 1 or c.disable_until_ts between 2 and extract(epoch from p_now))
  )
$$;

-- Whoever leads the ledger lets actions go, oldest first, as far as limits permit; the rest waits and says why.
-- A reversal takes something back: no cap and no flood limit keeps it.
create function release_actions(p_limits jsonb, p_now timestamptz) returns integer
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_action record;
  v_since timestamptz := p_now - interval '24 hours';
  v_takedowns integer;
  v_labels integer;
  v_flooded integer;
  v_released integer := 0;
  -- Asked once: with tens of thousands waiting, asking for each would hold up the ledger.
  v_paused boolean := exists (select from pause where resumed_at is null);
begin
  if not exists (select from action where state = 'planned' and intent_seq is not null) then
    return 0;
  end if;
  select
    (p_limits->>'takedownsPerDay')::integer - count(*) filter (where a.kind <> 'label'),
    (p_limits->>'labelsPerDay')::integer - count(*) filter (where a.kind = 'label')
  into v_takedowns, v_labels
  from action a where a.released_at > v_since and a.applied;

  if v_paused then
    update action a set waiting = 'paused'
    where a.state = 'planned' and a.intent_seq is not null and a.waiting is distinct from 'paused' and is_paused(a.id, a.kind);
    if exists (select from pause where resumed_at is null and scope = 'all') then
      return 0;
    end if;
  end if;

  -- What may not leave now is passed over in the query, so that it never stands in the way of what may.
  for v_action in
    select a.id, a.kind, a.applied, a.by_person, d.blob_cid
    from action a join decision d on d.id = a.decision
    where a.state = 'planned' and a.intent_seq is not null
      and (not a.applied or case when a.kind = 'label' then v_labels > 0 else v_takedowns > 0 end)
      and case when v_paused then not is_paused(a.id, a.kind) else true end
    order by a.applied, a.id limit 500 for no key update of a
  loop
    if v_action.applied and not v_action.by_person then
      if not has_live_cause(v_action.id, p_now) then
        update action set state = 'held', waiting = 'no-live-cause' where id = v_action.id;
        perform open_case(v_action.blob_cid, null, 'no-live-cause', p_now);
        perform ask_person(v_action.blob_cid);
        continue;
      end if;
      select ac.content into v_flooded from action_cause ac join bank_content c on c.id = ac.content
      where ac.action = v_action.id and (
        select count(*) from action_cause o
        where o.content = ac.content and o.released_at >= greatest(v_since, c.flood_since)
      ) >= (p_limits->>'actionsPerContent')::integer
      order by ac.content limit 1;
      if found then
        perform hold_for_flood(v_action.id, v_action.blob_cid, v_flooded, p_limits, p_now);
        continue;
      end if;
    end if;
    if v_action.applied and v_action.kind = 'label' then
      continue when v_labels <= 0;
      v_labels := v_labels - 1;
    elsif v_action.applied then
      continue when v_takedowns <= 0;
      v_takedowns := v_takedowns - 1;
    end if;
    update action set state = 'released', waiting = null, released_at = p_now, next_at = p_now where id = v_action.id;
    update action_cause set released_at = p_now
    where action = v_action.id and v_action.applied and not v_action.by_person;
    v_released := v_released + 1;
  end loop;

  update action a set waiting = 'daily-cap'
  where a.state = 'planned' and a.intent_seq is not null and a.waiting is null and a.applied
    and case when a.kind = 'label' then v_labels <= 0 else v_takedowns <= 0 end;
  return v_released;
end $$;

-- One content caused more than it may: its action waits in a case, and the content is set aside until a person looks.
create function hold_for_flood(p_action bigint, p_cid bytea, p_content integer, p_limits jsonb, p_now timestamptz)
  returns void language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_case case_file := open_case(p_cid, null, 'flood', p_now);
begin
  update action set state = 'held', waiting = 'flood' where id = p_action;
  perform ask_person(p_cid);
  update decision d set case_file = v_case.id from action a
  where a.id = p_action and d.id = a.decision and d.case_file is null;
  update bank_content set held_at = p_now where id = p_content and held_at is null;
  if found then
    perform note_v1('content.held', '{"kind":"system"}',
      jsonb_build_object('content', p_content, 'reason', 'flood', 'limit', (p_limits->>'actionsPerContent')::integer),
      null, null, null, null, 'content.held:' || p_content || ':' || extract(epoch from p_now), p_now);
  end if;
end $$;

-- Appends a batch (it may be empty: time alone may release what waited). The head moves by compare-and-set on size and
-- epoch; every hash and link is computed again here, so a fault in the process cannot enter the chain.
create function append_v1(p jsonb) returns table (size bigint, released integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_head ledger_head;
  v_count bigint := jsonb_array_length(p->'entries');
  v_deleted bigint;
  v_bad bigint;
  v_hash bytea;
begin
  select * into v_head from ledger_head for update;
  if v_head.size is distinct from (p->>'expectSize')::bigint or v_head.epoch is distinct from (p->>'epoch')::bigint then
    raise exception 'another sequencer leads the ledger: the head is at size % epoch %', v_head.size, v_head.epoch
      using errcode = 'BW001';
  end if;

  if v_count > 0 then
    select min(x.ord) into v_bad from (
      select e.ord, e.hash, sha256('\x00'::bytea || e.bytes) as computed,
        lag(e.hash, 1, v_head.hash) over (order by e.ord) as prev,
        convert_from(e.bytes, 'UTF8')::jsonb as doc
      from (
        select t.ord, decode(t.value->>'bytes', 'hex') as bytes, decode(t.value->>'hash', 'hex') as hash
        from jsonb_array_elements(p->'entries') with ordinality as t(value, ord)
      ) e
    ) x
    where x.hash <> x.computed
      or x.doc->>'prev' is distinct from encode(x.prev, 'hex')
      or (x.doc->>'seq')::bigint is distinct from v_head.size + x.ord - 1
      or x.doc->>'log' is distinct from v_head.log;
    if v_bad is not null then
      raise exception 'entry % of this batch does not follow the chain', v_bad using errcode = 'BW002';
    end if;

    insert into ledger_entry (seq, bytes, hash)
    select v_head.size + t.ord - 1, decode(t.value->>'bytes', 'hex'), decode(t.value->>'hash', 'hex')
    from jsonb_array_elements(p->'entries') with ordinality as t(value, ord);

    perform 1 from ledger_intake i
    where i.id in (select (t.value->>'intake')::bigint from jsonb_array_elements(p->'entries') as t(value))
    order by i.id for update;
    insert into ledger_private (seq, field, account, sealed)
    select v_head.size + t.ord - 1, f.field, f.account, decode(f.sealed, 'hex')
    from jsonb_array_elements(p->'entries') with ordinality as t(value, ord)
    -- Emptied by an erasure since it was read: then nothing is kept behind the commitment.
    join ledger_intake i on i.id = (t.value->>'intake')::bigint
    cross join jsonb_to_recordset(coalesce(t.value->'private', '[]')) as f(field text, account bigint, sealed text)
    where i.private ? f.field;

    -- Intent and result of one action may be in one batch: it was stopped before anything was sent.
    update action a set
      intent_seq = coalesce(x.intent_seq, a.intent_seq),
      result_seq = coalesce(x.result_seq, a.result_seq)
    from (
      select i.action_id,
        max(v_head.size + t.ord - 1) filter (where i.phase = 'intent') as intent_seq,
        max(v_head.size + t.ord - 1) filter (where i.phase = 'result') as result_seq
      from jsonb_array_elements(p->'entries') with ordinality as t(value, ord)
      join ledger_intake i on i.id = (t.value->>'intake')::bigint
      where i.action_id is not null
      group by i.action_id
    ) x
    where a.id = x.action_id;

    delete from ledger_intake i
    using jsonb_array_elements(p->'entries') as t(value)
    where i.id = (t.value->>'intake')::bigint;
    get diagnostics v_deleted = row_count;
    if v_deleted <> v_count then
      raise exception '% intake rows for % entries', v_deleted, v_count using errcode = 'BW002';
    end if;

    select decode(p->'entries'->(v_count::integer - 1)->>'hash', 'hex') into v_hash;
    -- Never back: the time of the next entry starts here, on whatever machine it is made.
    update ledger_head h set size = h.size + v_count, hash = v_hash, at = greatest(h.at, v_now);
  end if;

  return query select v_head.size + v_count, release_actions(p->'limits', v_now);
end $$;
