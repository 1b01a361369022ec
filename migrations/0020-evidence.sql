-- The evidence vault: what was kept, where, until when, who asked for it to go.
-- Both copies of a piece of evidence are age files in a store (docs/evidence.md). No file's bytes are in here, and no key.

-- Names given out before anything is written under them. A row here is of a file that no evidence counts yet; what a
-- process that died left behind is found by it and removed a day later, in any store, without listing the store.
create table evidence_plan (
  id bigint generated always as identity primary key,
  blob_cid bytea not null,
  account bigint not null,
  sealed_object text not null unique,
  working_object text not null unique,
  planned_at timestamptz not null
);
create index evidence_plan_at on evidence_plan (planned_at);

-- No foreign keys: cases are merged, accounts erased, and what was kept stays what it was.
create table evidence (
  id bigint primary key,
  blob_cid bytea not null,
  account bigint not null,
  case_file integer not null,
  decision bigint not null,
  -- For people, without the account's name: media, bytes, bank, pds, source, seenAt, collection, rkey, record (kept or why not).
  facts jsonb not null,
  sealed_object text not null,
  sealed_bytes bigint not null,
  sealed_sha256 bytea not null,
  working_object text not null,
  working_bytes bigint not null,
  working_sha256 bytea not null,
  -- kept: both copies. sealed: the working copy is gone. destroyed: both are.
  state text not null default 'kept' check (state in ('kept', 'sealed', 'destroyed')),
  kept_at timestamptz not null,
  -- At least; a confirmed case starts the year anew (evidence_sealed_until).
  sealed_until timestamptz not null,
  working_until timestamptz not null,
  -- A destruction that was begun: which copies, why, and since when it was last tried.
  going text check (going in ('working', 'both')),
  going_basis text,
  going_request integer,
  going_at timestamptz,
  working_gone_at timestamptz,
  destroyed_at timestamptz,
  -- The basis of the last destruction: clock, case-finished, case-released, case-overturned, authority.
  reason text
);
create unique index evidence_live on evidence (blob_cid, account)
  where state <> 'destroyed' and going is distinct from 'both';
create index evidence_there on evidence (id) where state <> 'destroyed';
create index evidence_account on evidence (account);

-- Since when a blob's decisions wait for its evidence. The ten minutes are measured from here, over restarts.
create table evidence_wait (
  blob_cid bytea primary key,
  since timestamptz not null
);

-- To destroy before the clock: one asks, another approves.
create table evidence_request (
  id integer generated always as identity primary key,
  evidence bigint not null references evidence,
  principal integer not null references principal,
  at timestamptz not null,
  state text not null default 'open' check (state in ('open', 'approved', 'rejected')),
  decided_by integer references principal,
  decided_at timestamptz
);
create unique index evidence_request_open on evidence_request (evidence) where state = 'open';

-- The case that a piece of evidence belongs to now: cases are merged when a flood is found.
create function evidence_case(e evidence) returns integer
  language sql stable set search_path = blobwatch, pg_temp as $$
  select coalesce((select cb.case_file from case_blob cb where cb.blob_cid = e.blob_cid), e.case_file)
$$;

-- Only a legal hold: an open case keeps nothing beyond its clock.
create function evidence_held(e evidence) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from legal_hold h
    where h.lifted_at is null and (h.account = e.account or h.case_file in (e.case_file, evidence_case(e)))
  )
$$;

create function evidence_sealed_until(e evidence) returns timestamptz
  language sql stable set search_path = blobwatch, pg_temp as $$
  select greatest(e.sealed_until, (
    select c.decided_at + interval '1 year' from case_file c where c.id = evidence_case(e) and c.state = 'confirmed'))
$$;

-- A confirmed case is finished when nothing that it asked for is on its way. A part that needs the working copy longer
-- (a report) adds its condition here.
create function evidence_case_finished(e evidence) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from case_file c where c.id = evidence_case(e) and c.state = 'confirmed'
  ) and not exists (
    select from decision d join action a on a.decision = d.id
    where d.blob_cid = e.blob_cid and d.account = e.account and a.state in ('held', 'planned', 'released', 'sending', 'dead')
  )
$$;

