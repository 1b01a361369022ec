-- Step withdraw and what people decide: confirm, release, overturn; pause and resume; erasure.

create function principal_v1(p_kind text, p_name text, p_now timestamptz) returns integer
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_id integer;
begin
  select id into v_id from principal where name = p_name;
  if found then
    return v_id;
  end if;
  insert into principal (kind, name, created_at) values (p_kind, p_name, p_now)
  on conflict (name) do nothing
  returning id into v_id;
  if v_id is null then
    select id into v_id from principal where name = p_name;
    return v_id;
  end if;
  perform note_v1('principal.added', '{"kind":"system"}', jsonb_build_object('principal', v_id, 'kind', p_kind),
    jsonb_build_object('name', p_name), null, null, null, 'principal.added:' || v_id, p_now);
  return v_id;
end $$;

create function actor(p_principal integer) returns jsonb
  language sql stable set search_path = blobwatch, pg_temp as $$
  select jsonb_build_object('kind', kind, 'principal', id) from principal where id = p_principal
$$;

-- Takes back one action. Nothing was sent: nothing will be. Something was or may have been: a reversal is planned, which
-- leaves only if the other side's reference is still ours. An action with another live cause stays.
create function withdraw_action(p_action bigint, p_decision bigint, p_why text, p_now timestamptz) returns text
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_a action;
  v_force action;
  v_newest action;
  v_new bigint;
  v_stopped boolean := false;
begin
  select * into v_a from action where id = p_action for no key update;
  if v_a.state in ('held', 'planned') or (v_a.state = 'released' and v_a.attempts = 0) then
    perform end_action(v_a.id, 'superseded', p_why, p_now);
    update subject set wanted = 'none', revision = revision + 1 where id = v_a.subject and v_a.kind <> 'label';
    v_stopped := true;
  end if;
  select * into v_newest from action a where a.subject = v_a.subject and a.kind = v_a.kind order by a.revision desc limit 1;
  -- What may be in force: the newest revision of which anything may have left, whatever came after it.
  select * into v_force from action a
  where a.subject = v_a.subject and a.kind = v_a.kind and a.detail->>'val' is not distinct from v_a.detail->>'val'
    and a.applied and a.attempts > 0
    and (a.kind <> 'label' or a.state in ('done', 'sending'))
  order by a.revision desc limit 1;
  if v_force.id is not null and not exists (
    select from action r where r.subject = v_a.subject and r.kind = v_a.kind
      and r.detail->>'val' is not distinct from v_a.detail->>'val' and not r.applied
      and r.revision > v_force.revision and r.state not in ('refused', 'dead', 'superseded')
  ) then
    insert into action (decision, subject, kind, applied, undoes, revision, idem, state, by_person, detail, created_at)
    values (v_force.decision, v_a.subject, v_a.kind, false, v_force.id, v_newest.revision + 1,
      v_a.kind || ':' || v_a.subject || ':' || (v_newest.revision + 1), 'planned', true,
      v_force.detail - 'readBack', p_now)
    on conflict do nothing
    returning id into v_new;
    if v_new is not null then
      insert into action_cause (action, content) select v_new, content from action_cause where action = v_force.id;
      update subject set wanted = 'none', revision = revision + 1 where id = v_a.subject and v_a.kind <> 'label' and not v_stopped;
      perform note_intent(v_new, p_now);
      return 'reversing';
    end if;
  end if;
  return case when v_stopped then 'stopped' else 'none' end;
end $$;

