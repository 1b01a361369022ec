-- Values of signal types that are plug-ins' (docs/extending.md): of blobs; those of banks are bank_signal rows like any other.

-- What a plug-in said about a blob. value null: it has none for these bytes. Of another version it is not compared.
create table blob_other (
  blob_cid bytea not null,
  type text not null,
  version text not null,
  value bytea,
  quality smallint,
  -- It does not take these bytes.
  refused boolean not null default false,
  primary key (blob_cid, type)
);

-- Why the bytes of a blob that matched could not be looked at in full: its reason, when it matches no more.
alter table blob add column unlooked text;

create function blob_others(p_cid bytea) returns jsonb
  language sql stable set search_path = blobwatch, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('type', o.type, 'version', o.version,
    'value', encode(o.value, 'hex'), 'quality', o.quality, 'refused', o.refused) order by o.type), '[]')
  from blob_other o where o.blob_cid = p_cid
$$;

-- As in 0014, and what plug-ins said.
create or replace function claim_scans_v1(p jsonb) returns table (
  cid text, generation bigint, token uuid, attempts integer, crashes integer, retro bigint, created_at timestamptz,
  blob jsonb, tries jsonb, addresses jsonb, sightings jsonb, page_full boolean
) language plpgsql security definer set search_path = blobwatch, pg_temp
-- A plan that a connection made while the tables were empty would be kept until they are analyzed: 20 times slower.
set plan_cache_mode = force_custom_plan as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_until timestamptz := v_now + make_interval(secs => (p->>'leaseSeconds')::double precision);
  v_page integer := (p->>'page')::integer;
  v_job job;
  v_through timestamptz;
begin
  for v_job in
    with due as (
      select j.kind, j.key from job j
      where j.kind || '' = 'scan' and j.next_at <= v_now and (j.lease_until is null or j.lease_until < v_now)
      order by j.next_at
      limit (p->>'limit')::integer
      for update skip locked
    )
    update job j set
      crashes = j.crashes + (j.lease_until is not null)::integer,
      attempts = j.attempts + 1,
      lease_token = gen_random_uuid(),
      lease_until = v_until
    from due
    where j.kind = due.kind and j.key = due.key
    returning j.*
  loop
    cid := encode(v_job.key, 'hex');
    generation := v_job.generation;
    token := v_job.lease_token;
    attempts := v_job.attempts;
    crashes := v_job.crashes;
    retro := v_job.retro;
    created_at := v_job.created_at;

    select jsonb_build_object(
      'verdict', b.verdict, 'reason', coalesce(b.reason, b.unlooked), 'kind', b.kind, 'bytes', b.bytes, 'quality', b.quality,
      'pdq', encode(b.pdq, 'hex'), 'md5', encode(b.md5, 'hex'), 'sha1', encode(b.sha1, 'hex'),
      'bankGeneration', b.bank_generation,
      'variants', coalesce((
        select jsonb_agg(jsonb_build_object('variant', v.variant, 'hash', encode(v.pdq, 'hex'), 'quality', v.quality))
        from blob_variant v where v.blob_cid = b.blob_cid), '[]'),
      'others', blob_others(b.blob_cid))
    into blob from blob b where b.blob_cid = v_job.key;

    select coalesce(jsonb_agg(jsonb_build_object(
      'host', t.host, 'outcome', t.outcome, 'until', t.until, 'attempts', t.attempts)), '[]')
    into tries from fetch_try t where t.blob_cid = v_job.key;

    select coalesce(jsonb_agg(a.url), '[]') into addresses from blob_address a where a.blob_cid = v_job.key;

    -- What has its decision already is left out. After a bank change every place is decided anew.
    v_through := null;
    if v_job.retro is null then
      select m.decided_through into v_through from matched_blob m where m.blob_cid = v_job.key;
    end if;
    select coalesce(jsonb_agg(to_jsonb(x)), '[]'), count(*) = v_page into sightings, page_full
    from (
      select s.account, a.did, a.identity_at as "identityAt", a.status, s.collection, s.rkey, encode(s.record_cid, 'hex') as "recordCid",
        s.source, s.at
      from sighting s
      join account a on a.id = s.account
      where blob_key(s.blob_cid) = blob_key(v_job.key) and s.blob_cid = v_job.key
        and a.did is not null
        and (v_through is null or s.at > v_through)
        and not exists (
          select from decision d
          where d.blob_cid = s.blob_cid and d.account = s.account
            and d.collection is not distinct from s.collection and d.rkey is not distinct from s.rkey
            and d.sighting_at >= s.at
            and (v_job.retro is null or d.bank_generation >= v_job.retro)
        )
      order by s.at desc
      limit v_page
    ) x;
    return next;
  end loop;
end $$;