-- p: cid, retro, now, places [{account, sealed, working}]. Gives out names for the accounts of which nothing is kept yet;
-- case_file: where it is known before the decision.
create function plan_evidence_v1(p jsonb) returns table (id bigint, account bigint, case_file integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_cid bytea := decode(p->>'cid', 'hex');
begin
  return query
    with planned as (
      insert into evidence_plan (blob_cid, account, sealed_object, working_object, planned_at)
      select v_cid, x.account, x.sealed, x.working, (p->>'now')::timestamptz
      from jsonb_to_recordset(p->'places') as x(account bigint, sealed text, working text)
      where not exists (
        select from evidence e where e.blob_cid = v_cid and e.account = x.account
          and e.state <> 'destroyed' and e.going is distinct from 'both')
      returning id, account
    )
    select n.id, n.account, coalesce(
        (select cb.case_file from case_blob cb where cb.blob_cid = v_cid),
        (select c.id from case_file c where c.key = 'retro:' || (p->>'retro') and c.state = 'open'))
    from planned n order by n.id;
end $$;

-- Of a settle: the copies that were stored before it, and what could not be kept. Only where something is held or acted.
create function note_evidence(p_cid bytea, p jsonb, p_held jsonb, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_x jsonb;
  v_held jsonb;
  v_kept evidence;
  v_plan evidence_plan;
  v_private jsonb;
begin
  for v_x in select x from jsonb_array_elements(coalesce(p->'kept', '[]')) x order by (x->>'id')::bigint loop
    v_held := p_held->(v_x->>'account');
    continue when v_held is null;
    v_private := jsonb_build_object('account', v_held->>'did', 'blob', encode(p_cid, 'hex'));
    delete from evidence_plan n where n.id = (v_x->>'id')::bigint and n.blob_cid = p_cid
      and n.account = (v_x->>'account')::bigint returning * into v_plan;
    continue when not found;
    insert into evidence (id, blob_cid, account, case_file, decision, facts, sealed_object, sealed_bytes, sealed_sha256,
      working_object, working_bytes, working_sha256, kept_at, sealed_until, working_until)
    values (v_plan.id, p_cid, v_plan.account, (v_held->>'case')::integer, (v_held->>'decision')::bigint, v_x->'facts',
      v_plan.sealed_object, (v_x->>'sealedBytes')::bigint, decode(v_x->>'sealedSha256', 'hex'),
      v_plan.working_object, (v_x->>'workingBytes')::bigint, decode(v_x->>'workingSha256', 'hex'),
      p_now, p_now + interval '1 year', p_now + interval '30 days')
    on conflict (blob_cid, account) where state <> 'destroyed' and going is distinct from 'both' do nothing
    returning * into v_kept;
    if not found then
      -- Somebody else was quicker: these two files are nobody's, and are found again by their plan.
      insert into evidence_plan (blob_cid, account, sealed_object, working_object, planned_at)
      values (p_cid, v_plan.account, v_plan.sealed_object, v_plan.working_object, v_plan.planned_at);
      continue;
    end if;
    perform note_v1('evidence.kept', '{"kind":"system"}',
      jsonb_build_object('evidence', v_kept.id, 'case', v_kept.case_file, 'decision', v_kept.decision,
        'sealedBytes', v_kept.sealed_bytes, 'sealedSha256', v_x->>'sealedSha256',
        'workingSha256', v_x->>'workingSha256', 'sealedUntil', v_kept.sealed_until, 'workingUntil', v_kept.working_until),
      v_private, v_kept.account, null, null, 'evidence.kept:' || v_kept.id, p_now);
  end loop;

  for v_x in select x from jsonb_array_elements(coalesce(p->'missed', '[]')) x order by (x->>'account')::bigint loop
    v_held := p_held->(v_x->>'account');
    continue when v_held is null;
    perform note_v1('evidence.missed', '{"kind":"system"}',
      jsonb_strip_nulls(jsonb_build_object('case', v_held->'case', 'decision', v_held->'decision', 'reason', v_x->>'reason',
        'waitedSeconds', v_x->'waitedSeconds')),
      jsonb_build_object('account', v_held->>'did', 'blob', encode(p_cid, 'hex')),
      (v_x->>'account')::bigint, null, null, 'evidence.missed:' || (v_held->>'decision'), p_now);
  end loop;
  if (p->>'waits')::boolean then
    insert into evidence_wait (blob_cid, since) values (p_cid, p_now) on conflict do nothing;
  else
    delete from evidence_wait w where w.blob_cid = p_cid;
  end if;
end $$;

-- As before, and: evidence that was stored is recorded with the decisions it belongs to; deferred.evidence starts the wait.
create or replace function settle_v1(p jsonb) returns table (result text, decisions integer, case_file integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_cid bytea := decode(p->>'cid', 'hex');
  v_generation bigint := bank_generation_v1();
  v_job job;
  v_case case_file;
  v_d jsonb;
  v_subject subject;
  v_blob_subject subject;
  v_record_subject subject;
  v_outcome text;
  v_reason text;
  v_decision bigint;
  v_kind text;
  v_contents integer[];
  v_decisions integer := 0;
  v_through timestamptz;
  v_grown bigint;
  v_flooded integer;
  -- account -> the decision and the case by which something was held or acted here.
  v_held jsonb := '{}';
begin
  select * into v_job from job j
  where j.kind = 'scan' and j.key = v_cid and j.lease_token = (p->>'token')::uuid for update;
  if not found then
    return query select 'lost', 0, null::integer;
    return;
  end if;

  insert into fetch_try (blob_cid, host, outcome, at, until)
  select v_cid, t.host, t.outcome, v_now, t.until
  from jsonb_to_recordset(coalesce(p->'tries', '[]')) as t(host text, outcome text, until timestamptz)
  order by t.host
  on conflict (blob_cid, host) do update set
    outcome = excluded.outcome, at = excluded.at, until = excluded.until, attempts = fetch_try.attempts + 1;

  if p->'deferred' is not null then
    update job j set
      lease_token = null, lease_until = null,
      reason = p#>>'{deferred,reason}',
      next_at = case when j.generation = (p->>'generation')::bigint
        then (p#>>'{deferred,until}')::timestamptz else v_now end
    where j.kind = 'scan' and j.key = v_cid;
    if (p#>>'{deferred,evidence}')::boolean then
      insert into evidence_wait (blob_cid, since) values (v_cid, v_now) on conflict do nothing;
    end if;
    return query select 'deferred', 0, null::integer;
    return;
  end if;

  insert into blob (blob_cid, hashed_at, bank_generation, bytes, coverage, quality, verdict, reason, kind, pdq, md5, sha1)
  select v_cid, v_now, (p->>'bankGeneration')::bigint, b.bytes, b.coverage, b.quality, b.verdict::verdict_kind, b.reason,
    b.kind::media_kind,
    decode(b.pdq, 'hex'), decode(b.md5, 'hex'), decode(b.sha1, 'hex')
  from jsonb_to_record(p->'blob') as b(bytes integer, coverage smallint, quality smallint, verdict text, reason text,
    kind text, pdq text, md5 text, sha1 text)
  on conflict (blob_cid) do update set
    hashed_at = excluded.hashed_at, bank_generation = excluded.bank_generation, bytes = excluded.bytes,
    coverage = excluded.coverage, quality = excluded.quality, verdict = excluded.verdict, reason = excluded.reason,
    kind = excluded.kind, pdq = excluded.pdq, md5 = excluded.md5, sha1 = excluded.sha1;
  if p ? 'variants' then
    delete from blob_variant v where v.blob_cid = v_cid
      and v.variant not in (select x->>'variant' from jsonb_array_elements(p->'variants') x);
    insert into blob_variant (blob_cid, variant, quality, pdq)
    select v_cid, v.variant, v.quality, decode(v.hash, 'hex')
    from jsonb_to_recordset(p->'variants') as v(variant text, quality smallint, hash text)
    on conflict (blob_cid, variant) do update set quality = excluded.quality, pdq = excluded.pdq;
  end if;

  -- It matches a content that it did not match when its earlier places were decided: those are decided anew, by a person.
  if v_job.retro is null and exists (
    select from jsonb_to_recordset(coalesce(p->'matches', '[]')) as m(content integer, "setAside" text)
    where m."setAside" is null and not exists (
      select from match o where o.blob_cid = v_cid and o.content = m.content and o.set_aside is null)
  ) and exists (
    select from decision d where d.blob_cid = v_cid and d.bank_generation < (p->>'bankGeneration')::bigint
  ) then
    v_grown := (p->>'bankGeneration')::bigint;
  end if;
  perform note_matches(v_cid, (p->>'bankGeneration')::bigint, coalesce(p->'matches', '[]'), v_now);

  for v_d in select * from jsonb_array_elements(coalesce(p->'decisions', '[]')) loop
    -- Erased while the worker was at it: nothing is written about an account that asked to be forgotten.
    perform 1 from account a where a.id = (v_d->>'account')::bigint and a.did is not null for key share;
    continue when not found;
    v_outcome := v_d->>'outcome';
    v_reason := v_d->>'reason';
    v_contents := array(select jsonb_array_elements_text(v_d->'contents')::integer);

    -- The rows that an act would touch; the blob first, as everywhere, so that two workers never wait for each other.
    v_blob_subject := put_subject('blob', (v_d->>'account')::bigint, v_cid, null, null, null);
    v_subject := v_blob_subject;
    v_record_subject := null;
    if v_d->>'collection' is not null then
      v_record_subject := put_subject('record', (v_d->>'account')::bigint, null, v_d->>'collection', v_d->>'rkey',
        decode(v_d->>'recordCid', 'hex'));
      v_subject := v_record_subject;
    end if;

    -- What a person has decided about this blob or this subject is stronger than any policy.
    v_case := null;
    if v_outcome in ('held', 'acted') then
      v_flooded := (select min(c.id) from bank_content c where c.id = any (v_contents) and c.held_at is not null);
      select c.* into v_case from case_blob cb join case_file c on c.id = cb.case_file
      where cb.blob_cid = v_cid for no key update of c;
      if v_case.state in ('released', 'overturned', 'confirmed') and exists (
        -- A bank that the person did not have before them when they decided: it is asked about anew.
        select from bank_content bc
        where bc.id = any (v_contents) and not exists (
          select from match m
          where m.blob_cid = v_cid and m.bank = bc.bank and m.set_aside is null and m.at <= v_case.decided_at
        )
      ) then
        v_outcome := 'held';
        v_reason := 'another-bank';
        update case_file c set state = 'open' where c.id = v_case.id returning * into v_case;
        insert into case_event (case_file, at, event, note) values (v_case.id, v_now, 'reopened', 'another bank matches');
        perform note_v1('case.reopened', '{"kind":"system"}', jsonb_build_object('case', v_case.id, 'reason', v_reason),
          null, null, null, null, 'case.reopened:' || v_case.id || ':' || gen_random_uuid(), v_now);
      elsif v_case.state in ('released', 'overturned') then
        v_outcome := 'released';
        v_reason := 'case-released';
      elsif 'released-by-person' in (v_blob_subject.standing, v_record_subject.standing) then
        v_outcome := 'released';
        v_reason := 'subject-released';
      elsif v_case.state = 'confirmed' then
        v_outcome := 'acted';
        v_reason := 'case-confirmed';
      elsif v_outcome = 'acted' and v_flooded is not null then
        v_outcome := 'held';
        v_reason := 'flood';
      end if;
      if v_outcome = 'held' and v_flooded is not null and v_job.retro is null then
        v_case := flood_case(v_flooded, v_cid, v_now);
      elsif v_outcome = 'held' then
        v_case := open_case(v_cid, v_job.retro, v_reason, v_now);
      elsif v_outcome = 'acted' and v_case.id is null then
        v_case := open_case(v_cid, null, v_reason, v_now, 'acted');
      end if;
    end if;

    insert into decision (at, blob_cid, account, source, collection, rkey, record_cid, sighting_at, subject, bank, content,
      type, distance, bank_generation, policy_version, mode, outcome, reason, wants, case_file, retro)
    values (v_now, v_cid, (v_d->>'account')::bigint, v_d->>'source', v_d->>'collection', v_d->>'rkey',
      decode(v_d->>'recordCid', 'hex'), (v_d->>'sightingAt')::timestamptz, v_subject.id,
      (v_d->>'bank')::integer, v_contents[1], v_d->>'type', (v_d->>'distance')::smallint,
      (p->>'bankGeneration')::bigint, (v_d->>'policyVersion')::integer, v_d->>'mode', v_outcome, v_reason,
      array(select jsonb_array_elements_text(v_d->'wants')), v_case.id, v_job.retro is not null)
    returning id into v_decision;
    v_decisions := v_decisions + 1;

    perform note_v1('decision', '{"kind":"system"}',
      jsonb_strip_nulls(jsonb_build_object('decision', v_decision, 'bank', 'b' || (v_d->>'bank'),
        'type', v_d->>'type', 'distance', (v_d->>'distance')::integer, 'variant', v_d->>'variant', 'policy', (v_d->>'policyVersion')::integer,
        'mode', v_d->>'mode', 'outcome', v_outcome, 'reason', v_reason, 'wants', v_d->'wants', 'case', v_case.id)),
      jsonb_strip_nulls(jsonb_build_object('account', v_d->>'did', 'blob', p->>'cid',
        'record', case when v_d->>'collection' is not null then (v_d->>'collection') || '/' || (v_d->>'rkey') end)),
      (v_d->>'account')::bigint, null, null, 'decision:' || v_decision, v_now);

    if v_outcome in ('held', 'acted') then
      v_held := v_held || jsonb_build_object(v_d->>'account', jsonb_build_object('decision', v_decision, 'case', v_case.id,
        'did', v_d->>'did'));
      foreach v_kind in array array(select jsonb_array_elements_text(v_d->'wants')) loop
        perform plan_action(v_decision,
          case when v_kind = 'takedown-blob' then v_blob_subject.id else v_record_subject.id end,
          v_kind, v_outcome = 'held', case when v_outcome = 'held' then v_reason end,
          v_reason = 'case-confirmed', (v_d->>'sightingAt')::timestamptz, v_contents,
          case when v_kind = 'label' then jsonb_build_object('val', v_d->>'label') end, v_now);
      end loop;
    end if;
  end loop;

  perform ask_person(v_cid);
  perform note_evidence(v_cid, p->'evidence', v_held, v_now);

  -- Sightings up to here have their decisions; the overlap covers batches that were still on their way in.
  if p#>>'{blob,verdict}' = 'matched' and not (p->>'pageFull')::boolean and p->>'againAt' is null then
    v_through := v_now - interval '10 minutes';
    insert into matched_blob (blob_cid, decided_through) values (v_cid, v_through)
    on conflict (blob_cid) do update set decided_through = excluded.decided_through;
  end if;

  if v_job.generation = (p->>'generation')::bigint and not (p->>'pageFull')::boolean
    and (p->>'bankGeneration')::bigint >= v_generation and p->>'againAt' is null and v_grown is null
  then
    delete from job j where j.kind = 'scan' and j.key = v_cid;
    delete from blob_address a where a.blob_cid = v_cid;
    if p#>>'{blob,md5}' is not null then
      delete from fetch_try t where t.blob_cid = v_cid;
    end if;
    return query select 'settled', v_decisions, v_case.id;
  else
    update job j set lease_token = null, lease_until = null, crashes = 0, retro = greatest(j.retro, v_grown),
      next_at = case when j.generation = (p->>'generation')::bigint and not (p->>'pageFull')::boolean
        then coalesce((p->>'againAt')::timestamptz, v_now) else v_now end
    where j.kind = 'scan' and j.key = v_cid;
    return query select 'again', v_decisions, v_case.id;
  end if;
end $$;

-- Which copies may go now, and why; null: none. A legal hold stops every clock.
create function evidence_due(e evidence, p_now timestamptz) returns text
  language sql stable set search_path = blobwatch, pg_temp as $$
  select case
    when evidence_held(e) then null
    when c.state in ('released', 'overturned') then 'both case-' || c.state
    when p_now >= evidence_sealed_until(e) then 'both clock'
    when e.state <> 'kept' then null
    when p_now >= e.working_until then 'working clock'
    when evidence_case_finished(e) then 'working case-finished'
  end
  from (select 1) one left join case_file c on c.id = evidence_case(e)
$$;

-- p: now, limit, retryBefore. Marks what is due as going, before a byte is removed, and gives it out; what was begun and
-- not ended is given out again. Whoever gets it removes the files and calls end_evidence_v1.
create function take_evidence_v1(p jsonb) returns table (
  id bigint, copies text, basis text, sealed_object text, working_object text, working_there boolean
) language plpgsql security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := (p->>'now')::timestamptz;
begin
  return query
    with due as (
      select e.id, e.going, evidence_due(e, v_now) as due
      from evidence e
      left join case_blob cb on cb.blob_cid = e.blob_cid
      left join case_file c on c.id = coalesce(cb.case_file, e.case_file)
      where e.state <> 'destroyed'
        -- What cannot be due is left out before the rest is asked of each row.
        and (e.going is not null or c.state in ('released', 'overturned') or e.sealed_until <= v_now
          or e.state = 'kept' and (e.working_until <= v_now or c.state = 'confirmed'))
        and case when e.going is not null
        then coalesce(e.going_at, '-infinity') < (p->>'retryBefore')::timestamptz and not evidence_held(e)
        else evidence_due(e, v_now) is not null end
      order by e.id limit (p->>'limit')::integer
      for update of e skip locked
    )
    update evidence e set
      going = coalesce(e.going, split_part(d.due, ' ', 1)),
      going_basis = case when e.going is null then split_part(d.due, ' ', 2) else e.going_basis end,
      going_at = v_now
    from due d where e.id = d.id
    returning e.id, e.going, e.going_basis, e.sealed_object, e.working_object, e.working_gone_at is null;
end $$;

-- p: evidence, method, now. The files are gone. Another process may have said so already: false.
create function end_evidence_v1(p jsonb) returns table (ended boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_before evidence;
  v_request evidence_request;
begin
  select * into v_before from evidence e where e.id = (p->>'evidence')::bigint and e.going is not null for update;
  if not found then
    return query select false;
    return;
  end if;
  update evidence e set
    state = case when v_before.going = 'both' then 'destroyed' else 'sealed' end,
    working_gone_at = coalesce(e.working_gone_at, v_now),
    destroyed_at = case when v_before.going = 'both' then v_now end,
    reason = v_before.going_basis,
    going = null, going_basis = null, going_request = null, going_at = null
  where e.id = v_before.id;
  select * into v_request from evidence_request r where r.id = v_before.going_request;
  perform note_v1('evidence.destroyed', coalesce(actor(v_request.decided_by), '{"kind":"system"}'),
    jsonb_strip_nulls(jsonb_build_object('evidence', v_before.id, 'case', evidence_case(v_before),
      'copies', case when v_before.going = 'working' then '["working"]'::jsonb
        when v_before.working_gone_at is null then '["sealed","working"]'::jsonb else '["sealed"]'::jsonb end,
      'method', p->>'method', 'basis', v_before.going_basis, 'request', v_request.id, 'askedBy', v_request.principal)),
    null, null, null, null, 'evidence.destroyed:' || v_before.id || ':' || v_before.going, v_now);
  return query select true;
end $$;

-- p: ids. The files under these names are gone, and no evidence counted them.
create function forget_evidence_plans_v1(p jsonb) returns table (forgotten integer)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  with gone as (
    delete from evidence_plan n where n.id in (select x::bigint from jsonb_array_elements_text(p->'ids') x) returning 1
  )
  select count(*)::integer from gone
$$;

-- p: evidence, verb (opened | exported), principal, reason, idem, now. What is read is noted before it is read; the
-- caller releases nothing until the intake row has become an entry.
create function note_evidence_read_v1(p jsonb) returns table (working_object text, sealed_object text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_e evidence;
begin
  select * into v_e from evidence e where e.id = (p->>'evidence')::bigint for key share;
  if not found then
    raise exception 'there is no evidence %', p->>'evidence' using errcode = 'BU001';
  end if;
  if v_e.state = 'destroyed' or v_e.going = 'both' then
    raise exception 'evidence % is destroyed', v_e.id using errcode = 'BU001';
  end if;
  if p->>'verb' = 'opened' and (v_e.state <> 'kept' or v_e.going is not null) then
    raise exception 'the working copy of evidence % is gone: export the sealed copy', v_e.id using errcode = 'BU001';
  end if;
  if p->>'verb' not in ('opened', 'exported') then
    raise exception 'evidence is opened or exported' using errcode = 'BU001';
  end if;
  perform note_v1('evidence.' || (p->>'verb'), actor((p->>'principal')::integer),
    jsonb_build_object('evidence', v_e.id, 'case', evidence_case(v_e)),
    jsonb_build_object('reason', p->>'reason'), v_e.account, null, null, p->>'idem', (p->>'now')::timestamptz);
  return query select v_e.working_object, v_e.sealed_object;
end $$;

-- p: evidence, reason, authority, principal, now. While one is open, asking again gives that one and changes nothing.
create function ask_destroy_evidence_v1(p jsonb) returns table (request integer, asked boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_e evidence;
  v_request evidence_request;
begin
  select * into v_e from evidence e where e.id = (p->>'evidence')::bigint for update;
  if not found then
    raise exception 'there is no evidence %', p->>'evidence' using errcode = 'BU001';
  end if;
  if v_e.state = 'destroyed' or v_e.going = 'both' then
    raise exception 'evidence % is destroyed', v_e.id using errcode = 'BU001';
  end if;
  if evidence_held(v_e) then
    raise exception 'evidence % is under a legal hold: nothing destroys it', v_e.id using errcode = 'BU001';
  end if;
  select * into v_request from evidence_request r where r.evidence = v_e.id and r.state = 'open';
  if found then
    return query select v_request.id, false;
    return;
  end if;
  insert into evidence_request (evidence, principal, at)
  values (v_e.id, (p->>'principal')::integer, (p->>'now')::timestamptz) returning * into v_request;
  perform note_v1('evidence.destroy-asked', actor(v_request.principal),
    jsonb_build_object('request', v_request.id, 'evidence', v_e.id, 'case', evidence_case(v_e)),
    jsonb_build_object('reason', p->>'reason', 'authority', p->>'authority'), v_e.account, null, null,
    'evidence.destroy-asked:' || v_request.id, v_request.at);
  return query select v_request.id, true;
end $$;

-- p: request, verb (approve | reject), principal, now. Approving is by another person, always: there is no waiting alone.
create function decide_destroy_evidence_v1(p jsonb) returns table (evidence bigint, changed boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_who principal;
  v_request evidence_request;
  v_e evidence;
  v_state text := case p->>'verb' when 'approve' then 'approved' else 'rejected' end;
begin
  select * into v_who from principal r where r.id = (p->>'principal')::integer;
  select r.* into v_request from evidence_request r where r.id = (p->>'request')::integer;
  if not found then
    raise exception 'there is no request %', p->>'request' using errcode = 'BU001';
  end if;
  select e.* into v_e from evidence e where e.id = v_request.evidence for update;
  select r.* into v_request from evidence_request r where r.id = v_request.id for update;
  if v_request.state = v_state then
    return query select v_e.id, false;
    return;
  end if;
  if v_request.state <> 'open' then
    raise exception 'request % is % already', v_request.id, v_request.state using errcode = 'BU001';
  end if;
  if v_who.kind is distinct from 'person' then
    raise exception 'only a person decides about a request' using errcode = 'BU001';
  end if;
  if v_state = 'approved' then
    if v_who.id = v_request.principal then
      raise exception 'request % is your own: another person approves it', v_request.id using errcode = 'BU001';
    end if;
    if evidence_held(v_e) then
      raise exception 'evidence % is under a legal hold: nothing destroys it', v_e.id using errcode = 'BU001';
    end if;
    if v_e.state = 'destroyed' then
      raise exception 'evidence % is destroyed', v_e.id using errcode = 'BU001';
    end if;
    update evidence e set going = 'both', going_basis = 'authority', going_request = v_request.id, going_at = null
    where e.id = v_e.id;
  end if;
  update evidence_request r set state = v_state, decided_by = v_who.id, decided_at = v_now where r.id = v_request.id;
  perform note_v1('evidence.destroy-' || v_state, actor(v_who.id),
    jsonb_build_object('request', v_request.id, 'evidence', v_e.id, 'case', evidence_case(v_e), 'askedBy', v_request.principal),
    null, null, null, null, 'evidence.destroy-' || v_state || ':' || v_request.id, v_now);
  return query select v_e.id, true;
end $$;