-- p: case, verb (confirm | release | overturn | note), principal, note, now.
create function decide_case_v1(p jsonb) returns table (state text, actions integer, subjects integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_verb text := p->>'verb';
  v_case case_file;
  v_state text;
  v_actions integer := 0;
  v_subjects integer := 0;
  v_a record;
begin
  select * into v_case from case_file where id = (p->>'case')::integer for no key update;
  if not found then
    raise exception 'there is no case %', p->>'case' using errcode = 'BU001';
  end if;
  v_state := case v_verb when 'confirm' then 'confirmed' when 'release' then 'released'
    when 'overturn' then 'overturned' else v_case.state end;
  if v_verb = 'release' and v_case.state = 'acted' then
    raise exception 'case % has been acted on: use overturn', v_case.id using errcode = 'BU001';
  end if;
  if v_verb = 'confirm' and v_case.state not in ('open', 'acted') or v_verb = 'release' and v_case.state <> 'open' then
    raise exception 'case % is % already', v_case.id, v_case.state using errcode = 'BU001';
  end if;
  if v_verb = 'overturn' and v_case.state not in ('open', 'acted', 'confirmed') then
    raise exception 'case % is % already', v_case.id, v_case.state using errcode = 'BU001';
  end if;
  if v_verb = 'overturn' and v_case.state = 'open' and not exists (
    select from action a join decision d on d.id = a.decision join case_blob cb on cb.blob_cid = d.blob_cid
    where cb.case_file = v_case.id and a.state in ('done', 'sending', 'released')
  ) then
    raise exception 'case % has not been acted on: use release', v_case.id using errcode = 'BU001';
  end if;

  insert into case_event (case_file, at, principal, event, note)
  values (v_case.id, v_now, v_principal, v_verb, p->>'note');

  if v_verb <> 'note' then
    update case_file set state = v_state, decided_at = v_now, decided_by = v_principal where id = v_case.id;
  end if;

  if v_verb = 'confirm' then
    -- By what was decided about these blobs, not by who asked first: a record action of two pictures is in both cases.
    for v_a in
      select a.id from action a
      where a.state in ('held', 'planned') and a.applied and a.id in (
        select o.id
        from case_blob cb
        join decision d on d.blob_cid = cb.blob_cid
        join subject s on s.account = d.account and (s.id = d.subject or s.blob_cid = d.blob_cid)
        join action o on o.subject = s.id
        where cb.case_file = v_case.id and d.outcome in ('held', 'acted') and o.kind = any (d.wants)
      )
      order by a.id for no key update
    loop
      update action set state = 'planned', waiting = null, by_person = true where id = v_a.id;
      perform note_intent(v_a.id, v_now);
      v_actions := v_actions + 1;
    end loop;
    update subject s set standing = 'none'
    from decision d join case_blob cb on cb.blob_cid = d.blob_cid
    where cb.case_file = v_case.id and s.standing = 'released-by-person'
      and s.account = d.account and (s.id = d.subject or (s.kind = 'blob' and s.blob_cid = d.blob_cid));
  elsif v_verb in ('release', 'overturn') then
    -- Only the newest revision of each subject and kind stands for something; an action that another case's content
    -- still causes (a second picture in the same record) stays.
    for v_a in
      select distinct on (a.subject, a.kind, a.detail->>'val') a.id, a.subject
      from action a
      join action_cause ac on ac.action = a.id
      join match m on m.content = ac.content
      join case_blob cb on cb.blob_cid = m.blob_cid
      join subject s on s.id = a.subject
      where cb.case_file = v_case.id and a.applied
        and exists (
          select from decision d where d.blob_cid = cb.blob_cid and d.account = s.account
            and (d.subject = a.subject or s.blob_cid = d.blob_cid)
        )
        and not exists (
          select from action o where o.subject = a.subject and o.kind = a.kind and o.revision > a.revision
            and o.detail->>'val' is not distinct from a.detail->>'val'
        )
        and not exists (
          select from decision d2
          where d2.subject = a.subject and s.kind = 'record' and d2.outcome in ('acted', 'held') and a.kind = any (d2.wants)
            and d2.blob_cid not in (select blob_cid from case_blob where case_file = v_case.id)
            and coalesce((
              select c2.state from case_blob cb2 join case_file c2 on c2.id = cb2.case_file where cb2.blob_cid = d2.blob_cid
            ), 'none') not in ('released', 'overturned')
        )
      order by a.subject, a.kind, a.detail->>'val', a.revision desc
    loop
      if withdraw_action(v_a.id, null, v_verb, v_now) <> 'none' then
        v_actions := v_actions + 1;
      end if;
    end loop;
    -- A person released these: nothing is done to them again without a person.
    update subject s set standing = 'released-by-person'
    from decision d join case_blob cb on cb.blob_cid = d.blob_cid
    where cb.case_file = v_case.id and s.account = d.account and s.kind = 'blob' and s.blob_cid = d.blob_cid;
  end if;

  select count(distinct d.subject) into v_subjects
  from decision d join case_blob cb on cb.blob_cid = d.blob_cid where cb.case_file = v_case.id;

  perform note_v1('case.' || v_verb, actor(v_principal),
    jsonb_build_object('case', v_case.id, 'before', v_case.state, 'after', v_state, 'actions', v_actions),
    case when p->>'note' is not null then jsonb_build_object('note', p->>'note') end,
    null, null, null, 'case:' || v_case.id || ':' || v_verb || ':' || gen_random_uuid(), v_now);
  return query select v_state, v_actions, v_subjects;
end $$;

create function pause_v1(p jsonb) returns table (changed boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_changed boolean;
begin
  if (p->>'on')::boolean then
    insert into pause (scope, target, reason, principal, at)
    values (p->>'scope', coalesce(p->>'target', ''), p->>'reason', v_principal, v_now)
    on conflict (scope, target) where resumed_at is null do nothing;
    v_changed := found;
  else
    update pause set resumed_at = v_now, resumed_by = v_principal
    where resumed_at is null and (p->>'scope' = 'all' and p->>'target' is null
      or scope = p->>'scope' and target = coalesce(p->>'target', ''));
    v_changed := found;
    update action set waiting = null where state = 'planned' and waiting = 'paused';
  end if;
  if v_changed then
    perform note_v1(case when (p->>'on')::boolean then 'actions.paused' else 'actions.resumed' end, actor(v_principal),
      jsonb_strip_nulls(jsonb_build_object('scope', p->>'scope',
        'target', case when p->>'scope' = 'bank' then 'b' || (p->>'target') else p->>'target' end)),
      jsonb_strip_nulls(jsonb_build_object('reason', p->>'reason')),
      null, null, null, 'pause:' || gen_random_uuid(), v_now);
  end if;
  return query select v_changed;
end $$;
