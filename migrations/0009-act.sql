-- Steps claim_action and finish: one action leaves, its result is recorded with it.

create function our_ref(p_subject bigint) returns text
  language sql stable set search_path = blobwatch, pg_temp as $$
  select 'blobwatch:' || id || ':' || p_subject from deployment
$$;

-- A result without a send: the action ended before anything left.
create function end_action(p_action bigint, p_state text, p_why text, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  update action set state = p_state, ended_at = p_now, last_error = p_why, waiting = null,
    lease_token = null, lease_until = null
  where id = p_action;
  perform note_v1('action.result', '{"kind":"system"}',
    jsonb_build_object('action', p_action, 'outcome', p_state, 'reason', p_why),
    null, null, p_action, 'result', 'result:' || p_action || ':' || p_state, p_now);
end $$;

-- The next released action that may leave now. One in flight a subject; an older revision ends superseded; an action
-- older than the age limit is dead and stays in view; a pause stops it here too, in every process at once.
create function claim_action_v1(p jsonb) returns table (
  action bigint, token uuid, kind text, applied boolean, attempts integer, ref text, detail jsonb,
  account bigint, did text, blob_cid text, collection text, rkey text, record_cid text, source text
) language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_until timestamptz := v_now + make_interval(secs => (p->>'leaseSeconds')::double precision);
  v_a action;
begin
  loop
    select a.* into v_a from action a
    where (a.state = 'released' or (a.state = 'sending' and a.lease_until < v_now))
      and a.next_at <= v_now
      and a.kind = any (array(select jsonb_array_elements_text(p->'kinds')))
      and not is_paused(a.id, a.kind)
      and not exists (
        select from action o where o.subject = a.subject and o.id <> a.id and o.state = 'sending' and o.lease_until >= v_now
      )
    order by a.next_at
    limit 1
    for no key update skip locked;
    if not found then
      return;
    end if;
    -- Looked at again with the subject locked: another worker may have taken its other action in the meantime.
    perform 1 from subject s where s.id = v_a.subject for no key update;
    if exists (
      select from action o where o.subject = v_a.subject and o.id <> v_a.id and o.state = 'sending' and o.lease_until >= v_now
    ) then
      continue;
    end if;
    if exists (
      select from action o where o.subject = v_a.subject and o.kind = v_a.kind and o.revision > v_a.revision
        and o.detail->>'val' is not distinct from v_a.detail->>'val'
    ) then
      perform end_action(v_a.id, 'superseded', 'a newer decision', v_now);
      continue;
    end if;
    if v_a.released_at < v_now - make_interval(secs => (p->>'ageSecondsMax')::double precision) then
      perform end_action(v_a.id, 'dead', coalesce(v_a.last_error, 'too old'), v_now);
      continue;
    end if;
    exit;
  end loop;
  update action a set state = 'sending', attempts = a.attempts + 1, lease_token = gen_random_uuid(), lease_until = v_until
  where a.id = v_a.id
  returning a.* into v_a;
  return query
  select v_a.id, v_a.lease_token, v_a.kind, v_a.applied, v_a.attempts, our_ref(v_a.subject), v_a.detail,
    s.account, ac.did, encode(coalesce(s.blob_cid, d.blob_cid), 'hex'), s.collection, s.rkey, encode(s.record_cid, 'hex'), d.source
  from subject s join account ac on ac.id = s.account, decision d
  where s.id = v_a.subject and d.id = v_a.decision;
end $$;

-- p.outcome: done | refused | retry. A label is written here, with its sequence number, in commit order.
create function finish_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_a action;
  v_s subject;
  v_seq bigint;
begin
  select * into v_a from action a
  where a.id = (p->>'action')::bigint and a.lease_token = (p->>'token')::uuid and a.state = 'sending'
  for no key update;
  if not found then
    return query select 'lost';
    return;
  end if;

  if p->>'outcome' = 'retry' then
    update action set state = 'released', lease_token = null, lease_until = null,
      next_at = (p->>'nextAt')::timestamptz, last_error = p->>'reason'
    where id = v_a.id;
    return query select 'retry';
    return;
  end if;

  select * into v_s from subject where id = v_a.subject for no key update;
  if p->>'outcome' = 'done' and p->'label' is not null then
    update label_head set seq = seq + 1 returning seq into v_seq;
    delete from label l
    where l.src = p#>>'{label,src}' and l.uri = p#>>'{label,uri}' and l.val = p#>>'{label,val}';
    insert into label (seq, src, uri, cid, val, neg, cts, sig, key_did, account, action_id)
    values (v_seq, p#>>'{label,src}', p#>>'{label,uri}', p#>>'{label,cid}', p#>>'{label,val}',
      coalesce((p#>>'{label,neg}')::boolean, false), p#>>'{label,cts}', decode(p#>>'{label,sig}', 'hex'),
      p#>>'{label,keyDid}', v_s.account, v_a.id);
  end if;

  if v_a.kind <> 'label' and p->>'outcome' = 'done' then
    update subject set
      observed = case when v_a.applied then 'taken-down' else 'none' end,
      observed_ref = p#>>'{detail,ref}',
      observed_at = v_now,
      standing = case
        when standing = 'released-by-person' then standing
        when v_a.applied then 'taken-down'
        else 'none' end
    where id = v_s.id;
  end if;

  update action set state = p->>'outcome', ended_at = v_now, lease_token = null, lease_until = null,
    last_error = p->>'reason',
    -- The label's cid is kept for its negation, which must name the same version.
    detail = coalesce(detail, '{}') || coalesce(p->'detail', '{}')
      || case when p->'label' is null then '{}' else jsonb_strip_nulls(jsonb_build_object('cid', p#>'{label,cid}')) end
  where id = v_a.id;
  perform note_v1('action.result', '{"kind":"system"}',
    jsonb_strip_nulls(jsonb_build_object('action', v_a.id, 'outcome', p->>'outcome', 'reason', p->>'reason',
      'detail', (p->'detail') - 'theirs', 'labelSeq', v_seq, 'attempts', v_a.attempts)),
    -- A stranger's free text is no part of what the ledger shows.
    jsonb_strip_nulls(jsonb_build_object('theirs', p#>>'{detail,theirs}')), v_s.account, v_a.id, 'result', 'result:' || v_a.id || ':' || (p->>'outcome'), v_now);
  return query select p->>'outcome';
end $$;