-- As in 0006. p.plugins: the types that are asked about blobs (type, version, media); absent: none.
create or replace function take_in_v1(p jsonb) returns table (result text, sightings integer, jobs integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_source text := p->>'source';
  v_host text := p->>'host';
  v_generation bigint := bank_generation_v1();
  v_sightings integer := 0;
  v_jobs integer := 0;
begin
  if p->'cursor' is not null then
    update cursor c set
      position = (p#>>'{cursor,to}')::bigint,
      event_time = coalesce((p#>>'{cursor,eventTime}')::timestamptz, c.event_time),
      updated_at = v_now
    where c.source = v_source and c.host = v_host
      and c.epoch = (p#>>'{cursor,epoch}')::bigint
      and c.position is not distinct from (p#>>'{cursor,from}')::bigint;
    if not found then
      return query select 'fenced', 0, 0;
      return;
    end if;
  end if;

  if p->'delivery' is not null then
    insert into webhook_seen (endpoint, webhook_id, at)
    values (p#>>'{delivery,endpoint}', p#>>'{delivery,id}', v_now)
    on conflict do nothing;
    if not found then
      return query select 'duplicate', 0, 0;
      return;
    end if;
  end if;

  insert into account (did)
  select distinct s.did
  from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(did text)
  where not exists (select from account a where a.did = s.did)
  order by s.did
  on conflict (did) do nothing;

  insert into account (did)
  select distinct u.did
  from jsonb_to_recordset(coalesce(p->'urls', '[]')) as u(did text)
  where not exists (select from account a where a.did = u.did)
  order by u.did
  on conflict (did) do nothing;

  insert into sighting (at, account, source, blob_cid, record_cid, collection, rkey, rev)
  select v_now, a.id, v_source::source_kind, decode(s.cid, 'hex'), decode(s."recordCid", 'hex'), s.collection, s.rkey, s.rev
  from jsonb_to_recordset(coalesce(p->'sightings', '[]'))
    as s(did text, cid text, "recordCid" text, collection text, rkey text, rev text)
  join account a on a.did = s.did;
  get diagnostics v_sightings = row_count;

  if p#>>'{delivery,contentId}' is not null then
    insert into webhook_content (endpoint, content_id, account, blob_cid, at)
    select p#>>'{delivery,endpoint}', p#>>'{delivery,contentId}', a.id, decode(s.cid, 'hex'), v_now
    from jsonb_to_recordset(p->'sightings') as s(did text, cid text)
    join account a on a.did = s.did
    limit 1
    on conflict (endpoint, content_id) do update set
      account = excluded.account, blob_cid = excluded.blob_cid, at = excluded.at;
  end if;

  -- A reference that names no bytes we could verify is settled here: there is nothing to fetch.
  insert into cid_unsupported (blob_cid, cid, at)
  select distinct on (s.cid) decode(s.cid, 'hex'), s.unsupported, v_now
  from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(cid text, unsupported text)
  where s.unsupported is not null
  order by s.cid
  on conflict do nothing;
  insert into blob (blob_cid, hashed_at, bank_generation, coverage, verdict, reason)
  select distinct on (s.cid) decode(s.cid, 'hex'), v_now, v_generation, 0, 'unscannable', 'unsupported-cid'
  from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(cid text, unsupported text)
  where s.unsupported is not null
  order by s.cid
  on conflict do nothing;

  -- No job for a blob whose bytes were had (md5 is known), which matched nothing, with the banks of now, and that every
  -- plug-in for such media answered about.
  insert into job (kind, key, next_at, reason, created_at)
  select 'scan', d.cid, v_now, 'sighting', v_now
  from (
    select distinct decode(s.cid, 'hex') as cid
    from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(cid text, unsupported text)
    where s.unsupported is null
  ) d
  where not exists (
    select from blob b
    where b.blob_cid = d.cid and b.verdict <> 'matched' and b.md5 is not null and b.bank_generation >= v_generation
      and not exists (
        select from jsonb_to_recordset(p->'plugins') as t(type text, version text, media jsonb)
        where t.media ? b.kind::text and not exists (
          select from blob_other o where o.blob_cid = b.blob_cid and o.type = t.type and o.version = t.version)
      )
  )
  order by d.cid
  on conflict (kind, key) do update set
    generation = job.generation + 1,
    next_at = least(job.next_at, excluded.next_at);
  get diagnostics v_jobs = row_count;

  insert into job (kind, key, next_at, reason, detail, created_at)
  select 'url', sha256(convert_to(u.did || ' ' || u.url, 'UTF8')), v_now, 'announced',
    jsonb_build_object('account', a.id, 'url', u.url, 'endpoint', p#>>'{delivery,endpoint}', 'contentId', u."contentId"), v_now
  from jsonb_to_recordset(coalesce(p->'urls', '[]')) as u(did text, url text, "contentId" text)
  join account a on a.did = u.did
  on conflict (kind, key) do update set generation = job.generation + 1, next_at = least(job.next_at, excluded.next_at);

  insert into frame_undecodable (source, host, seq, bytes, error, at)
  select v_source, v_host, f.seq, decode(f.bytes, 'base64'), f.error, v_now
  from jsonb_to_recordset(coalesce(p->'undecodable', '[]')) as f(seq bigint, bytes text, error text);

  insert into ingest_gap (source, host, reason, from_seq, to_seq, from_time, to_time, at)
  select v_source, v_host, g.reason, g."fromSeq", g."toSeq", g."fromTime", g."toTime", v_now
  from jsonb_to_recordset(coalesce(p->'gaps', '[]'))
    as g(reason text, "fromSeq" bigint, "toSeq" bigint, "fromTime" timestamptz, "toTime" timestamptz);

  -- Only accounts that we hold something about: most deletions on the network are of records we never saw.
  insert into removal (account, collection, rkey, rev, at)
  select a.id, r.collection, r.rkey, r.rev, v_now
  from jsonb_to_recordset(coalesce(p->'recordDeletes', '[]')) as r(did text, collection text, rkey text, rev text)
  join account a on a.did = r.did;

  update account a set status = s.status, status_at = v_now
  from jsonb_to_recordset(coalesce(p->'accounts', '[]')) as s(did text, status text)
  where a.did = s.did;
  insert into removal (account, at)
  select a.id, v_now
  from jsonb_to_recordset(coalesce(p->'accounts', '[]')) as s(did text, status text)
  join account a on a.did = s.did
  where s.status = 'deleted';

  update account a set identity_at = v_now
  from jsonb_array_elements_text(coalesce(p->'identities', '[]')) as d(did)
  where a.did = d.did;

  return query select 'taken', v_sightings, v_jobs;
end $$;

-- As in 0020, and what plug-ins said. A process that does not say it (an older one) leaves what is stored.
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

  insert into blob (blob_cid, hashed_at, bank_generation, bytes, coverage, quality, verdict, reason, unlooked, kind, pdq, md5,
    sha1)
  select v_cid, v_now, (p->>'bankGeneration')::bigint, b.bytes, b.coverage, b.quality, b.verdict::verdict_kind, b.reason,
    b.unlooked, b.kind::media_kind,
    decode(b.pdq, 'hex'), decode(b.md5, 'hex'), decode(b.sha1, 'hex')
  from jsonb_to_record(p->'blob') as b(bytes integer, coverage smallint, quality smallint, verdict text, reason text,
    unlooked text, kind text, pdq text, md5 text, sha1 text)
  on conflict (blob_cid) do update set
    hashed_at = excluded.hashed_at, bank_generation = excluded.bank_generation, bytes = excluded.bytes,
    coverage = excluded.coverage, quality = excluded.quality, verdict = excluded.verdict, reason = excluded.reason,
    unlooked = excluded.unlooked, kind = excluded.kind, pdq = excluded.pdq, md5 = excluded.md5, sha1 = excluded.sha1;
  if p ? 'variants' then
    delete from blob_variant v where v.blob_cid = v_cid
      and v.variant not in (select x->>'variant' from jsonb_array_elements(p->'variants') x);
    insert into blob_variant (blob_cid, variant, quality, pdq)
    select v_cid, v.variant, v.quality, decode(v.hash, 'hex')
    from jsonb_to_recordset(p->'variants') as v(variant text, quality smallint, hash text)
    on conflict (blob_cid, variant) do update set quality = excluded.quality, pdq = excluded.pdq;
  end if;
  if p ? 'others' then
    delete from blob_other o where o.blob_cid = v_cid
      and o.type not in (select x->>'type' from jsonb_array_elements(p->'others') x);
    insert into blob_other (blob_cid, type, version, value, quality, refused)
    select v_cid, o.type, o.version, decode(o.value, 'hex'), o.quality, o.refused
    from jsonb_to_recordset(p->'others') as o(type text, version text, value text, quality smallint, refused boolean)
    on conflict (blob_cid, type) do update set
      version = excluded.version, value = excluded.value, quality = excluded.quality, refused = excluded.refused;
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

-- As rematch_page_v2 in 0014, and what plug-ins said: asked for here, because a call of a function for each blob takes longer.
create function rematch_page_v3(p jsonb) returns table (
  cid text, pdq text, quality smallint, md5 text, sha1 text, variants jsonb, others jsonb
) language plpgsql stable security definer set search_path = blobwatch, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare
  v_after bytea := decode(coalesce(p->>'after', ''), 'hex');
  v_generation bigint := (p->>'generation')::bigint;
begin
  return query
    select encode(b.blob_cid, 'hex'), encode(b.pdq, 'hex'), b.quality, encode(b.md5, 'hex'), encode(b.sha1, 'hex'),
      coalesce((
        select jsonb_agg(jsonb_build_object('variant', v.variant, 'hash', encode(v.pdq, 'hex'), 'quality', v.quality))
        from blob_variant v where v.blob_cid = b.blob_cid), '[]'),
      coalesce((
        select jsonb_agg(jsonb_build_object('type', o.type, 'version', o.version,
          'value', encode(o.value, 'hex'), 'quality', o.quality, 'refused', o.refused) order by o.type)
        from blob_other o where o.blob_cid = b.blob_cid), '[]')
    from blob b
    where b.blob_cid > v_after and b.bank_generation < v_generation
      and (not coalesce((p->>'matchedOnly')::boolean, false) or b.blob_cid in (
        select m.blob_cid from match m where m.blob_cid > v_after))
    order by b.blob_cid
    limit (p->>'limit')::integer;
end $$;
